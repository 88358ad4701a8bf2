/** The guard looks at the main loop's counter this often. */
export const LOOK_MS = 500;

/**
 * A main loop that has not turned for this long hangs: leases have lapsed long since. Twice what the desktop application
 * grants, as nobody sees the service being replaced.
 */
export const HANG_LIMIT_MS = 30_000;

/** What the guard has seen: the counter, and how many looks in a row have found it there. */
export interface HangLook {
  value: number;
  looks: number;
}

/**
 * The next look. Pure. Looks are counted, not time: of a process that was frozen, or a machine that slept, one look was due,
 * however long it took.
 */
export function nextLook(before: HangLook | null, value: number): HangLook {
  return { value, looks: before?.value === value ? before.looks + 1 : 0 };
}

/** Whether the loop has stood for `limitMs` by these looks. Pure. */
export function hasHung({ looks }: HangLook, limitMs: number): boolean {
  return looks * LOOK_MS >= limitMs;
}
