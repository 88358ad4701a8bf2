import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { openStorm, watchStorm } from './log-storm.ts';

test('5,000 lines a second are followed with none skipped, also when more come at once than the link holds and main stands still', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-storm-'));
  const { desktop, place } = await openStorm(dir);
  try {
    const main = desktop.app.process();
    const seen = await watchStorm(desktop, place.dataDir, {
      storm: { lines: 19_000, perSecond: 5_000, atOnce: 4_000 },
      meanwhile: async () => {
        main.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        main.kill('SIGCONT');
      },
    });
    expect(seen.held).toEqual(Array.from({ length: 19_000 }, (_, nth) => nth));
    expect(seen.framesNotFollowing).toBe(0);
    expect(seen.shownLast).toContain('Storm line 18999 ');
  } finally {
    await desktop.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
