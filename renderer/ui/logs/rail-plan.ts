import type { LogExtent } from './log-buffer.ts';

// The rail beside the list stands for the whole log, whatever part of it has been read: a scroll bar of the browser could
// not, for no element is as tall as ten million rows. Pure.

/** The smallest thumb a pointer can take hold of. */
export const LEAST_THUMB_PX = 28;

/** Where the thumb is, pixels from the rail's top. */
export interface Thumb {
  topPx: number;
  heightPx: number;
}

/** The thumb for what is in view, between two numbers of the log. A thumb at its least height still reaches both ends. */
export function thumbOf(extent: LogExtent, inView: { firstSeq: number; lastSeq: number }, railPx: number): Thumb {
  const all = Math.max(1, extent.lastSeq - extent.firstSeq + 1);
  const seen = Math.max(1, inView.lastSeq - inView.firstSeq + 1);
  const heightPx = Math.min(railPx, Math.max(LEAST_THUMB_PX, (railPx * seen) / all));
  const above = Math.max(0, inView.firstSeq - extent.firstSeq);
  const below = Math.max(0, extent.lastSeq - inView.lastSeq);
  const share = above + below === 0 ? 1 : above / (above + below);
  return { topPx: share * (railPx - heightPx), heightPx };
}

/** The share of the whole log that a thumb stands for whose top is there. */
export function shareAt(topPx: number, { heightPx }: Thumb, railPx: number): number {
  const room = railPx - heightPx;
  return room <= 0 ? 1 : Math.min(1, Math.max(0, topPx / room));
}
