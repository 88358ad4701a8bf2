import { type KeyboardEvent, type MouseEvent, useMemo, useState } from 'react';
import type { LogLine } from '../../../agent/contract/index.ts';
import { rowForKey } from '../grid-keys.ts';
import { clickedRow } from '../grid-roles.ts';
import { indexFrom } from './log-buffer.ts';
import { choose, type LineSelection } from './selection-state.ts';

/** What choosing lines needs of the list. */
export interface LineChoiceOptions {
  lines: readonly LogLine[];
  selection: LineSelection | null;
  onSelect: (selection: LineSelection | null) => void;
  onCopy: () => void;
  /** Indices of the first and last line in view. */
  visible: () => { startIndex: number; endIndex: number } | null;
  scrollTo: (index: number) => void;
  scrollToEnd: () => void;
}

const hasMarkedText = () => window.getSelection()?.isCollapsed === false;
const isLineMark = (mark: string | null): mark is string => mark !== null && mark !== '';

/** Lines that are drawn in full, by seq. */
function useUnfolding() {
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(() => new Set());
  const toggle = (seq: number) => {
    setUnfolded((last) => {
      const next = new Set(last);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });
  };
  return { unfolded, toggle };
}

/** Index of the line that has the keyboard; null when there is none (any more). */
function activeOf(lines: readonly LogLine[], selection: LineSelection | null): number | null {
  if (!selection) return null;
  const at = indexFrom(lines, selection.activeSeq);
  return lines[at]?.seq === selection.activeSeq ? at : null;
}

/** The row an arrow or page key leads to; without an active row it starts with what is in view. */
function targetOf(key: string, active: number | null, { lines, visible }: LineChoiceOptions): number | null {
  const view = visible() ?? { startIndex: 0, endIndex: 0 };
  const start = key === 'ArrowUp' || key === 'PageUp' ? view.endIndex + 1 : view.startIndex - 1;
  const pageRows = view.endIndex - view.startIndex;
  return rowForKey(key, { active: active ?? start, count: lines.length, pageRows });
}

/** Ctrl+A and Ctrl+C; false for other keys, and for text the reader marked, which the browser copies itself. */
function isTakenByControl(key: string, { lines, selection, onSelect, onCopy }: LineChoiceOptions): boolean {
  const first = lines[0];
  const last = lines.at(-1);
  if (key === 'a' && first && last) {
    onSelect({ anchorSeq: first.seq, activeSeq: last.seq });
    return true;
  }
  if (key !== 'c' || !selection || hasMarkedText()) return false;
  onCopy();
  return true;
}

/**
 * Choosing and unfolding lines by keyboard and pointer: arrows, Page keys and Home move, Shift extends, Ctrl+A takes all,
 * Ctrl+C copies, Enter or a double click unfolds, Escape lets go, End goes to the end and follows.
 */
export function useLineChoice(options: LineChoiceOptions) {
  const { lines, selection, onSelect, scrollTo, scrollToEnd } = options;
  const { unfolded, toggle } = useUnfolding();
  const activeIndex = useMemo(() => activeOf(lines, selection), [lines, selection]);

  const isTaken = (event: KeyboardEvent): boolean => {
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey) return isTakenByControl(key, options);
    if (key === 'Escape' && selection) onSelect(null);
    else if (key === 'Enter' && selection) toggle(selection.activeSeq);
    else if (key === 'End' && !shiftKey) {
      const last = lines.at(-1);
      if (last) onSelect(choose(selection, last.seq, false));
      scrollToEnd();
    } else {
      const to = targetOf(key, activeIndex, options);
      const line = to === null ? undefined : lines[to];
      if (to === null || !line) return false;
      onSelect(choose(selection, line.seq, shiftKey));
      scrollTo(to);
    }
    return true;
  };

  return {
    unfolded,
    activeIndex,
    onKeyDown: (event: KeyboardEvent) => {
      if (isTaken(event)) event.preventDefault();
    },
    onClick: (event: MouseEvent) => {
      const seq = clickedRow(event.target, 'seq');
      if (!isLineMark(seq) || (hasMarkedText() && !event.shiftKey)) return;
      onSelect(choose(selection, Number(seq), event.shiftKey));
    },
    onDoubleClick: (event: MouseEvent) => {
      const seq = clickedRow(event.target, 'seq');
      if (isLineMark(seq)) toggle(Number(seq));
    },
  };
}
