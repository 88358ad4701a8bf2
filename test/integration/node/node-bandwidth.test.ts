import { describe, expect, it } from 'vitest';
import { nodeBandwidth } from '../../../agent/node-bandwidth.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';

describe('the bandwidth of a node', () => {
  it('is what the configuration says at each moment', async () => {
    const config = { transferMegabitsPerSecond: undefined as number | undefined, transferSchedule: [] };
    const bandwidth = nodeBandwidth(config, { clock: systemClock });
    const heard: boolean[] = [];
    const unsubscribe = bandwidth.subscribe((isLimited) => heard.push(isLimited));
    try {
      expect(bandwidth.isLimited()).toBe(false);
      config.transferMegabitsPerSecond = 1;
      await expect.poll(() => heard, { timeout: 20_000 }).toEqual([true]);
      expect(await bandwidth.take(1_000_000, AbortSignal.timeout(20_000))).toBe(8192);
      config.transferMegabitsPerSecond = undefined;
      await expect.poll(() => heard, { timeout: 20_000 }).toEqual([true, false]);
    } finally {
      unsubscribe();
    }
  });
});
