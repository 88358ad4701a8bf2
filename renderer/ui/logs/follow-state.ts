import { plural } from '../format.ts';

// Whether the log view follows its end. Pure: what the reader does and what arrives go in, what the view has to do comes out.

/** `following`: the last line stays in view. `reading`: the reader went up. `paused`: the reader said so. */
export type FollowState =
  | { kind: 'following' }
  | { kind: 'reading'; arrived: number }
  | { kind: 'paused'; arrived: number };

/** What can happen to the view. */
export type FollowEvent =
  | { kind: 'scrolled'; move: ScrollMove }
  | { kind: 'lines-arrived'; count: number }
  | { kind: 'pause-pressed' }
  | { kind: 'follow-pressed' }
  | { kind: 'restarted' };

/** What a scroll event means: the reader left the end, came to it, or nothing of either. */
export type ScrollMove = 'left-end' | 'reached-end' | 'none';

/** A view begins at its end. */
export const FOLLOWING: FollowState = { kind: 'following' };

/** Closer to the end than this counts as at the end: one row. */
export const END_THRESHOLD_PX = 24;

/**
 * Reads a scroll event. Older pages and rows that grow above the view only ever push it down, and lines that join at the end
 * leave it where it is; so a view that went up and is not at the end was moved by its reader.
 */
export function scrollMove(fromPx: number, toPx: number, distanceFromEndPx: number): ScrollMove {
  if (distanceFromEndPx <= END_THRESHOLD_PX) return toPx >= fromPx ? 'reached-end' : 'none';
  return toPx < fromPx ? 'left-end' : 'none';
}

/**
 * The next state. A pause that was asked for ends only by asking: scrolling to the end does not end it, so that nothing moves
 * away from under a reader who said "pause".
 */
export function nextFollow(state: FollowState, event: FollowEvent): FollowState {
  switch (event.kind) {
    case 'scrolled':
      if (state.kind === 'following') return event.move === 'left-end' ? { kind: 'reading', arrived: 0 } : state;
      return state.kind === 'reading' && event.move === 'reached-end' ? FOLLOWING : state;
    case 'lines-arrived':
      if (state.kind === 'following' || event.count === 0) return state;
      return { ...state, arrived: state.arrived + event.count };
    case 'pause-pressed':
      return { kind: 'paused', arrived: state.kind === 'following' ? 0 : state.arrived };
    case 'follow-pressed':
    case 'restarted':
      return FOLLOWING;
  }
}

/** What the button says: what pressing it does, and what was missed. */
export function followLabel(state: FollowState): string {
  if (state.kind === 'following') return 'Pause following';
  if (state.arrived === 0) return 'Follow newest';
  return `Follow newest · ${plural(state.arrived, 'new line')}`;
}
