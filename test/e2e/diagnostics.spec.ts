import { renameSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, sentenceOf } from './screens.ts';

let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  all = await openCluster();
  await expect(all.desktop.page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await openScreen(all.desktop.page, 'diagnostics');
});
test.afterAll(() => all?.close());

const WELL = 'Everything is well: agent, configuration, iconik, database, one storage and leadership were checked.';
const finding = (id: string) => all.desktop.page.locator(`[data-testid="finding"][data-finding="${id}"]`);

test('a healthy node says that everything is well, and what was looked at', async () => {
  const { page } = all.desktop;
  await expect(sentenceOf(page)).toHaveText(WELL);
  for (const name of ['Configuration', 'Agent', 'iconik', 'Database', 'Storage NAS Post', 'ffmpeg', 'Leadership']) {
    await expect(page.getByTestId('checks')).toContainText(name);
  }
  await expect(page.getByTestId('finding')).toHaveCount(0);
});

test('a storage that is away is found with cause, consequence and remedy, and its button leads to it', async () => {
  const { page } = all.desktop;
  const { mediaDir, storageId } = all.cluster;
  renameSync(mediaDir, `${mediaDir}.away`);
  try {
    const away = finding(`check-storage:${storageId}`);
    await expect(away).toBeVisible({ timeout: 30_000 });
    await expect(sentenceOf(page)).toContainText('Work is held up by');
    await expect(away.getByRole('heading')).toContainText('NAS Post');
    await expect(away).toContainText('This node cannot lead, and does no work on Storage NAS Post.');
    await expect(away.locator('dd').nth(1)).not.toBeEmpty();
    await expect(page.getByTestId('finding').first()).toHaveAttribute('data-finding', `check-storage:${storageId}`);
    await away.getByRole('button', { name: 'Open storages' }).click();
    await expect(page.getByRole('region', { name: 'NAS Post', exact: true })).toContainText('Failing');
  } finally {
    renameSync(`${mediaDir}.away`, mediaDir);
  }
  await openScreen(page, 'diagnostics');
  await expect(sentenceOf(page)).toHaveText(WELL, { timeout: 40_000 });
});

test('the logs are sent to iconik by the keyboard, and the screen says under which name', async () => {
  const { page } = all.desktop;
  const button = page.getByRole('button', { name: 'Send logs to iconik' });
  await button.focus();
  await page.keyboard.press('Enter');
  const said = page.getByRole('status').filter({ hasText: 'Logs sent to iconik' });
  await expect(said).toContainText(/as isg-pro-.*\.log\.gz/, { timeout: 30_000 });
});

test('a node paused by hand is a finding whose button resumes it', async () => {
  const { page } = all.desktop;
  await page.evaluate(() => window.isg.call('node.pause', {}));
  await expect(finding('paused')).toContainText('This node was paused by hand.');
  await finding('paused').getByRole('button', { name: 'Resume this node' }).click();
  await expect(finding('paused')).toHaveCount(0);
  expect((await all.desktop.state()).snapshot?.isPaused).toBe(false);
  await expect(sentenceOf(page)).toHaveText(WELL, { timeout: 30_000 });
});
