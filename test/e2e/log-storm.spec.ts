import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { OutboxFile } from '../../agent/cache/log/outbox-file.ts';
import { openStorm, watchStorm } from './log-storm.ts';
import { agentPid } from './main-record.ts';

test.describe.configure({ mode: 'serial' });

const SHORT_FIELDS = 8;

let dir: string;
let storm: Awaited<ReturnType<typeof openStorm>>;

test.beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-storm-'));
  seedLog(join(dir, 'data'));
  storm = await openStorm(dir);
});

test.afterAll(async () => {
  await storm.desktop.close();
  rmSync(dir, { recursive: true, force: true });
});

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

/** Rows of the list that do not begin where the one above them ends, with what lies between, and how far the end is. */
function misplaced() {
  const list = document.querySelector('[data-testid="log-list"]');
  const rows = [...(list?.querySelectorAll('[data-testid="log-line"]') ?? [])];
  const boxes = rows.map((row) => ({ seq: row.getAttribute('data-seq'), box: row.getBoundingClientRect() }));
  boxes.sort((one, other) => one.box.top - other.box.top);
  const gaps = boxes.map(({ seq, box }, at) => ({ seq, gapPx: box.top - (boxes[at - 1]?.box.bottom ?? box.top) }));
  const endPx = list ? list.scrollHeight - list.clientHeight - list.scrollTop : Number.NaN;
  return {
    rows: rows.length > 10,
    gaps: gaps.filter(({ gapPx }) => Math.abs(gapPx) > 1),
    isAtEnd: Math.abs(endPx) <= 1,
  };
}

test('the lines of a view that follows lie one below the other, as it opens and at each width of the window', async () => {
  const { app, page } = storm.desktop;
  const right = { rows: true, gaps: [], isAtEnd: true };
  await page.evaluate(() => {
    location.hash = '#/logs?tab=lines';
  });
  await expect.poll(() => page.evaluate(misplaced)).toEqual(right);
  for (const width of [1_400, 1_360, 1_060]) {
    await app.evaluate(({ BrowserWindow }, to) => {
      const [window] = BrowserWindow.getAllWindows();
      window?.setSize(to, window.getSize()[1] ?? 800);
    }, width);
    await expect.poll(() => page.evaluate(() => window.outerWidth)).toBe(width);
    await expect.poll(() => page.evaluate(misplaced), { message: `${width} wide` }).toEqual(right);
  }
  await expect(page.getByTestId('log-list')).toHaveAttribute('data-follow', 'following');
  await page.evaluate(() => {
    location.hash = '#/overview';
  });
});

test('who scrolls up slowly leaves the end, too', async () => {
  const { page } = storm.desktop;
  const list = page.getByTestId('log-list');
  await page.evaluate(() => {
    location.hash = '#/logs?tab=lines';
  });
  await expect.poll(() => page.evaluate(misplaced)).toEqual({ rows: true, gaps: [], isAtEnd: true });
  await expect(list).toHaveAttribute('data-follow', 'following');
  const distancePx = () => list.evaluate((box) => Math.round(box.scrollHeight - box.clientHeight - box.scrollTop));
  await list.hover();
  for (let turn = 1; turn <= 10; turn += 1) {
    await page.mouse.wheel(0, -8);
    await expect.poll(distancePx).toBe(8 * turn);
  }
  await expect(list).toHaveAttribute('data-follow', 'reading');
  await page.evaluate(() => {
    location.hash = '#/overview';
  });
});

test('a short silence of the agent takes nobody who reads away from their place', async () => {
  const { desktop, place } = storm;
  const { page } = desktop;
  const list = page.getByTestId('log-list');
  const state = async () => (await desktop.state()).agent.state;
  await page.evaluate(() => {
    location.hash = '#/logs?tab=lines';
  });
  await expect(list.getByText('The log is open')).toBeVisible();
  await list.evaluate((box) => {
    box.scrollTop = 2_000;
  });
  await expect(list).toHaveAttribute('data-follow', 'reading');
  const agent = agentPid(place.dataDir);
  process.kill(agent, 'SIGSTOP');
  await expect.poll(state).toBe('unresponsive');
  process.kill(agent, 'SIGCONT');
  await expect.poll(state).toBe('running');
  await expect(page.getByTestId('log-view')).toHaveAttribute('data-source', 'agent');
  await expect(list).toHaveAttribute('data-follow', 'reading');
  expect(await list.evaluate((box) => box.scrollTop)).toBeGreaterThan(1_000);
  await page.evaluate(() => {
    location.hash = '#/overview';
  });
});

test('5,000 lines a second are followed with none skipped, also when more come at once than the link holds and main stands still', async () => {
  const { desktop, place } = storm;
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
});
