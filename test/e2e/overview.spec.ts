import { renameSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { makeAudio, makeOddFiles } from '../demo/clips.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { agentPid, countRows, openScreen, placeVideo, sentenceOf, untilQuiet } from './screens.ts';

let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  all = await openCluster({
    beforeStart: async ({ mediaDir }) => {
      await Promise.all([makeAudio(mediaDir), makeOddFiles(mediaDir)]);
    },
  });
  await untilQuiet(all.cluster, 3);
});
test.afterAll(() => all?.close());

test('the sentence, the four role cards and the storage say what iconik and the database say', async () => {
  const { page } = all.desktop;
  await openScreen(page, 'overview');
  await expect(sentenceOf(page)).toHaveText(
    'This node leads; it is the only one of its cluster. Everything is up to date.',
  );
  await expect(page.getByTestId('leader-badge')).toHaveText(/^Primary · term \d+/);
  for (const [role, limit] of [
    // Two deletions and two other orders at a time.
    ['MAIN', 4],
    // Two of the scan and one verification.
    ['CHECKSUM', 3],
    ['TRANSCODE', 2],
    // Four uploads, four downloads, and two that tidy up after transfers.
    ['TRANSFER', 10],
  ] as const) {
    const card = page.getByTestId(`role-${role}`);
    await expect(card).toContainText('Working');
    await expect(card).toContainText(`0 of ${limit} running`);
    await expect(card).toContainText('0 queued');
  }
  await expect(page.getByTestId('role-TRANSCODE')).toContainText('moov atom not found');
  const ingested = await countRows(all.cluster.database, `SELECT count(*) FROM storage_file WHERE state = 'ingested'`);
  await expect(page.getByRole('list', { name: 'Storages' })).toContainText(`${ingested} ingested`);
  expect(
    all.cluster.standIn.state().files.filter(({ storage_id }) => storage_id === all.cluster.storageId),
  ).toHaveLength(ingested);
});

test('a running job shows its progress while it runs and goes when it is done', async () => {
  test.setTimeout(120_000);
  const { page } = all.desktop;
  await openScreen(page, 'overview');
  await placeVideo(all.cluster, 'dailies/Take 1.mp4', 8);
  const bar = page.getByRole('progressbar', { name: 'Progress of Take 1.mp4' });
  await expect(bar).toBeVisible({ timeout: 30_000 });
  await expect
    .poll(() => bar.getAttribute('aria-valuenow', { timeout: 1_000 }).then(Number), {
      timeout: 30_000,
      intervals: [100],
    })
    .toBeGreaterThan(0);
  await untilQuiet(all.cluster, 4);
  await expect(bar).toHaveCount(0);
  await expect(page.getByText('Nothing runs on this node')).toBeVisible();
  await expect(page.getByRole('list', { name: 'Storages' })).toContainText('4 ingested');
});

test('a storage that goes away is told with reason and remedy, and the window heals with it', async () => {
  const { page } = all.desktop;
  const { mediaDir } = all.cluster;
  await openScreen(page, 'overview');
  renameSync(mediaDir, `${mediaDir}.away`);
  try {
    const trouble = page.getByRole('region', { name: 'What needs attention' });
    await expect(trouble).toContainText('NAS Post', { timeout: 30_000 });
    await expect(trouble.locator('.isg-notice-remedy').first()).not.toBeEmpty();
    await expect(page.getByTestId('light-storages')).toHaveAttribute('data-status', 'failing');
    await page.getByTestId('light-storages').click();
    const dialog = page.getByRole('dialog', { name: /^Storages/ });
    await expect(dialog).toContainText('Failing');
    await expect(dialog.locator('.isg-dim')).not.toBeEmpty();
    await page.keyboard.press('Escape');
    await expect(page.getByTestId('leader-badge')).not.toContainText('Primary ·', { timeout: 30_000 });
  } finally {
    renameSync(`${mediaDir}.away`, mediaDir);
  }
  await expect(page.getByTestId('light-storages')).toHaveAttribute('data-status', 'ok', { timeout: 30_000 });
  await expect(page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await expect(sentenceOf(page)).toContainText('Everything is up to date.');
});

test('the footer copies the storage gateway id by one click', async () => {
  const { app, page } = all.desktop;
  const [id = ''] = all.cluster.account.gatewayIds;
  await page
    .getByRole('contentinfo')
    .getByRole('button', { name: /storage gateway id/ })
    .click();
  await expect(page.getByRole('contentinfo')).toContainText('Copied');
  expect(await app.evaluate(({ clipboard }) => clipboard.readText())).toBe(id);
});

test('the figures of an agent that stands still are called old and unknown until it goes on', async () => {
  const { page } = all.desktop;
  await openScreen(page, 'overview');
  const pid = agentPid(all.desktop);
  process.kill(pid, 'SIGSTOP');
  try {
    await expect(page.getByRole('contentinfo')).toContainText(/Data are \d+ s old/);
    await expect(page.getByTestId('agent-banner')).toContainText('The agent does not answer.');
    await expect(page.getByTestId('role-MAIN')).toContainText('Unknown');
    await expect(page.getByTestId('leader-badge')).toHaveText('Leadership unknown');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await expect(page.getByTestId('agent-banner')).toHaveCount(0);
  await expect(page.getByRole('contentinfo')).not.toContainText('old');
  expect(agentPid(all.desktop)).toBe(pid);
});
