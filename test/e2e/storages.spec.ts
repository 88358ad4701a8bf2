import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { makeAudio, makeOddFiles } from '../demo/clips.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { countRows, openScreen, sentenceOf, untilQuiet } from './screens.ts';

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
  await openScreen(all.desktop.page, 'storages');
});
test.afterAll(() => all?.close());

const card = () => all.desktop.page.getByRole('region', { name: 'NAS Post', exact: true });
const counter = (key: string) => card().locator(`[data-counter="${key}"] dd`);
const inDatabase = (state: string) =>
  countRows(all.cluster.database, 'SELECT count(*) FROM storage_file WHERE state = $1', [state]);

test('the counters of a storage equal the database', async () => {
  await expect(sentenceOf(all.desktop.page)).toHaveText('The storage is reachable. Everything is up to date.');
  await expect(counter('ingested')).toHaveText(String(await inDatabase('ingested')));
  await expect(counter('empty')).toHaveText(String(await inDatabase('empty')));
  await expect(counter('missing')).toHaveText('0');
  await expect(counter('total')).toHaveText(
    String(await countRows(all.cluster.database, 'SELECT count(*) FROM storage_file')),
  );
  await expect(counter('folders')).toHaveText(
    String(await countRows(all.cluster.database, 'SELECT folders AS count FROM storage_root')),
  );
});

test('a file that vanishes is counted as missing and listed with its reason', async () => {
  rmSync(join(all.cluster.mediaDir, 'audio/Atmo.wav'));
  await expect(counter('missing')).toHaveText('1', { timeout: 40_000 });
  await expect(sentenceOf(all.desktop.page)).toContainText('1 file is missing');
  await card()
    .getByRole('tab', { name: /Problem files/ })
    .click();
  const problem = card().getByTestId('problem-group').filter({ hasText: 'Missing' });
  await expect(problem).toContainText('The file is gone from the storage');
  await problem.locator('summary').click();
  await expect(problem).toContainText('audio/Atmo.wav');
  expect(await inDatabase('missing')).toBe(1);
});

test('the Logs tab of a storage holds the lines about it and no others', async () => {
  const { page } = all.desktop;
  await card().getByRole('tab', { name: 'Logs' }).click();
  const lines = card().getByTestId('log-line');
  await expect(lines.first()).toBeVisible();
  await expect(lines.filter({ hasText: 'storage scanned' }).first()).toBeVisible();
  await expect(lines.filter({ hasNotText: all.cluster.storageId })).toHaveCount(0);
  await expect(lines.filter({ hasText: 'This node leads the cluster' })).toHaveCount(0);
  await openScreen(page, 'logs');
  await expect(page.getByTestId('log-line').filter({ hasText: 'This node leads the cluster' }).first()).toBeVisible();
});

test('the settings of a storage are those that iconik has', async () => {
  const { page } = all.desktop;
  await openScreen(page, 'storages');
  await card().getByRole('tab', { name: 'Settings' }).click();
  const settings = card().getByTestId('storage-settings');
  await expect(settings.getByText(all.cluster.mediaDir)).toBeVisible();
  await expect(settings.locator('div', { hasText: /^Growing files threshold/ }).last()).toHaveText(
    /^Growing files threshold\s*1$/,
  );
  await expect(settings.locator('div', { hasText: /^Local proxy creation/ }).last()).toHaveText(/Yes$/);
});
