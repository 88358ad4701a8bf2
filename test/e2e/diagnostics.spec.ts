import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, sentenceOf } from './screens.ts';
import { chooseTrayItem } from './tray-recorder.ts';

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

const fullCheck = () => all.desktop.page.getByTestId('full-check');

test('a full check by the keyboard finds nothing wrong with a healthy node, and says when it was made', async () => {
  const { page } = all.desktop;
  await expect(fullCheck()).toHaveAttribute('data-kind', 'never');
  await page.getByRole('button', { name: 'Run a full check' }).focus();
  await page.keyboard.press('Enter');
  await expect(fullCheck()).toHaveAttribute('data-kind', /clean|found/, { timeout: 30_000 });
  // A machine that is busy with other tests may leave it no time for everything.
  const found = page.getByTestId('check-finding').and(page.locator(':not([data-code="not-checked"])'));
  await expect(found).toHaveCount(0);
  await expect(fullCheck()).toContainText(/Nothing (is wrong|stands still)/);
  await expect(fullCheck()).toContainText(/Looked at: .*iconik/);
  await expect(fullCheck().getByText(/^(just now|\d+ s ago)$/)).toBeVisible();
});

test('the tray starts a full check and opens the screen that shows what it finds', async () => {
  const { app, page } = all.desktop;
  const { mediaDir } = all.cluster;
  await openScreen(page, 'overview');
  renameSync(mediaDir, `${mediaDir}.away`);
  try {
    await chooseTrayItem(app, 'check');
    await expect(page.locator('[aria-current="page"]')).toHaveText(/^Diagnostics/);
    await expect(fullCheck()).toHaveAttribute('data-kind', 'found', { timeout: 30_000 });
    const first = page.getByTestId('check-finding').first();
    await expect(first).toHaveAttribute('data-code', 'storage-gone');
    await expect(first).toContainText('Mount the share at');
    await fullCheck().getByRole('button', { name: 'Copy result' }).click();
    const copied = await app.evaluate(({ clipboard }) => clipboard.readText());
    expect(copied).toMatch(/1\. \[error\] storage-gone: .*\n {3}Seen: .*\n {3}Remedy: /);
  } finally {
    renameSync(`${mediaDir}.away`, mediaDir);
  }
});

test('a support bundle is saved where the user says, and the token of config.ini is in none of its files', async () => {
  const { app, page } = all.desktop;
  const file = join(all.dir, 'bundle.zip');
  await app.evaluate(({ dialog, shell }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
    shell.showItemInFolder = () => undefined;
  }, file);
  await page.getByRole('button', { name: 'Support bundle…' }).click();
  const said = page.getByRole('status').filter({ hasText: 'Support bundle saved as' });
  await expect(said).toContainText(file, { timeout: 60_000 });
  const names = execFileSync('unzip', ['-Z1', file], { encoding: 'utf8' }).split('\n');
  for (const name of ['doctor.txt', 'app-state.json', 'logs/main.log', 'logs/agent.log']) expect(names).toContain(name);
  const token = /^auth-token\s*=\s*(\S+)/m.exec(readFileSync(all.place.configPath, 'utf8'))?.[1] ?? '';
  expect(token.length).toBeGreaterThan(5);
  expect(execFileSync('unzip', ['-p', file], { encoding: 'utf8', maxBuffer: 100_000_000 })).not.toContain(token);
});
