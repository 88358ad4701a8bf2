import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What every event carries: the run that says it, and when it happened (or was answered), monotonic milliseconds. */
const said = { run: z.string(), atMs: z.number() };
/** An attempt: when it began, and the error when no answer came. */
const attempt = { ...said, startMs: z.number() };
const failed = z.string().optional();
const term = z.number();
const leases = z.array(z.object({ jobId: z.string(), leaseToken: z.string() })).optional();

/**
 * Events of a history. Those a node says itself come from the recorders in `agent/`. Events `row-…` are said by the
 * database (triggers of a test, see witness.ts): `order` is the order in which it wrote; they also show what was done by
 * statements whose answer never arrived.
 */
const eventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('lease-read'), ...attempt, failed, term: term.optional() }),
  z.object({
    kind: z.literal('take-over'),
    ...attempt,
    failed,
    term: term.nullish(),
    seenTerm: z.number().optional(),
    seenRenewals: z.number().optional(),
  }),
  z.object({ kind: z.literal('renew'), ...attempt, failed, term: term.optional(), renewed: z.boolean().optional() }),
  z.object({ kind: z.literal('release'), ...attempt, failed, term: term.optional() }),
  z.object({ kind: z.literal('trust-begun'), ...said, term }),
  z.object({ kind: z.literal('trust-ended'), ...said, term }),
  z.object({ kind: z.literal('loop-alive'), ...said, term }),
  z.object({ kind: z.literal('trust-asked'), ...said, term, passed: z.boolean() }),
  z.object({ kind: z.literal('effect'), ...said, term, what: z.string() }),
  z.object({ kind: z.literal('fenced-write'), ...attempt, term, accepted: z.boolean() }),
  z.object({ kind: z.literal('work-begun'), ...said, term, work: z.string() }),
  z.object({ kind: z.literal('work-settled'), ...said, term, work: z.string() }),
  z.object({ kind: z.literal('job-claim'), ...attempt, failed, jobs: leases }),
  z.object({ kind: z.literal('job-renew'), ...attempt, failed, jobs: leases }),
  z.object({
    kind: z.literal('job-end'),
    ...attempt,
    failed,
    jobId: z.string().optional(),
    leaseToken: z.string().optional(),
    state: z.string().optional(),
    accepted: z.boolean().optional(),
  }),
  z.object({ kind: z.literal('row-term'), ...said, order: z.number(), term }),
  z.object({ kind: z.literal('row-write'), ...said, order: z.number(), term }),
  z.object({
    kind: z.literal('row-worker'),
    ...said,
    order: z.number(),
    beat: z.boolean(),
    status: z.string(),
  }),
  z.object({
    kind: z.literal('row-job'),
    ...said,
    order: z.number(),
    jobId: z.string(),
    state: z.string(),
    wasState: z.string(),
    leasedBy: z.string().nullable(),
    wasLeasedBy: z.string().nullable(),
  }),
  z.object({ kind: z.literal('row-lock-wait'), ...said, order: z.number(), waiting: z.string(), heldBy: z.string() }),
]);

/** One event of a history. */
export type HistoryEvent = z.infer<typeof eventSchema>;

/** Events of one kind. */
export type EventOf<K extends HistoryEvent['kind']> = Extract<HistoryEvent, { kind: K }>;

/** Parses one event; throws for what is none. */
export function parseEvent(value: unknown): HistoryEvent {
  return eventSchema.parse(value);
}

/** All events of history files, in the order of their times. */
export function readHistory(paths: readonly string[]): HistoryEvent[] {
  const lines = paths.flatMap((path) => readFileSync(path, 'utf8').split('\n'));
  return inOrder(lines.filter((line) => line !== '').map((line) => parseEvent(JSON.parse(line))));
}

/** Events in the order of their times; events of one instant stay as they were said. */
export function inOrder(events: readonly HistoryEvent[]): HistoryEvent[] {
  return events.toSorted((a, b) => a.atMs - b.atMs);
}

/** The events of one kind. */
export function pick<K extends HistoryEvent['kind']>(events: readonly HistoryEvent[], kind: K): EventOf<K>[] {
  return events.filter((event): event is EventOf<K> => event.kind === kind);
}

/** An event in words, for the report of a violation. */
export function wordsOf(event: HistoryEvent): string {
  const { kind, run, atMs, ...facts } = event;
  const shown = Object.entries(facts).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return `${kind} of run ${run} at ${atMs.toFixed(1)} ms (${shown.join(', ')})`;
}
