import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXIT } from '../../agent/contract/index.ts';
import type { StopCause } from '../../agent/link/parent-link.ts';
import { listenForStop, STOP_LIMIT_MS } from '../../agent/stop-order.ts';

/** A process whose signals and whose parent's orders the test sends. */
function scene() {
  const exits: number[] = [];
  let onSignal: (name: string) => void = () => {};
  let onStop: (cause: StopCause) => void = () => {};
  const link = {
    onStop: (listener: typeof onStop) => {
      onStop = listener;
    },
  };
  const order = listenForStop(link, {
    on: (_, listener) => {
      onSignal = listener;
    },
    exit: (code) => void exits.push(code),
  });
  return { order, exits, signal: () => onSignal('SIGTERM'), ask: (cause: StopCause) => onStop(cause) };
}

describe('an order to stop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('of the parent is not cut short by the SIGTERM that asks for the same, but by the next one', () => {
    const { order, exits, signal, ask } = scene();
    ask('asked');
    signal();
    expect(order.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
    signal();
    expect(exits).toEqual([EXIT.stopped]);
  });

  it('by a signal ends at once with the second signal', () => {
    const { order, exits, signal } = scene();
    signal();
    expect(order.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
    signal();
    expect(exits).toEqual([EXIT.stopped]);
  });

  it('ends by itself at its limit, also when a signal came in between', () => {
    const { exits, signal, ask } = scene();
    ask('asked');
    vi.advanceTimersByTime(STOP_LIMIT_MS - 1);
    signal();
    expect(exits).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(exits).toEqual([EXIT.stopped]);
  });

  it('of a parent that is gone ends with the next signal', () => {
    const { exits, signal, ask } = scene();
    ask('lost');
    signal();
    expect(exits).toEqual([EXIT.parentLost]);
  });
});
