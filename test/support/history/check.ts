import { type HistoryEvent, inOrder, wordsOf } from './events.ts';
import { jobRules } from './job-rules.ts';
import { termRules } from './term-rules.ts';
import { trustRules } from './trust-rules.ts';
import { workerRules } from './worker-rules.ts';

/** Durations that the runs worked with, milliseconds. */
export interface CheckTimes {
  ttlMs: number;
  marginMs: number;
  /** Time without a heartbeat after which a worker may be declared dead. */
  lapseMs: number;
  /** What clocks may differ by over these durations, and what passes between a check and the noting of it. */
  toleranceMs: number;
}

/** The promises that are checked. */
export type Rule =
  | 'one writer per term'
  | 'terms only grow'
  | 'no write of an old term'
  | 'no effect outside a trust window'
  | 'no overlapping trust windows'
  | 'release only after work has settled'
  | 'renewal only while the main loop lives'
  | 'renewal never waits for a leader write'
  | 'no completion under an old lease token'
  | 'no claim of a job that is leased'
  | 'no freeing of a living worker’s job'
  | 'status of a living worker is its own';

/** A broken promise: the two events that contradict each other. */
export interface Violation {
  rule: Rule;
  words: string;
  events: readonly [HistoryEvent, HistoryEvent];
}

/** What one rule's check reports. */
export type Report = (rule: Rule, first: HistoryEvent, second: HistoryEvent) => void;

/** Every broken promise in the events of all runs; empty when all were kept. Pure. */
export function checkHistory(events: readonly HistoryEvent[], times: CheckTimes): Violation[] {
  const ordered = inOrder(events);
  const violations: Violation[] = [];
  const report: Report = (rule, first, second) => {
    const words = `${rule}: ${wordsOf(first)}, but ${wordsOf(second)}`;
    violations.push({ rule, words, events: [first, second] });
  };
  termRules(ordered, report);
  trustRules(ordered, times, report);
  workerRules(ordered, times, report);
  jobRules(ordered, times, report);
  return violations;
}
