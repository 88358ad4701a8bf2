import type { CreatedKind, Fence } from './create-once.ts';

/** Names one creation. */
interface IntentKey {
  kind: CreatedKind;
  key: string;
}

/** Names one attempt of a creation. */
export interface IntentAttempt extends IntentKey {
  /** Counts from 1; only ever grows. */
  attempt: number;
}

/** What `begin` found. */
export type BeginOutcome =
  /** The fence does not hold: another leads, or the lease is gone. Nothing was written. */
  | { kind: 'fence-lost' }
  /** Created before. */
  | { kind: 'known'; createdId: string }
  /** This caller may send one request until the deadline that is now stored. */
  | { kind: 'begun'; attempt: number }
  /** An earlier attempt has no known end. `settledInMs` 0 = nothing it sent can take effect any more. */
  | { kind: 'in-doubt'; attempt: number; startedAt: Date; settledInMs: number }
  /** The row changed under the statement: ask again. */
  | { kind: 'changed' };

/** What became of writing an id down. */
export type RecordOutcome =
  /** The row holds this id now, written by this call or another. */
  | 'recorded'
  /** The attempt was given up meanwhile; the row holds another id or none. */
  | 'superseded'
  /** Another intent of this kind holds this id. */
  | 'taken';

/**
 * Where intents live. All times are the store's own (the database's); every function is one statement, or several that
 * may be cut between any two. Throws the database's classified errors.
 */
export interface IntentStore {
  /**
   * Commits an attempt where there is none (no row, or a void one), under the fence, in one statement: the fence, the
   * check and the write cannot come apart. `deadline = now + deadlineMs`; settled means `now > deadline + settleMs`.
   */
  begin(request: IntentKey & { fence: Fence; deadlineMs: number; settleMs: number }): Promise<BeginOutcome>;
  /**
   * Takes over a settled attempt that left nothing behind: attempt + 1, if the row still is at `attempt`, open and
   * settled, under the fence. `startedAt` stays that of the first doubtful attempt, so that later look-ups reach back to it.
   */
  beginAgain(
    request: IntentAttempt & { fence: Fence; deadlineMs: number; settleMs: number },
  ): Promise<{ kind: 'fence-lost' } | { kind: 'begun'; attempt: number } | { kind: 'changed' }>;
  /** Writes the id of a created thing. No fence: that something exists is a fact, whoever leads. Repeatable. */
  record(made: IntentAttempt & { createdId: string }): Promise<RecordOutcome>;
  /** The request ended without a known outcome: the deadline becomes now, if it was later. */
  ended(attempt: IntentAttempt): Promise<void>;
  /** The attempt provably created nothing: the next caller may begin at once. */
  refused(attempt: IntentAttempt): Promise<void>;
  /** Whether an id belongs to an intent or is a noted stray; such ids are never adopted. */
  isTaken(thing: { kind: CreatedKind; createdId: string }): Promise<boolean>;
  /** Notes an id that arrived for an attempt which had been given up, unless an intent holds it by now. */
  noteStray(stray: IntentKey & { createdId: string }): Promise<void>;
  /**
   * Forgets an id that iconik no longer knows (deleted there), so that the next creation with this key is a new one.
   * False when the row no longer holds this id.
   */
  forget(made: IntentKey & { createdId: string }): Promise<boolean>;
}
