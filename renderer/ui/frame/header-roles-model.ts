import type { ChipState } from '../RoleChips.tsx';

/** The roles of this node in one short phrase, where there is no room for their chips. */
export interface RolesSummary {
  /** `4 roles`, `3 of 4 roles`. */
  words: string;
  /** The same said in full, for those who hear it. */
  spoken: string;
  /** Whether one of them is not worked on, or not known to be. */
  isHollow: boolean;
}

const roles = (count: number): string => `${count} ${count === 1 ? 'role' : 'roles'}`;

/** Counts the roles that are worked on; null where the node holds none. Pure. */
export function rolesSummary(held: readonly { state: ChipState }[]): RolesSummary | null {
  if (held.length === 0) return null;
  const all = roles(held.length);
  if (held.some(({ state }) => state === 'unknown'))
    return { words: all, spoken: `${all}, not known now`, isHollow: true };
  const working = held.filter(({ state }) => state === 'working').length;
  return working === held.length
    ? { words: all, spoken: `${all}, working`, isHollow: false }
    : { words: `${working} of ${all}`, spoken: `${working} of ${all} working`, isHollow: true };
}
