import { z } from 'zod';
import type { LeaseStore } from '../../../agent/leader/lease-store.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { createRecordedLeaseStore } from '../../../agent/leader/recorded-lease-store.ts';
import type { Rule } from './check.ts';
import type { FaultName } from './sim-faults.ts';
import type { Alternatives, LeaseSurroundings } from './sim-node.ts';

/**
 * Wrong ways to do what the product does, each made from outside by another store, another statement or another reducer.
 * The checker must tell each from the product; if it cannot, it proves nothing about the product either.
 */
export interface SimMutant {
  name: string;
  /** The promise it breaks. */
  breaks: Rule;
  fault: FaultName;
  alternatives?: Alternatives;
  /** Rewrites statements on their way to the database. */
  rewrite?: (text: string) => string;
  /** Which wrong reducer takes the place of the election's. */
  reducer?: 'trust from the answer' | 'release first' | 'count from the start';
  lastsMs?: number;
}

/** The fence as leader writes begin with it. */
export const FENCE =
  /SELECT 1( AS held)? FROM leader_term WHERE term = \$1(::bigint)? AND run_id = \$2(::uuid)? FOR SHARE/;

/** Makes a rewriting that says when the statement it is meant for has changed: a mutant that is none would pass for caught. */
export function replacing(pattern: RegExp, by: string): { rewrite: (text: string) => string; isUsed: () => boolean } {
  let isUsed = false;
  return {
    rewrite: (text) => {
      // A function, because `$1` in a replacing text would mean a group of the pattern.
      const changed = text.replace(pattern, () => by);
      isUsed ||= changed !== text;
      return changed;
    },
    isUsed: () => isUsed,
  };
}

const anyRow = z.object({ expired: z.boolean() });

/** Believes the wall clock of this node and the expiry that the holder's wall clock wrote. */
function expiryByWallClock(store: LeaseStore, { database, wallMs }: LeaseSurroundings): LeaseStore {
  return {
    ...store,
    read: async () => {
      const lease = await store.read();
      const text = 'SELECT coalesce(expires_at < to_timestamp($1), false) AS expired FROM leader_lease';
      const [found] = await database.query(text, [wallMs() / 1_000], anyRow);
      return { ...lease, released: lease.released || found?.expired === true };
    },
    renew: async (term, ttlMs) => {
      const isOurs = await store.renew(term, ttlMs);
      const text = 'UPDATE leader_lease SET expires_at = to_timestamp($1) WHERE term = $2';
      if (isOurs) await database.execute(text, [(wallMs() + ttlMs) / 1_000, term]);
      return isOurs;
    },
  };
}

/** Reads, decides, and then writes whatever the row says by then. */
function readThenWrite(store: LeaseStore, { database, runId }: LeaseSurroundings): LeaseStore {
  return {
    ...store,
    takeOver: async (seen) => {
      const now = await store.read();
      if (now.term !== seen.term || now.renewals !== seen.renewals) return null;
      const term = now.term + 1;
      await database.transaction(async (sql) => {
        const lease = 'UPDATE leader_lease SET term = $1, renewals = 0, released = false, run_id = $2';
        await sql.execute(lease, [term, runId]);
        await sql.execute('UPDATE leader_term SET term = $1, run_id = $2', [term, runId]);
      });
      return term;
    },
  };
}

/** Renews by itself from the take-over on, whatever becomes of the loop that leads. */
function renewalOutlivingItsLoop(store: LeaseStore, around: LeaseSurroundings): LeaseStore {
  const { time, real, history, runId } = around;
  const direct = createRecordedLeaseStore(
    createPgLeaseStore(real, { runId, workerId: runId, name: 'thread' }),
    history,
  );
  const renewFrom = (term: number): void => {
    time.at(time.nowMs + 750, async () => {
      if (await direct.renew(term, 3_000)) renewFrom(term);
    });
  };
  return {
    ...store,
    takeOver: async (seen, take) => {
      const term = await store.takeOver(seen, take);
      if (term !== null) renewFrom(term);
      return term;
    },
  };
}

/** Mutants that the simulation catches. */
export const SIM_MUTANTS: readonly SimMutant[] = [
  {
    name: 'leader writes are not fenced',
    breaks: 'no write of an old term',
    fault: 'late statements',
    rewrite: (text) => text.replace(FENCE, () => 'SELECT 1 AS held WHERE $1::bigint > 0 AND $2::uuid IS NOT NULL'),
  },
  {
    name: 'the lease expires by the wall clock',
    breaks: 'no overlapping trust windows',
    fault: 'wall clocks',
    alternatives: { lease: expiryByWallClock },
  },
  {
    name: 'trust is counted from the answer of a renewal',
    breaks: 'no effect outside a trust window',
    fault: 'slow answers',
    reducer: 'trust from the answer',
  },
  {
    name: 'a release sets the term back',
    breaks: 'terms only grow',
    fault: 'hand-over',
    rewrite: (text) => text.replace('SET released = true', 'SET term = 0, released = true'),
  },
  {
    name: 'the lease is read outside the statement that takes it',
    breaks: 'terms only grow',
    fault: 'hand-over',
    alternatives: { lease: readThenWrite },
  },
  {
    name: 'the lease is released before the work has settled',
    breaks: 'release only after work has settled',
    fault: 'hand-over',
    reducer: 'release first',
  },
  {
    name: 'a candidate counts from the start of its first read',
    breaks: 'no overlapping trust windows',
    fault: 'slow look',
    reducer: 'count from the start',
  },
  {
    name: 'the renewal outlives the loop that leads',
    breaks: 'renewal only while the main loop lives',
    fault: 'standstill',
    alternatives: { lease: renewalOutlivingItsLoop },
    lastsMs: 20_000,
  },
];
