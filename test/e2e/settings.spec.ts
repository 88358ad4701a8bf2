import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, sentenceOf } from './screens.ts';

let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  all = await openCluster({
    config: { 'max-transcoding-jobs': 3 },
    beforeStart: async ({ standIn, account, mediaDir }) => {
      const path = join(mediaDir, '../node-a/config.ini');
      writeFileSync(
        path,
        `; kept by hand\r\n\r\n${readFileSync(path, 'utf8')}\n# end of the file, without a line break`,
      );
      const cluster = standIn.records.clusters.get(account.clusterId);
      if (cluster) cluster.settings = { file_upload_parallel_uploads_num: 6 };
    },
  });
  const { page } = all.desktop;
  await expect(page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await openScreen(page, 'settings');
});
test.afterAll(() => all?.close());

const setting = (name: string) => all.desktop.page.getByTestId(`setting-${name}`);
const winner = (name: string) => setting(name).getByTestId('won-by');
const tierCell = (name: string, tier: string) => all.desktop.page.getByTestId(`tier-cell-${name}-${tier}`);
const unfold = (name: string) => setting(name).getByRole('button', { expanded: false }).first().click();
const save = () => all.desktop.page.getByRole('button', { name: 'Save', exact: true }).click();
const configText = () => readFileSync(join(all.dir, 'node-a/config.ini'), 'utf8');
const records = () => all.cluster.standIn.records;
const field = (name: string, tier: string) => all.desktop.page.getByTestId(`tier-${name}-${tier}`);

test('every limit shows the value that counts and the tier that decided it', async () => {
  await expect(winner('max_transcoding_jobs')).toHaveAttribute('data-tier', 'config.ini');
  await expect(setting('max_transcoding_jobs').getByTestId('effective-value')).toHaveText(/^\s*3 jobs$/);
  await expect(winner('file_upload_parallel_uploads_num')).toHaveAttribute('data-tier', 'cluster');
  await expect(setting('file_upload_parallel_uploads_num').getByTestId('effective-value')).toHaveText(/^\s*6 files$/);
  await expect(winner('checksum_max_workers')).toHaveAttribute('data-tier', 'default');
  await expect(sentenceOf(all.desktop.page)).toHaveText('3 of 6 limits of this node are set explicitly.');
});

test('a value of the node goes to iconik and wins over the cluster', async () => {
  await unfold('file_upload_parallel_uploads_num');
  await field('file_upload_parallel_uploads_num', 'node').fill('9');
  await save();
  await expect(winner('file_upload_parallel_uploads_num')).toHaveAttribute('data-tier', 'node');
  await expect(setting('file_upload_parallel_uploads_num').getByTestId('effective-value')).toHaveText(/^\s*9 files$/);
  await expect(tierCell('file_upload_parallel_uploads_num', 'node')).toHaveAttribute('data-standing', 'wins');
  await expect(tierCell('file_upload_parallel_uploads_num', 'cluster')).toHaveAttribute('data-standing', 'beaten');
  const gateway = records().gateways.get(all.cluster.account.gatewayIds[0]);
  expect(gateway?.settings).toMatchObject({ file_upload_parallel_uploads_num: 9 });
});

test('a value of the cluster goes to iconik and is shown as beaten by config.ini', async () => {
  await unfold('max_transcoding_jobs');
  await field('max_transcoding_jobs', 'cluster').fill('5');
  await save();
  await expect(tierCell('max_transcoding_jobs', 'cluster')).toHaveAttribute('data-standing', 'beaten');
  await expect(tierCell('max_transcoding_jobs', 'cluster')).toContainText('Beaten by config.ini');
  await expect(winner('max_transcoding_jobs')).toHaveAttribute('data-tier', 'config.ini');
  const cluster = records().clusters.get(all.cluster.account.clusterId);
  expect(cluster?.settings).toMatchObject({ max_transcoding_jobs: 5, file_upload_parallel_uploads_num: 6 });
});

