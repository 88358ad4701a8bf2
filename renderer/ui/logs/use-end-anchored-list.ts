import { elementScroll, useVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useLayoutEffect, useRef } from 'react';
import { END_THRESHOLD_PX, type ScrollMove, scrollMove } from './follow-state.ts';

/** Until the element has been looked at. */
const USUAL_WIDTH_PX = 900;

/** What the list needs to know. */
export interface EndAnchoredListOptions {
  count: number;
  /** A row's own number: the same for the same row, whatever joins before or after it. Must change only with the rows. */
  keyAt: (index: number) => number;
  /** Guessed height of a row that has not been measured, when the list is so wide. */
  guessHeight: (index: number, widthPx: number) => number;
  /** Whether the end is to stay in view. */
  isFollowing: boolean;
  /** Told when the reader left the end or came to it. */
  onMove: (move: ScrollMove) => void;
}

/**
 * A virtual list anchored at its end. It holds four claims: rows that join above keep the view still; rows that join below do
 * not pull down a reader of history; they do keep the end in view while following; and a last row that grows stays in view.
 * The first and the last are the virtualizer's (`anchorTo: 'end'`, measured rows); the others follow from `isFollowing`.
 */
export function useEndAnchoredList({ count, keyAt, guessHeight, isFollowing, onMove }: EndAnchoredListOptions) {
  const scroller = useRef<HTMLDivElement>(null);
  const widthPx = useRef(USUAL_WIDTH_PX);
  /** Where the view was when it was last looked at, or where a write of our own left it: what differs from it, the reader did. */
  const lastTop = useRef(0);
  const virtualizer = useVirtualizer<HTMLDivElement, HTMLElement>({
    count,
    getScrollElement: () => scroller.current,
    scrollToFn: (offset, options, instance) => {
      elementScroll(offset, options, instance);
      lastTop.current = scroller.current?.scrollTop ?? 0;
    },
    estimateSize: (index) => guessHeight(index, widthPx.current),
    getItemKey: keyAt,
    anchorTo: 'end',
    followOnAppend: isFollowing,
    scrollEndThreshold: END_THRESHOLD_PX,
    overscan: 16,
  });

  const newest = useRef({ isFollowing, onMove, keyAt });
  newest.current = { isFollowing, onMove, keyAt };
  /** The rows (by their `keyAt`) at whose end the reader has begun to move up, less far than counts as leaving it. */
  const nudgedAt = useRef<unknown>(null);
  // The distance is the layout's: while rows are being measured the element still has the height that was guessed.
  const look = useCallback((): ScrollMove => {
    const element = scroller.current;
    if (!element) return 'none';
    const { scrollTop, clientHeight } = element;
    const distancePx = virtualizer.getTotalSize() - clientHeight - scrollTop;
    const move = scrollMove(lastTop.current, scrollTop, distancePx);
    if (distancePx <= 1) nudgedAt.current = null;
    else if (scrollTop < lastTop.current) nudgedAt.current = newest.current.keyAt;
    lastTop.current = scrollTop;
    if (move !== 'none') newest.current.onMove(move);
    return move;
  }, [virtualizer]);

  // While following, whatever changed the layout (rows, their heights, the window), the end is where the view belongs;
  // unless the reader has moved it and the event that says so is still on its way, or moves it slowly and no line has come.
  useLayoutEffect(() => {
    if (!isFollowing || count === 0 || look() === 'left-end' || nudgedAt.current === keyAt) return;
    if (!virtualizer.isAtEnd(1)) virtualizer.scrollToEnd();
  });

  useWidthChange(scroller, (width) => {
    widthPx.current = width;
    const top = scroller.current?.scrollTop ?? 0;
    const first = virtualizer.getVirtualItemForOffset(top);
    virtualizer.measure();
    // lays the rows out anew at once: drawn rows, which are measured next, are compared with that and not with the old heights
    virtualizer.getTotalSize();
    if (newest.current.isFollowing) return virtualizer.scrollToEnd();
    const now = first ? virtualizer.measurementsCache[first.index] : undefined;
    if (first && now) virtualizer.scrollToOffset(now.start + (top - first.start));
  });

  return { scroller, virtualizer, onScroll: look };
}

/** Calls back with the element's inner width, at first and whenever it has changed: rows wrap anew then. */
function useWidthChange(element: RefObject<HTMLDivElement | null>, onChange: (widthPx: number) => void): void {
  const newest = useRef(onChange);
  newest.current = onChange;
  useLayoutEffect(() => {
    const watched = element.current;
    if (!watched) return;
    let last = 0;
    const look = () => {
      if (watched.clientWidth === last) return;
      last = watched.clientWidth;
      newest.current(last);
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(watched);
    return () => observer.disconnect();
  }, [element]);
}
