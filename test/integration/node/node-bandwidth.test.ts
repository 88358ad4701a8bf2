import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeBandwidth } from '../../../agent/node-bandwidth.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-bandwidth-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the bandwidth of a node', () => {
  it('follows config.ini while it runs, and keeps what holds while the file is wrong or away', async () => {
    const configPath = join(folder, 'config.ini');
    const write = (lines: string) => writeFile(configPath, `[main]\napp-id = a\n${lines}\n`);
    await write('');
    const none = { transferMegabitsPerSecond: undefined, transferSchedule: [] };
    const bandwidth = nodeBandwidth({ configPath, ...none }, { clock: systemClock, readEveryMs: 0 });
    const heard: boolean[] = [];
    const unsubscribe = bandwidth.subscribe((isLimited) => heard.push(isLimited));
    try {
      expect(bandwidth.isLimited()).toBe(false);
      await write('transfer-max-megabits-per-second = 1');
      await expect.poll(() => heard, { timeout: 20_000 }).toEqual([true]);
      const signal = AbortSignal.timeout(20_000);
      expect(await bandwidth.take(1_000_000, signal)).toBe(8192);
      await write('transfer-max-megabits-per-second = fast');
      const whileWrong = await bandwidth.take(1_000_000, signal);
      await rm(configPath);
      expect([whileWrong, await bandwidth.take(1_000_000, signal)]).toEqual([8192, 8192]);
      await write('transfer-max-megabits-per-second = 1\ntransfer-bandwidth-schedule = unlimited');
      await expect.poll(() => heard, { timeout: 20_000 }).toEqual([true, false]);
    } finally {
      unsubscribe();
    }
  });
});
