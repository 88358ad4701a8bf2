import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { OutboxFile } from '../../agent/cache/log/outbox-file.ts';
import { openStorm, watchStorm } from './log-storm.ts';

const SHORT_FIELDS = 8;

/** A history that fills several screens, of rows that are guessed too tall. */
function seedLog(dataDir: string): void {
  const file = new OutboxFile(join(dataDir, 'cache', 'log.db'), 'seed', 512_000_000);
  const fields = Object.fromEntries(Array.from({ length: SHORT_FIELDS }, (_, nth) => [`f${nth}`, `v${nth}`]));
  const records = Array.from({ length: 600 }, (_, nth) => ({
    atMs: Date.now() - 600_000 + nth,
    level: 1,
    message: `An earlier line ${nth} of this node's log`,
    fields: JSON.stringify({ role: 'CHECKSUM', nth, ...fields }),
  }));
  file.append([{ no: 1, records, dropped: [] }]);
  file.close();
}

test('5,000 lines a second are followed with none skipped, also when more come at once than the link holds and main stands still', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-storm-'));
  seedLog(join(dir, 'data'));
  const { desktop, place } = await openStorm(dir);
  try {
    const main = desktop.app.process();
    const seen = await watchStorm(desktop, place.dataDir, {
      storm: { lines: 19_000, perSecond: 5_000, atOnce: 4_000, shortFields: SHORT_FIELDS },
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
