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
  if (allowance === 'none' || limit <= 0 || (allowance === 'one' && taken.length > 0)) return null;
  if (allowance === 'one')
    return { role, kinds, slots: 1, ...(lane.perProfile ? { takenByProfile: {}, most: 1 } : {}) };
  if (!lane.perProfile) return limit > taken.length ? { role, kinds, slots: limit - taken.length } : null;
  const takenByProfile: Record<string, number> = {};
  for (const profile of taken) takenByProfile[profile] = (takenByProfile[profile] ?? 0) + 1;
  return { role, kinds, slots: limit, takenByProfile };
}

/**
 * What is left to ask for beside demands that are on their way (`taken`); null when nothing is. A lane that
 * counts by profile is asked for by one statement only. Pure.
 */
export function beside(lane: LaneDemand, taken: readonly LaneDemand[]): LaneDemand | null {
  const same = taken.filter(({ role, kinds }) => role === lane.role && kinds.some((kind) => lane.kinds.includes(kind)));
  if (lane.takenByProfile) return same.length > 0 ? null : lane;
  const slots = lane.slots - same.reduce((sum, other) => sum + other.slots, 0);
  return slots > 0 ? { ...lane, slots } : null;
}

/**
 * Which of a role's lanes may ask while the role is tried with one job at a time: none while a job of the role runs, else
 * one after the other, so that work of one kind only is found, too. `turn` counts the looks. Pure.
 */
export function probingLane(lanes: readonly Lane[], running: number, turn: number): Lane | null {
  const open = lanes.filter((lane) => lane.limit() > 0);
  return running > 0 ? null : (open[turn % Math.max(1, open.length)] ?? null);
}
