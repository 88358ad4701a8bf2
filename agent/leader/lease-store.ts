import { systemClock } from '../runtime/clock.ts';
import type { LeaseRow } from './election-state.ts';

/** What a take-over says besides what it saw. */
export interface TakeOverWords {
  /** Highest term this installation ever stored. */
  highestSeen: number;
  why: string;
  /** The ttl of the new holder, whole milliseconds. */
  ttlMs: number;
}

/** The lease as the elector sees it. All calls throw `IsgError` when the database does not answer in time. */
export interface LeaseStore {
  read(): Promise<LeaseRow>;
  /**
   * Compare-and-set on (term, renewals) of `seen`. The new term is one above both the lease's and `highestSeen`; null
   * when somebody else was faster.
   */
  takeOver(seen: LeaseRow, take: TakeOverWords): Promise<number | null>;
  /** Tells the lease's ttl anew. False when the lease is another's, or was released. */
  renew(term: number, ttlMs: number): Promise<boolean>;
  /**
   * Marks the lease released; no effect when it is another's. With a successor every other run lets that one go first for
   * one second (election-state.ts).
   */
  release(term: number, why: string, successorRunId?: string): Promise<void>;
}

/** The run that goes first at the next release, and for how long that holds, milliseconds. */
export interface NamedSuccessor {
  runId: string;
  forMs: number;
}

/** A lease store whose next release may name a successor. */
export interface HandOverStore extends LeaseStore {
  /**
   * The next release names this run, if it comes within `forMs`; null takes it back. Forgotten with each release and each
   * take-over.
   */
  nameSuccessor(named: NamedSuccessor | null): void;
}

/** Lets a planned hand-over name its successor while the elector, which knows of none, performs the release. `nowMs`: monotonic. */
export function createHandOverStore(store: LeaseStore, nowMs = () => systemClock.monotonicMs()): HandOverStore {
  let successor: { runId: string; untilMs: number } | null = null;
  return {
    read: () => store.read(),
    renew: (term, ttlMs) => store.renew(term, ttlMs),
    takeOver: (seen, take) => {
      successor = null;
      return store.takeOver(seen, take);
    },
    release: (term, why, runId) => {
      const named = successor && nowMs() < successor.untilMs ? successor.runId : undefined;
      successor = null;
      return store.release(term, why, runId ?? named);
    },
    nameSuccessor: (named) => {
      successor = named && { runId: named.runId, untilMs: nowMs() + named.forMs };
    },
  };
}
