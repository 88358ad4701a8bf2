import { type ReactNode, type RefObject, useCallback, useEffect, useId, useLayoutEffect, useRef } from 'react';
import type { LogLine } from '../../../agent/contract/index.ts';
import { GRID, GRID_ROWS } from '../grid-roles.ts';
import { LogRail } from './LogRail.tsx';
import { LogRow, logRowId } from './LogRow.tsx';
import { indexFrom } from './log-buffer.ts';
import type { LogReader, LogReaderState } from './log-reader.ts';
import { dayOf, guessedHeight } from './log-text.ts';
import { isSelected, type LineSelection } from './selection-state.ts';
import { useEndAnchoredList } from './use-end-anchored-list.ts';
import { useLineChoice } from './use-line-choice.ts';
import './logs.css';

/** Width of a character of the rows' font, and of what stands beside the message; logs.css says the same. */
const CHAR_PX = 7.5;
const BESIDE_PX = 196;
const LINE_PX = 19;
const PADDING_PX = 5;
/** Rows shown of a long record until it is unfolded; logs.css says the same. */
const CLAMPED_ROWS = 3;
/** Older lines are read when the view is nearer than this to the first line: about two screens. */
const READ_AHEAD_PX = 1_200;

/** What the list needs of its view. */
export interface LogListProps {
  reader: LogReader;
  state: LogReaderState;
  label: string;
  selection: LineSelection | null;
  onSelect: (selection: LineSelection | null) => void;
  onCopy: () => void;
  /** Gives the view a way to go to the end. */
  endRef: { current: () => void };
  placeholder: ReactNode;
}

function useRows({ reader, state }: LogListProps) {
  const { lines } = state.buffer;
  const keyAt = useCallback((index: number) => lines[index]?.seq ?? -1, [lines]);
  const guessHeight = (index: number, widthPx: number) => {
    const line = lines[index];
    if (!line) return LINE_PX + PADDING_PX;
    const columns = Math.floor((widthPx - BESIDE_PX) / CHAR_PX);
    const tall = guessedHeight(line, { columns, lineHeightPx: LINE_PX, paddingPx: PADDING_PX });
    return Math.min(tall, CLAMPED_ROWS * LINE_PX + PADDING_PX);
  };
  const list = useEndAnchoredList({
    count: lines.length,
    keyAt,
    guessHeight,
    isFollowing: state.follow.kind === 'following',
    onMove: (move) => reader.dispatch({ kind: 'scrolled', move }),
  });
  return { lines, ...list };
}

/**
 * Reads older pages while the view is near its top and newer ones while it is near its end, as the element itself says: the
 * virtualizer hears of scrolling later.
 */
function useMorePages({ reader, state }: LogListProps, scroller: RefObject<HTMLDivElement | null>): void {
  const { buffer, isLoaded, isReadingOlder, failure } = state;
  useEffect(() => {
    const box = scroller.current;
    if (!box || !isLoaded || failure !== null) return;
    if (box.scrollTop < READ_AHEAD_PX && buffer.older !== null && !isReadingOlder) reader.older();
    const belowPx = box.scrollHeight - box.clientHeight - box.scrollTop;
    if (belowPx < READ_AHEAD_PX && buffer.newerSeq !== null) reader.newer();
  });
}

/** Brings the line that the view was opened at into its middle, once. */
function useFocus({ state }: LogListProps, scrollTo: (index: number, align: 'center' | 'end' | 'start') => void): void {
  const { focus, buffer } = state;
  const done = useRef(0);
  useLayoutEffect(() => {
    if (!focus || done.current === focus.nonce) return;
    done.current = focus.nonce;
    const index = Math.min(buffer.lines.length - 1, indexFrom(buffer.lines, focus.seq));
    if (index >= 0) scrollTo(index, 'center');
  });
}

/** What is in view, for the rail. */
function inViewOf(lines: readonly LogLine[], range: { startIndex: number; endIndex: number } | null) {
  const first = lines[range?.startIndex ?? 0];
  const last = lines[Math.min(lines.length - 1, range?.endIndex ?? 0)];
  return first && last ? { firstSeq: first.seq, lastSeq: last.seq, atMs: first.atMs } : null;
}

/** The day of the first line in view, when it is not today: rows say only the time. */
function DayInView({ line }: { line: LogLine | undefined }) {
  const day = line === undefined ? null : dayOf(line.atMs);
  return day === null || day === dayOf(Date.now()) ? null : <div className="isg-log-day">{day}</div>;
}

/**
 * The virtual, end-anchored list of log lines: a grid whose rows are reached by the arrow keys (use-line-choice.ts). It has
 * the grid's role only while it has rows.
 */
export function LogList(props: LogListProps) {
  const { reader, state, label, selection, onSelect, onCopy, endRef, placeholder } = props;
  const prefix = useId();
  const { lines, scroller, virtualizer, onScroll } = useRows(props);
  useMorePages(props, scroller);
  useFocus(props, (index, align) => virtualizer.scrollToIndex(index, { align }));
  const { extent } = state.buffer;
  const inView = inViewOf(lines, virtualizer.range);
  endRef.current = () => {
    reader.dispatch({ kind: 'follow-pressed' });
    virtualizer.scrollToEnd();
  };
  const { unfolded, activeIndex, ...handlers } = useLineChoice({
    lines,
    selection,
    onSelect,
    onCopy,
    visible: () => virtualizer.range,
    scrollTo: (index) => virtualizer.scrollToIndex(index, { align: 'auto' }),
    scrollToEnd: () => endRef.current(),
  });
  const isEmpty = lines.length === 0;
  const grid = {
    ...GRID,
    'aria-label': label,
    'aria-multiselectable': true,
    'aria-rowcount': state.buffer.isWhole ? lines.length : -1,
    'aria-colcount': 3,
    'aria-activedescendant': activeIndex !== null && selection ? logRowId(prefix, selection.activeSeq) : undefined,
  };
  return (
    <>
      <div
        ref={scroller}
        id={`${prefix}-list`}
        className={state.source === 'agent' ? 'isg-log-grid isg-log-railed' : 'isg-log-grid'}
        {...(isEmpty ? {} : grid)}
        data-testid="log-list"
        data-line-count={lines.length}
        data-follow={state.follow.kind}
        onScroll={onScroll}
        {...handlers}
      >
        <div {...(isEmpty ? {} : GRID_ROWS)} className="isg-log-sizer" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map(({ index, start }) => {
            const line = lines[index];
            if (!line) return null;
            return (
              <LogRow
                key={line.seq}
                line={line}
                id={logRowId(prefix, line.seq)}
                index={index}
                topPx={start}
                isSelected={isSelected(selection, line.seq)}
                isActive={selection?.activeSeq === line.seq}
                isUnfolded={unfolded.has(line.seq)}
                measure={virtualizer.measureElement}
              />
            );
          })}
        </div>
      </div>
      {extent && inView ? (
        <LogRail
          extent={extent}
          inView={inView}
          controls={`${prefix}-list`}
          label={label}
          onJump={(share) => reader.jump({ kind: 'share', share })}
        />
      ) : null}
      <DayInView line={lines[virtualizer.range?.startIndex ?? 0]} />
      {isEmpty ? <div className="isg-log-placeholder">{placeholder}</div> : null}
    </>
  );
}
