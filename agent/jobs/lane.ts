import type { ClaimReach, LaneDemand, Role } from '../contract/index.ts';

/** Kinds of work that share one limit (uploads and downloads are counted apart). */
export interface Lane {
  role: Role;
  kinds: readonly string[];
  /** Slots of this lane now; read at every claim, so that a changed setting applies at once. */
  limit: () => number;
  /** Every transcoder profile has `limit` slots of its own. */
  perProfile?: boolean;
}

/** What the node can work on at this instant. */
export interface Reach extends ClaimReach {
  /** Roles it holds and whose health needs are met. */
  roles: ReadonlySet<Role>;
}

/** How much of a role may be taken: `one` at a time while it is tried whether the node can do it again. */
export type Allowance = 'all' | 'one' | 'none';

/**
 * What a lane asks of the queue; null when it wants nothing. `taken` are the profiles of the jobs it runs, one entry each.
 * A limit below the number of running jobs asks for nothing until enough of them have ended. Pure.
 */
export function laneDemand(lane: Lane, taken: readonly string[], allowance: Allowance): LaneDemand | null {
  const { role, kinds } = lane;
  const limit = lane.limit();
  if (allowance === 'none' || (allowance === 'one' && taken.length > 0)) return null;
  if (allowance === 'one') return { role, kinds, slots: 1, ...(lane.perProfile ? { takenByProfile: {} } : {}) };
  if (!lane.perProfile) return limit > taken.length ? { role, kinds, slots: limit - taken.length } : null;
  const takenByProfile: Record<string, number> = {};
  for (const profile of taken) takenByProfile[profile] = (takenByProfile[profile] ?? 0) + 1;
  return limit > 0 ? { role, kinds, slots: limit, takenByProfile } : null;
}
