// Which lines of the log are selected: one run between an anchor and the active line, both named by seq so that lines that
// join at either end change nothing. Pure.

/** A run of lines. `activeSeq` is where the keyboard is. */
export interface LineSelection {
  anchorSeq: number;
  activeSeq: number;
}

/** The selection after a line was chosen; `isExtending` keeps the anchor. */
export function choose(selection: LineSelection | null, seq: number, isExtending: boolean): LineSelection {
  return { anchorSeq: isExtending && selection ? selection.anchorSeq : seq, activeSeq: seq };
}

/** Whether the line is selected. */
export function isSelected(selection: LineSelection | null, seq: number): boolean {
  if (!selection) return false;
  const { anchorSeq, activeSeq } = selection;
  return seq >= Math.min(anchorSeq, activeSeq) && seq <= Math.max(anchorSeq, activeSeq);
}

/** The selected ones of the lines, in order. */
export function selectedOf<Line extends { seq: number }>(
  lines: readonly Line[],
  selection: LineSelection | null,
): Line[] {
  return selection ? lines.filter(({ seq }) => isSelected(selection, seq)) : [];
}
