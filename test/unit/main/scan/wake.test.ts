import { describe, expect, it } from 'vitest';
import { createWake } from '../../../../agent/roles/main/scan/wake.ts';

/** A clock whose pauses end only by their signal. */
const endless = {
  sleep: (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    }),
};
const never = new AbortController().signal;

describe('Wake', () => {
  it('a hint ends the pause', async () => {
    const wake = createWake(endless);
    const pause = wake.wait(1000, never);
    wake.now();
    await expect(pause).resolves.toBeUndefined();
  });

  it('a hint that comes while nobody waits is not lost', async () => {
    const wake = createWake(endless);
    wake.now();
    await expect(wake.wait(1000, never)).resolves.toBeUndefined();
  });

  it('the end of the leadership ends the pause without an error', async () => {
    const end = new AbortController();
    const pause = createWake(endless).wait(1000, end.signal);
    end.abort(new Error('over'));
    await expect(pause).resolves.toBeUndefined();
  });
});
