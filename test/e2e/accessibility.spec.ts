import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { SCREENS, type ScreenId } from '../../renderer/state/route.ts';
import { makeAudio, makeDropFrame, makeOddFiles, makeStills } from '../demo/clips.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, sentenceOf, tabTo, untilQuiet } from './screens.ts';

const SHOTS = fileURLToPath(new URL('../../out/e2e/screenshots/', import.meta.url));
let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

/** A cluster in which every screen has something to show: two nodes, done and failed and running jobs, a missing file. */
test.beforeAll(async () => {
  test.setTimeout(180_000);
  all = await openCluster({
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE'] },
      { name: 'node-b', roles: ['MAIN', 'TRANSFER'] },
    ],
    config: { 'max-transcoding-jobs': 3 },
    beforeStart: async (cluster) => {
      const { mediaDir, standIn, account } = cluster;
      const record = standIn.records.clusters.get(account.clusterId);
      if (record) record.name = 'Post production';
      await Promise.all([makeAudio(mediaDir), makeStills(mediaDir), makeOddFiles(mediaDir), makeDropFrame(mediaDir)]);
    },
  });
  await untilQuiet(all.cluster, 6);
  all.cluster.startNode('node-b');
  await all.cluster.database.execute(
    `INSERT INTO job (role, kind, storage_id, payload, dedupe_key, state, attempts, started_at, finished_at)
     SELECT (ARRAY['CHECKSUM', 'TRANSCODE', 'TRANSFER'])[1 + n % 3], (ARRAY['checksum', 'transcode', 'upload'])[1 + n % 3],
       $1, jsonb_build_object('path', 'archive/Clip ' || n || '.mov', 'sizeBytes', 400000000), 'past ' || n, 'done', 1,
       now() - n * interval '9 seconds', now() - n * interval '9 seconds' FROM generate_series(1, 380) n`,
    [all.cluster.storageId],
  );
  rmSync(join(all.cluster.mediaDir, 'stills/Logo.png'));
  const { page } = all.desktop;
  await openScreen(page, 'cluster');
  await expect(sentenceOf(page)).toContainText('All 2 nodes are healthy.', { timeout: 30_000 });
  await openScreen(page, 'storages');
  await expect(page.locator('[data-counter="missing"] dd')).toHaveText('1', { timeout: 40_000 });
});
test.afterAll(() => all?.close());

async function resize(width: number, height: number): Promise<void> {
  await all.desktop.app.evaluate(
    ({ BrowserWindow }, size) => BrowserWindow.getAllWindows()[0]?.setContentSize(...size),
    [width, height] as [number, number],
  );
  await expect.poll(() => all.desktop.page.evaluate(() => window.innerWidth)).toBe(width);
}

/** Opens what is folded on a screen, so that it is looked at as well; waits until data have come. */
async function unfold(screen: ScreenId): Promise<void> {
  const { page } = all.desktop;
  if (screen === 'overview') await expect(page.getByRole('list', { name: 'Storages' })).toContainText('ingested');
  if (screen === 'cluster') {
    await page.getByRole('button', { name: 'Upgrade guide', exact: true }).click();
    await expect(page.getByRole('region', { name: 'Steps of the upgrade' }).getByRole('listitem')).toHaveCount(2);
  }
  if (screen === 'jobs') {
    const failed = page.getByTestId('job-row').filter({ hasText: 'Failed' });
    await page.getByRole('button', { name: 'TRANSCODE', exact: true }).click();
    await page.getByRole('searchbox').fill('broken');
    await failed.first().click();
    await expect(page.getByTestId('job-panel')).toBeVisible();
  }
  if (screen === 'storages') {
    await page.getByRole('tab', { name: /Problem files/ }).click();
    await expect(page.getByTestId('problem-group').first()).toBeVisible();
  }
  if (screen === 'settings') {
    await page.getByTestId('setting-max_transcoding_jobs').getByRole('button').first().click();
    await expect(page.getByTestId('tier-cell-max_transcoding_jobs-cluster')).toBeVisible();
  }
  if (screen === 'logs') await expect(page.getByTestId('log-line').first()).toBeVisible();
}

for (const theme of ['light', 'dark'] as const) {
  test(`no screen has a serious accessibility violation in the ${theme} theme, and each has its picture`, async () => {
    test.setTimeout(120_000);
    const { page } = all.desktop;
    await resize(1180, 760);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', theme);
    for (const screen of SCREENS) {
      await openScreen(page, screen);
      await unfold(screen);
      // a pointer left over a row would be part of the picture
      await page.mouse.move(90, 700);
      await page.screenshot({ path: join(SHOTS, `${screen}-${theme}.png`) });
      const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
      const grave = violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${screen}: ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
      expect.soft(grave).toEqual([]);
    }
  });
}

test('no screen scrolls sideways in a window of 1024×700', async () => {
  const { page } = all.desktop;
  await resize(1024, 700);
  for (const screen of SCREENS) {
    await openScreen(page, screen);
    await unfold(screen);
    const wider = await page.evaluate(() =>
      [...document.querySelectorAll('html, main, article, section, header, footer')]
        .filter((box) => getComputedStyle(box).overflowX !== 'hidden' && box.scrollWidth > box.clientWidth)
        .map((box) => `${box.tagName} ${box.className}`),
    );
    expect.soft(wider, screen).toEqual([]);
    await page.screenshot({ path: join(SHOTS, `narrow/${screen}.png`) });
  }
});

test('Tab reaches the navigation, the connection lights and the main controls of every screen', async () => {
  const { page } = all.desktop;
  const controls: Record<ScreenId, ReturnType<typeof page.locator>> = {
    overview: page.getByRole('list', { name: 'Storages' }),
    cluster: page.getByRole('button', { name: 'Pause this node' }),
    jobs: page.getByRole('grid', { name: 'Jobs' }),
    storages: page.getByRole('tab').first(),
    logs: page.getByTestId('log-follow'),
    settings: page.getByRole('textbox', { name: 'Find a setting' }),
    diagnostics: page.getByRole('button', { name: 'Run a full check' }),
  };
  for (const screen of SCREENS) {
    await tabTo(page, page.getByRole('navigation').getByRole('link', { name: new RegExp(screen, 'i') }), 120);
    await page.keyboard.press('Enter');
    await expect(page.locator('main')).toBeFocused();
    await tabTo(page, controls[screen], 60);
  }
  await tabTo(page, page.getByTestId('light-database'), 120);
});
