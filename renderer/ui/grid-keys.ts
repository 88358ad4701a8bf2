// Which row the keyboard goes to. Pure.

/** Where the keyboard is. */
export interface GridPosition {
  /** Active row; null = none yet. */
  active: number | null;
  /** Rows there are. */
  count: number;
  /** Rows that fit the view, for Page Up and Page Down. */
  pageRows: number;
}

/** The row a key leads to; null when the key means nothing here. */
export function rowForKey(key: string, { active, count, pageRows }: GridPosition): number | null {
  if (count === 0) return null;
  const page = Math.max(1, pageRows - 1);
  const from = active ?? -1;
  const moves: Record<string, number> = {
    ArrowDown: from + 1,
    ArrowUp: active === null ? count - 1 : from - 1,
    PageDown: Math.max(from, 0) + page,
    PageUp: from - page,
    Home: 0,
    End: count - 1,
  };
  const to = moves[key];
  return to === undefined ? null : Math.min(count - 1, Math.max(0, to));
}
