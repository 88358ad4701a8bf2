import { expect, type Locator, type Page, test } from '@playwright/test';
import { z } from 'zod';
import { makeAudio, makeOddFiles } from '../demo/clips.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { countRows, openScreen, tabTo, untilQuiet } from './screens.ts';

const MANY = 100_000;
let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  // Nobody has TRANSFER, so that uploads stay queued.
  all = await openCluster({
    nodes: [{ name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE'] }],
    beforeStart: async ({ mediaDir }) => {
      await Promise.all([makeAudio(mediaDir), makeOddFiles(mediaDir)]);
    },
  });
  await untilQuiet(all.cluster, 3);
  await all.cluster.database.execute(
    `INSERT INTO job (role, kind, storage_id, payload, dedupe_key)
     SELECT 'TRANSFER', 'upload', $1, jsonb_build_object('path', 'masters/Reel ' || n || '.mov'), 'upload ' || n
     FROM generate_series(1, 3) n`,
    [all.cluster.storageId],
  );
  await openScreen(all.desktop.page, 'jobs');
});
test.afterAll(() => all?.close());

const total = (page: Page): Locator => page.getByTestId('job-count');
const rows = (page: Page): Locator => page.getByTestId('job-row');
const chip = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });
const jobOf = async (path: string, kind: string) => {
  const job = z.object({ state: z.string(), priority: z.number(), finished: z.number().nullable() });
  const text = `SELECT state, priority, extract(epoch FROM finished_at)::float8 AS finished FROM job
    WHERE payload ->> 'path' = $1 AND kind = $2`;
  return (await all.cluster.database.query(text, [path, kind], job))[0];
};

test('jobs are narrowed by role, state and text, and their number is that of the database', async () => {
  const { page } = all.desktop;
  const { database } = all.cluster;
  await expect(total(page)).toHaveText(`${await countRows(database, 'SELECT count(*) FROM job')} jobs`);
  await chip(page, 'CHECKSUM').click();
  const checksums = await countRows(database, `SELECT count(*) FROM job WHERE role = 'CHECKSUM'`);
  await expect(total(page)).toHaveText(`${checksums} jobs`);
  await expect(rows(page)).toHaveCount(checksums);
  await expect(rows(page).filter({ hasNotText: 'Checksum' })).toHaveCount(0);
  await chip(page, 'Queued').click();
  await expect(page.getByText('No job matches these filters')).toBeVisible();
  await page.getByRole('search', { name: 'Filter jobs' }).getByRole('button', { name: 'Clear filters' }).click();
  await page.getByRole('searchbox', { name: 'Search jobs by file' }).fill('reel 2');
  await expect(total(page)).toHaveText('1 job');
  await expect(rows(page)).toContainText('Reel 2.mov');
  await page.getByRole('button', { name: 'Clear search' }).click();
});

test('a failed job says its error in words, and retry runs it again', async () => {
  const { page } = all.desktop;
  await chip(page, 'Failed').click();
  await expect(rows(page)).toHaveCount(1);
  // The list before may have had one row, too.
  await expect(rows(page)).toContainText('Truncated.mp4');
  await rows(page).click();
  const panel = page.getByTestId('job-panel');
  await expect(panel).toContainText('broken/Truncated.mp4');
  await expect(panel).toContainText(
    'The clip is damaged or of a kind ffmpeg cannot read; replace the file to try again.',
  );
  await expect(panel).toContainText('It is not tried again by itself.');
  const before = await jobOf('broken/Truncated.mp4', 'transcode');
  await panel.getByRole('button', { name: 'Retry' }).click();
  const finished = async () => (await jobOf('broken/Truncated.mp4', 'transcode'))?.finished ?? 0;
  await expect.poll(finished, { timeout: 30_000 }).toBeGreaterThan(before?.finished ?? 0);
  await expect(panel).toContainText('Failed');
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
  await chip(page, 'Failed').click();
});

test('with the keyboard alone a queued job is found, put first and cancelled', async () => {
  const { page } = all.desktop;
  await openScreen(page, 'overview');
  await tabTo(page, page.getByRole('link', { name: 'Jobs' }));
  await page.keyboard.press('Enter');
  const search = page.getByRole('searchbox', { name: 'Search jobs by file' });
  await tabTo(page, search);
  await page.keyboard.type('Reel 3');
  await expect(total(page)).toHaveText('1 job');
  await tabTo(page, page.getByRole('grid', { name: 'Jobs' }));
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const panel = page.getByTestId('job-panel');
  await expect(panel.getByRole('heading', { name: 'Upload' })).toBeFocused();
  await tabTo(page, panel.getByLabel('Priority'));
  await page.keyboard.press('Home');
  await expect.poll(async () => (await jobOf('masters/Reel 3.mov', 'upload'))?.priority).toBe(10);
  await tabTo(page, panel.getByRole('button', { name: 'Cancel job' }));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Cancel this job?' });
  await expect(dialog).toContainText('is taken out of the queue before it starts');
  await expect(dialog.getByRole('button', { name: 'Keep it' })).toBeFocused();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(panel).toContainText('Cancelled');
  expect((await jobOf('masters/Reel 3.mov', 'upload'))?.state).toBe('cancelled');
  expect((await jobOf('masters/Reel 2.mov', 'upload'))?.state).toBe('queued');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Clear filters' }).click();
});

/** Median time between two frames while `element` is scrolled by so many pixels a frame. */
function medianFrameMs(grid: Locator, pixels: number): Promise<number> {
  return grid.evaluate(async (element, by) => {
    const gaps: number[] = [];
    let last = performance.now();
    for (let frame = 0; frame < 90; frame += 1) {
      element.scrollTop += by;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }
    return gaps.sort((a, b) => a - b)[45] ?? 0;
  }, pixels);
}

test('100,000 jobs are read page by page as the table is scrolled, with few rows drawn and no frame lost for long', async () => {
  test.setTimeout(120_000);
  const { page } = all.desktop;
  await all.cluster.database.execute(
    `INSERT INTO job (role, kind, storage_id, payload, dedupe_key, state, attempts, started_at, finished_at)
     SELECT 'CHECKSUM', 'checksum', $1, jsonb_build_object('path', 'archive/Clip ' || n || '.mov'), 'many ' || n, 'done', 1,
       now() - interval '2 days', now() - interval '2 days' FROM generate_series(1, ${MANY}) n`,
    [all.cluster.storageId],
  );
  await chip(page, 'CHECKSUM').click();
  await expect(total(page)).toHaveText(/^100,00\d jobs/, { timeout: 20_000 });
  const grid = page.getByRole('grid', { name: 'Jobs' });
  const [restMs, scrollMs] = [await medianFrameMs(grid, 0), await medianFrameMs(grid, 400)];
  // against the frames of the same window at rest: how fast this machine draws is not the question
  expect(scrollMs).toBeLessThan(restMs * 3 + 20);
  await grid.evaluate((element) => {
    element.scrollTop = element.scrollHeight / 2;
  });
  const middle = async () =>
    Number((await rows(page).first().textContent())?.match(/Clip (\d+)\.mov/)?.[1] ?? Number.NaN);
  await expect(rows(page).first()).toBeVisible({ timeout: 60_000 });
  expect(Math.abs((await middle()) - MANY / 2)).toBeLessThan(100);
  expect(await grid.getByRole('row').count()).toBeLessThan(200);
  await grid.focus();
  await page.keyboard.press('Home');
  await expect(rows(page).first()).toContainText(`Clip ${MANY}.mov`);
});
