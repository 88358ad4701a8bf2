import { describe, expect, it } from 'vitest';
import { checkHistory, type Rule } from '../../support/history/check.ts';
import { type HistoryEvent, parseEvent } from '../../support/history/events.ts';

const TIMES = { ttlMs: 3_000, marginMs: 750, lapseMs: 6_000, toleranceMs: 50 };

/** An event in short: run, kind, when it happened, facts. */
const event = (run: string, kind: string, atMs: number, facts: Record<string, unknown> = {}): HistoryEvent =>
  parseEvent({ run, kind, atMs, ...facts });
const won = (run: string, term: number, atMs: number) => event(run, 'take-over', atMs, { startMs: atMs - 5, term });
const renewed = (run: string, term: number, startMs: number) =>
  event(run, 'renew', startMs + 5, { startMs, term, renewed: true });
const begun = (run: string, term: number, atMs: number) => event(run, 'trust-begun', atMs, { term });
const ended = (run: string, term: number, atMs: number) => event(run, 'trust-ended', atMs, { term });
const wrote = (run: string, term: number, startMs: number, accepted = true) =>
  event(run, 'fenced-write', startMs + 5, { startMs, term, accepted });
const row = (run: string, kind: string, order: number, facts: Record<string, unknown> = {}) =>
  event(run, kind, order, { order, ...facts });

/** A leads, hands over, B leads: nothing is wrong with it. */
const SOUND = [
  won('a', 1, 100),
  begun('a', 1, 100),
  event('a', 'work-begun', 100, { term: 1, work: 'scan' }),
  wrote('a', 1, 200),
  renewed('a', 1, 800),
  event('a', 'effect', 2_900, { term: 1, what: 'assets.create' }),
  ended('a', 1, 2_950),
  event('a', 'work-settled', 2_990, { term: 1, work: 'scan' }),
  event('a', 'release', 3_010, { startMs: 3_000, term: 1 }),
  won('b', 2, 3_050),
  begun('b', 2, 3_050),
  wrote('a', 1, 3_060, false),
  wrote('b', 2, 3_070),
];