test('unsaved changes stand in a bar with their difference, and are discarded as one', async () => {
  const { page } = all.desktop;
  const before = configText();
  await unfold('checksum_max_workers');
  await field('checksum_max_workers', 'node').fill('99');
  await expect(page.getByTestId('unsaved-bar')).toContainText('has to be corrected first');
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeDisabled();
  await field('checksum_max_workers', 'node').fill('7');
  await field('max_transcoding_jobs', 'config.ini').fill('4');
  const bar = page.getByTestId('unsaved-bar');
  await expect(bar).toContainText('2 unsaved changes');
  await bar.getByRole('button', { name: 'Show changes' }).click();
  const changes = page.getByTestId('unsaved-diff').getByRole('row');
  await expect(changes.filter({ hasText: 'checksum_max_workers' })).toContainText('7');
  await expect(changes.filter({ hasText: 'config.ini' }).locator('del')).toHaveText('3 jobs');
  await expect(changes.filter({ hasText: 'config.ini' }).locator('ins')).toHaveText('4 jobs');
  await bar.getByRole('button', { name: 'Discard' }).click();
  await expect(bar).toHaveCount(0);
  await expect(field('checksum_max_workers', 'node')).toHaveValue('');
  expect(configText()).toBe(before);
});

test('a key of config.ini is changed in its place and every other byte is kept', async () => {
  const { page } = all.desktop;
  const before = configText();
  await field('max_transcoding_jobs', 'config.ini').fill('4');
  await save();
  await expect(page.getByTestId('unsaved-bar')).toHaveCount(0);
  expect(configText()).toBe(before.replace('max-transcoding-jobs = 3', 'max-transcoding-jobs = 4'));
  expect(configText()).toContain('; kept by hand\r\n');
  // it counts at once, so that there is nothing to restart for
  await expect(setting('max_transcoding_jobs').getByTestId('effective-value')).toHaveText(/^\s*4 jobs$/);
  await expect(page.getByTestId('restart-hint')).toHaveCount(0);
});

test('a key that needs a restart says so until the agent is restarted', async () => {
  const { page } = all.desktop;
  const stall = page.getByTestId('key-stall-ms');
  await expect(stall).toContainText('Needs a restart of the agent.');
  await stall.getByRole('textbox').fill('20000');
  await save();
  await expect(page.getByTestId('restart-hint')).toContainText('stall-ms');
});

test('a key that somebody else changed meanwhile is not overwritten without being told', async () => {
  const { page } = all.desktop;
  const order = page.getByTestId('key-priority-order');
  await order.getByRole('combobox').selectOption('smaller-first');
  const path = join(all.dir, 'node-a/config.ini');
  writeFileSync(path, configText().replace('[main]\n', '[main]\npriority-order = larger-first\n'));
  await save();
  await expect(order).toContainText('it says larger-first now');
  expect(configText()).toContain('priority-order = larger-first');
  await save();
  await expect(page.getByTestId('unsaved-bar')).toHaveCount(0);
  expect(configText()).toContain('priority-order = smaller-first');
});

test('a wrong value is refused as it is typed, with its reason beside the field', async () => {
  const { page } = all.desktop;
  const before = configText();
  const rate = page.getByTestId('key-iconik-requests-per-second');
  await rate.getByRole('textbox').fill('plenty');
  await expect(rate.getByRole('textbox')).toHaveAttribute('aria-invalid', 'true');
  await expect(rate).toContainText('number');
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeDisabled();
  await page.getByTestId('unsaved-bar').getByRole('button', { name: 'Discard' }).click();
  expect(configText()).toBe(before);
});

test('every problem of a config.ini that was edited by hand is listed with its line, until it is mended', async () => {
  const { page } = all.desktop;
  const before = configText();
  const path = join(all.dir, 'node-a/config.ini');
  writeFileSync(
    path,
    before.replace('[main]\n', '[main]\nlog-level = shouting\niconik-requests-per-second = plenty\n'),
  );
  const banner = page.getByTestId('agent-banner');
  await expect(banner).toContainText('config.ini has 2 problems.');
  await expect(banner).toContainText(/line \d+: log-level/);
  await expect(banner).toContainText(/line \d+: iconik-requests-per-second/);
  await expect(page.getByTestId('key-log-level').getByRole('combobox')).toHaveAttribute('aria-invalid', 'true');
  writeFileSync(path, before);
  await expect(banner).toHaveCount(0);
  expect((await all.desktop.state()).agent.state).toBe('running');
});

test('secrets are neither shown on the screen nor sent to the window', async () => {
  const { page } = all.desktop;
  await expect(page.getByTestId('secret-auth-token')).toHaveText('Set, never shown');
  const answer = await page.evaluate(() => window.isg.call('config.read', {}));
  const token = all.cluster.standIn.authToken;
  expect(configText()).toContain(token);
  expect(JSON.stringify(answer)).not.toContain(token);
  expect(await page.content()).not.toContain(token);
  expect(JSON.stringify(await all.desktop.state())).not.toContain(token);
});
