import { describe, expect, it } from 'vitest';
import { withStallWatch } from '../../../agent/iconik/object-upload/stall-watch.ts';
import type { Clock } from '../../../agent/runtime/clock.ts';

/** A clock that moves only when told. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #sleepers: { atMs: number; wake: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#sleepers.push({ atMs: this.#nowMs + ms, wake: resolve }));
  }

  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers.filter((one) => one.atMs <= this.#nowMs)) sleeper.wake();
    await Promise.resolve();
    await Promise.resolve();
  }
}

const never = new AbortController().signal;

describe('the watch over a send', () => {
  it('gives up a send that moves nothing, even one that does not heed its signal', async () => {
    const clock = new HandClock();
    const run = withStallWatch(
      { clock, stallMs: 1_000, signal: never, what: 'send' },
      () => new Promise<void>(() => undefined),
    );
    const outcome = expect(run).rejects.toMatchObject({ code: 'upload-refused', retry: 'transient' });
    await clock.advance(1_000);
    await outcome;
  });

  it('lets a slow send live as long as bytes move', async () => {
    const clock = new HandClock();
    const { promise, resolve } = Promise.withResolvers<string>();
    let tell = () => {};
    const run = withStallWatch({ clock, stallMs: 1_000, signal: never, what: 'send' }, (_signal, alive) => {
      tell = alive;
      return promise;
    });
    for (let step = 0; step < 5; step += 1) {
      await clock.advance(900);
      tell();
    }
    resolve('sent');
    expect(await run).toBe('sent');
  });

  it('passes on why its caller stopped', async () => {
    const stop = new AbortController();
    const run = withStallWatch(
      { clock: new HandClock(), stallMs: 1_000, signal: stop.signal, what: 'send' },
      () => new Promise<void>(() => undefined),
    );
    stop.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
  });
});