describe('the checker', () => {
  it('finds nothing wrong with a hand-over', () => {
    expect(checkHistory(SOUND, TIMES)).toEqual([]);
  });

  it.each<[string, Rule, HistoryEvent[]]>([
    ['two runs write under one term', 'one writer per term', [wrote('a', 1, 10), wrote('b', 1, 20)]],
    ['a term is given twice', 'terms only grow', [won('a', 4, 100), won('b', 4, 200)]],
    [
      'a read after a take-over shows a lower term',
      'terms only grow',
      [won('a', 4, 100), event('b', 'lease-read', 210, { startMs: 200, term: 3 })],
    ],
    [
      'the database writes a lower term after a higher one',
      'terms only grow',
      [row('a', 'row-term', 1, { term: 4 }), row('b', 'row-term', 2, { term: 3 })],
    ],
    ['a write of an old term is accepted', 'no write of an old term', [won('b', 2, 100), wrote('a', 1, 101)]],
    [
      'the database wrote for an old term',
      'no write of an old term',
      [row('b', 'row-term', 1, { term: 2 }), row('a', 'row-write', 2, { term: 1 })],
    ],
    [
      'an effect comes after the window that the last renewal opened',
      'no effect outside a trust window',
      [won('a', 1, 100), begun('a', 1, 100), event('a', 'effect', 2_401, { term: 1, what: 'x' })],
    ],
    [
      'trust is confirmed after the leadership ended',
      'no effect outside a trust window',
      [
        won('a', 1, 100),
        begun('a', 1, 100),
        ended('a', 1, 300),
        event('a', 'trust-asked', 301, { term: 1, passed: true }),
      ],
    ],
    [
      'an effect comes from a run that never led',
      'no effect outside a trust window',
      [event('a', 'effect', 100, { term: 1, what: 'x' })],
    ],
    [
      'a leadership begins within the window of another',
      'no overlapping trust windows',
      [won('a', 1, 100), begun('a', 1, 100), renewed('a', 1, 800), begun('b', 2, 3_049)],
    ],
    [
      'the lease is released while work goes on',
      'release only after work has settled',
      [event('a', 'work-begun', 100, { term: 1, work: 'scan' }), event('a', 'release', 210, { startMs: 200, term: 1 })],
    ],
    [
      'renewals go on while the main loop is silent',
      'renewal only while the main loop lives',
      [event('a', 'loop-alive', 100, { term: 1 }), renewed('a', 1, 15_101)],
    ],
    [
      'a renewal waits for a lock of its own leader',
      'renewal never waits for a leader write',
      [row('a', 'row-lock-wait', 1, { waiting: 'renew', heldBy: 'a write' })],
    ],
    [
      'a job is ended under an old token',
      'no completion under an old lease token',
      [
        event('b', 'job-claim', 100, { startMs: 90, jobs: [{ jobId: '7', leaseToken: '10' }] }),
        event('a', 'job-end', 120, { startMs: 110, jobId: '7', leaseToken: '9', state: 'done', accepted: true }),
      ],
    ],
    [
      'a job is claimed that another run has leased',
      'no claim of a job that is leased',
      [
        row('a', 'row-job', 1, { jobId: '7', wasState: 'queued', state: 'leased', wasLeasedBy: null, leasedBy: 'a' }),
        row('b', 'row-job', 2, { jobId: '7', wasState: 'leased', state: 'leased', wasLeasedBy: 'a', leasedBy: 'b' }),
      ],
    ],
    [
      'the job of a worker is freed that beat a moment ago',
      'no freeing of a living worker’s job',
      [
        row('a', 'row-job', 1, { jobId: '7', wasState: 'queued', state: 'leased', wasLeasedBy: null, leasedBy: 'a' }),
        row('a', 'row-worker', 2, { beat: true, status: 'available' }),
        row('b', 'row-job', 3, { jobId: '7', wasState: 'leased', state: 'queued', wasLeasedBy: 'a', leasedBy: null }),
      ],
    ],
    [
      'a worker is called unavailable that beat a moment ago',
      'status of a living worker is its own',
      [
        row('a', 'row-worker', 1, { beat: true, status: 'available' }),
        row('a', 'row-worker', 2, { beat: false, status: 'unavailable' }),
      ],
    ],
  ])('sees that %s', (_, rule, events) => {
    const violations = checkHistory(events, TIMES);
    expect(violations.map((violation) => violation.rule)).toEqual([rule]);
    for (const { words, events: both } of violations) {
      for (const named of both)
        expect(words).toContain(`${named.kind} of run ${named.run} at ${named.atMs.toFixed(1)} ms`);
    }
  });

  it.each<[string, HistoryEvent[]]>([
    [
      'an effect just within its window',
      [won('a', 1, 100), begun('a', 1, 100), event('a', 'effect', 2_344, { term: 1, what: 'x' })],
    ],
    ['a leadership after the window of a silent one', [won('a', 1, 100), begun('a', 1, 100), begun('b', 2, 2_346)]],
    [
      'the rescue of a worker that was silent for the lapse',
      [
        row('a', 'row-job', 1, { jobId: '7', wasState: 'queued', state: 'leased', wasLeasedBy: null, leasedBy: 'a' }),
        row('a', 'row-worker', 2, { beat: true, status: 'available' }),
        row('b', 'row-job', 6_003, {
          jobId: '7',
          wasState: 'leased',
          state: 'queued',
          wasLeasedBy: 'a',
          leasedBy: null,
        }),
      ],
    ],
    [
      'a job that its holder gives back',
      [
        row('a', 'row-job', 1, { jobId: '7', wasState: 'queued', state: 'leased', wasLeasedBy: null, leasedBy: 'a' }),
        row('a', 'row-worker', 2, { beat: true, status: 'available' }),
        row('a', 'row-job', 3, { jobId: '7', wasState: 'leased', state: 'queued', wasLeasedBy: 'a', leasedBy: null }),
      ],
    ],
    [
      'an end that is refused',
      [
        event('b', 'job-claim', 100, { startMs: 90, jobs: [{ jobId: '7', leaseToken: '10' }] }),
        event('a', 'job-end', 120, { startMs: 110, jobId: '7', leaseToken: '9', state: 'done', accepted: false }),
      ],
    ],
    ['a write that began before the new term was given', [won('b', 2, 100), wrote('a', 1, 99)]],
  ])('accepts %s', (_, events) => {
    expect(checkHistory(events, TIMES)).toEqual([]);
  });
});
