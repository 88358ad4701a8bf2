import { backoffMs } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { CreateOnce, Creation } from './create-once.ts';
import { sendCreation } from './creating-request.ts';
import type { IntentAttempt, IntentStore, RecordOutcome } from './intent-store.ts';
import { createKeyedLanes } from './keyed-lanes.ts';

/** The most a creating request may take (design: request deadline ≤ 10 s). */
const MAX_DEADLINE_MS = 10_000;
/** How long an id that iconik gave is tried to be written down while the database is away. Failing that, a look-up finds it. */
const RECORD_FOR_MS = 15_000;
/** Rounds of ask-again before the caller is sent away; each means that another caller got ahead. */
const MAX_ROUNDS = 6;

/** What creations need. */
export interface IntendedCreationOptions {
  intents: IntentStore;
  clock: Clock;
  /** How long after its deadline a request may still take effect in iconik or stay out of its lists. */
  settleMs: number;
  /** Time for one creating request, ≤ 10 000. */
  deadlineMs: number;
  log: Logger;
  /** Uniform in [0, 1); for the waits between tries to write an id down. */
  random?: () => number;
}

type Parts = Required<IntendedCreationOptions>;

/** What one round came to: an id, or ask again. */
type Attempted = { kind: 'created'; id: string } | { kind: 'again' };

function fenceLost(creation: Creation): IsgError {
  return creation.fence.kind === 'leader'
    ? new IsgError('leadership-lost', 'Another node leads; nothing was created.', { retry: 'transient' })
    : new IsgError('lease-lost', 'The job has another runner; nothing was created.', { retry: 'transient' });
}

function inDoubt(creation: Creation, retryAfterMs: number, cause?: unknown): IsgError {
  return new IsgError(
    'creation-in-doubt',
    `A request to create ${creation.kind} "${creation.key}" has no known end. Nothing is created for it until that is certain; the node tries again in ${Math.ceil(retryAfterMs / 1000)} s.`,
    { retry: 'transient', cause, fields: { kind: creation.kind, key: creation.key, retryAfterMs } },
  );
}

/** Writes a fact down, through transient database errors. */
async function persist<T>({ clock, random }: Parts, write: () => Promise<T>): Promise<T> {
  const startedMs = clock.monotonicMs();
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (thrown) {
      const error = coerceError(thrown);
      if (error.retry === 'permanent' || clock.monotonicMs() - startedMs > RECORD_FOR_MS) throw error;
    }
    await clock.sleep(backoffMs(tries, { baseMs: 100, capMs: 2000 }, random));
  }
}

/** Best effort: without the note the next caller waits until deadline and settle time have passed. */
async function note({ log }: Parts, what: string, write: () => Promise<void>): Promise<void> {
  await write().catch((error: unknown) => log.warn(`Intent: ${what} could not be noted`, { error }));
}

/** Takes an id that iconik answered: from here on it is the known one, a noted stray, or another intent's. */
async function settleAnswer(parts: Parts, attempt: IntentAttempt, createdId: string): Promise<RecordOutcome> {
  const { intents, log } = parts;
  const outcome = await persist(parts, () => intents.record({ ...attempt, createdId }));
  if (outcome === 'superseded') {
    log.warn('An id arrived for a creation that had been given up', { ...attempt, createdId });
    await persist(parts, () => intents.noteStray({ kind: attempt.kind, key: attempt.key, createdId }));
  }
  // An intent that looks the same adopted the thing before its id was written down: ours is to be made anew.
  if (outcome === 'taken') await note(parts, 'refusal', () => intents.refused(attempt));
  return outcome;
}

/** Sends the request of a begun attempt and settles what comes of it. */
async function send(parts: Parts, creation: Creation, begun: { attempt: number; untilMs: number }): Promise<Attempted> {
  const { intents, clock, settleMs, log } = parts;
  const attempt: IntentAttempt = { kind: creation.kind, key: creation.key, attempt: begun.attempt };
  const end = await sendCreation(creation, begun.untilMs, clock);
  switch (end.kind) {
    case 'answered':
      if ((await settleAnswer(parts, attempt, end.id)) === 'recorded') return { kind: 'created', id: end.id };
      throw inDoubt(creation, 0);
    case 'refused':
      await note(parts, 'refusal', () => intents.refused(attempt));
      throw end.error;
    case 'unknown':
      await note(parts, 'end of request', () => intents.ended(attempt));
      throw inDoubt(creation, settleMs, end.error);
    case 'overdue':
      end.late
        .then((late) => (late.kind === 'answered' ? settleAnswer(parts, attempt, late.id) : undefined))
        .catch((error: unknown) => log.warn('A late id could not be noted', { ...attempt, error }));
      throw inDoubt(creation, settleMs);
  }
}

/** Resolves a settled doubt: adopts what is there, else tries again. */
async function resolve(
  parts: Parts,
  creation: Creation,
  doubt: { attempt: number; startedAt: Date },
): Promise<Attempted> {
  const { intents, clock, settleMs, deadlineMs } = parts;
  const { kind, key, fence } = creation;
  const { attempt, startedAt } = doubt;
  const found = await creation.find({ startedAt, isTaken: (createdId) => intents.isTaken({ kind, createdId }) });
  if (found) {
    const outcome = await persist(parts, () => intents.record({ kind, key, attempt, createdId: found.id }));
    return outcome === 'recorded' ? { kind: 'created', id: found.id } : { kind: 'again' };
  }
  const beginMs = clock.monotonicMs();
  const again = await intents.beginAgain({ kind, key, attempt, fence, deadlineMs, settleMs });
  if (again.kind === 'fence-lost') throw fenceLost(creation);
  if (again.kind === 'changed') return { kind: 'again' };
  return send(parts, creation, { attempt: again.attempt, untilMs: beginMs + deadlineMs });
}

async function attemptOnce(parts: Parts, creation: Creation): Promise<Attempted> {
  const { intents, clock, settleMs, deadlineMs } = parts;
  const { kind, key, fence } = creation;
  // Counted from before the statement, so that it ends no later than the deadline the database stores.
  const beginMs = clock.monotonicMs();
  const begun = await intents.begin({ kind, key, fence, deadlineMs, settleMs });
  switch (begun.kind) {
    case 'fence-lost':
      throw fenceLost(creation);
    case 'known':
      return { kind: 'created', id: begun.createdId };
    case 'begun':
      return send(parts, creation, { attempt: begun.attempt, untilMs: beginMs + deadlineMs });
    case 'in-doubt':
      if (begun.settledInMs > 0) throw inDoubt(creation, begun.settledInMs);
      return resolve(parts, creation, begun);
    case 'changed':
      return { kind: 'again' };
  }
}

/** Creations by intents; the rules, and what they do not promise, are in README.md. */
export function createCreateOnce(options: IntendedCreationOptions): CreateOnce {
  const parts: Parts = { random: Math.random, ...options };
  if (!(parts.deadlineMs > 0 && parts.deadlineMs <= MAX_DEADLINE_MS)) {
    throw new IsgError('unexpected', `deadlineMs must be in 1…${MAX_DEADLINE_MS}`, { retry: 'permanent' });
  }
  const lanes = createKeyedLanes();
  return (creation) =>
    lanes.run(`${creation.kind} ${creation.key}`, async () => {
      for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
        const attempted = await attemptOnce(parts, creation);
        if (attempted.kind === 'created') return attempted.id;
      }
      throw inDoubt(creation, parts.settleMs);
    });
}
