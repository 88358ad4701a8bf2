import { describe, expect, test } from 'vitest';
import {
  FOLLOWING,
  type FollowState,
  followLabel,
  nextFollow,
  scrollMove,
} from '../../../../renderer/ui/logs/follow-state.ts';

const scrolled = (state: FollowState, move: 'left-end' | 'reached-end' | 'none') =>
  nextFollow(state, { kind: 'scrolled', move });
const arrived = (state: FollowState, count: number) => nextFollow(state, { kind: 'lines-arrived', count });

describe('what a scroll event means', () => {
  test('up and away from the end: the reader left', () => expect(scrollMove(1000, 900, 100)).toBe('left-end'));
  test('down to the end: the reader came back', () => expect(scrollMove(900, 1000, 0)).toBe('reached-end'));
  test('older pages above push the view down: nothing', () => expect(scrollMove(1000, 13_000, 500)).toBe('none'));
  test('rows that join below leave the view where it is: nothing', () =>
    expect(scrollMove(1000, 1000, 240)).toBe('none'));
  test('rows that shrink at the end draw the view up with them: nothing', () =>
    expect(scrollMove(1000, 980, 0)).toBe('none'));
});

test('following goes on while lines arrive', () => {
  expect(arrived(FOLLOWING, 40)).toBe(FOLLOWING);
});

test('a reader of history is told how many lines arrived meanwhile, and follows again at the end', () => {
  const reading = arrived(arrived(scrolled(FOLLOWING, 'left-end'), 3), 9);
  expect(reading).toEqual({ kind: 'reading', arrived: 12 });
  expect(followLabel(reading)).toBe('Follow newest · 12 new lines');
  expect(scrolled(reading, 'reached-end')).toBe(FOLLOWING);
});

test('further scrolling up does not forget what arrived', () => {
  const reading = arrived(scrolled(FOLLOWING, 'left-end'), 3);
  expect(scrolled(reading, 'left-end')).toBe(reading);
});

test('a pause that was asked for ends only by asking', () => {
  const paused = arrived(nextFollow(FOLLOWING, { kind: 'pause-pressed' }), 1);
  expect(scrolled(paused, 'reached-end')).toBe(paused);
  expect(followLabel(paused)).toBe('Follow newest · 1 new line');
  expect(nextFollow(paused, { kind: 'follow-pressed' })).toBe(FOLLOWING);
});

test('pausing while reading keeps the count, and a new view begins at its end', () => {
  expect(nextFollow({ kind: 'reading', arrived: 5 }, { kind: 'pause-pressed' })).toEqual({
    kind: 'paused',
    arrived: 5,
  });
  expect(nextFollow({ kind: 'paused', arrived: 5 }, { kind: 'restarted' })).toBe(FOLLOWING);
  expect([followLabel(FOLLOWING), followLabel({ kind: 'paused', arrived: 0 })]).toEqual([
    'Pause following',
    'Follow newest',
  ]);
});
