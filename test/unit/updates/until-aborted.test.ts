import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilAborted, withinLimit } from '../../../main/updates/until-aborted.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<never>(() => {});

describe('what is waited for', () => {
  it('fails at its limit, also when what was to end it does nothing', async () => {
    let ended = 0;
    const limit = { limitMs: 60_000, words: 'no answer', onLimit: () => (ended += 1) };
    const waited = expect(withinLimit(never, limit)).rejects.toThrow('no answer');
    await vi.advanceTimersByTimeAsync(59_999);
    expect(ended).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    await waited;
    expect(ended).toBe(1);
  });

  it('is what it comes to before its limit, and leaves no timer', async () => {
    const limit = { limitMs: 60_000, words: 'no answer', onLimit: () => {} };
    expect(await withinLimit(Promise.resolve(7), limit)).toBe(7);
    await expect(withinLimit(Promise.reject(new Error('refused')), limit)).rejects.toThrow('refused');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends when it is aborted, be it before it began', async () => {
    const attempt = new AbortController();
    const waited = expect(untilAborted(never, attempt.signal)).rejects.toThrow('quit');
    attempt.abort(new Error('quit'));
    await waited;
    await expect(untilAborted(Promise.resolve(7), attempt.signal)).rejects.toThrow('quit');
  });
});
