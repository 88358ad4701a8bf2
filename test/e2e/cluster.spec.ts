import { expect, type Locator, type Page, test } from '@playwright/test';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, sentenceOf } from './screens.ts';

let all: DesktopCluster;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  all = await openCluster({
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE'] },
      { name: 'node-b', roles: ['MAIN', 'TRANSFER'] },
    ],
  });
  await expect(all.desktop.page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await openScreen(all.desktop.page, 'cluster');
});
test.afterAll(() => all?.close());

const member = (page: Page, name: string): Locator =>
  page
    .getByRole('region', { name: 'Nodes' })
    .getByRole('row')
    .filter({ has: page.getByText(name, { exact: true }) });

const confirm = async (page: Page, label: string): Promise<void> => {
  await page.getByRole('button', { name: label, exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('listitem').first()).not.toBeEmpty();
  await dialog.getByRole('button', { name: label, exact: true }).click();
  await expect(dialog).toHaveCount(0);
};

const uncovered = (page: Page): Locator =>
  page.getByText('The cluster is not fully operational: no available node has TRANSFER.');

const clusterRecord = () => all.cluster.standIn.records.clusters.get(all.cluster.account.clusterId);

test('a second node appears beside the Primary when it starts, and its roles are covered then', async () => {
  const { page } = all.desktop;
  await expect(member(page, 'node-a')).toContainText('Primary');
  await expect(member(page, 'node-a')).toContainText('this node');
  await expect(uncovered(page)).toBeVisible();
  all.cluster.startNode('node-b');
  await expect(member(page, 'node-b')).toContainText('Available', { timeout: 30_000 });
  await expect(member(page, 'node-b')).toContainText('MAIN · TRANSFER');
  await expect(member(page, 'node-b')).not.toContainText('Primary');
  await expect(uncovered(page)).toHaveCount(0);
  await expect(sentenceOf(page)).toContainText('All 2 nodes are healthy.');
});

test('pausing this node hands the lead over, with both leaderships in the history; resuming brings it back to work', async () => {
  const { page } = all.desktop;
  await confirm(page, 'Pause this node');
  await expect(member(page, 'node-b')).toContainText('Primary', { timeout: 20_000 });
  await expect(member(page, 'node-a')).toContainText('Paused');
  const history = page.getByRole('region', { name: 'List of leaderships' }).getByRole('row');
  await expect(history).toHaveCount(3);
  await expect(history.nth(1)).toContainText('node-b');
  await expect(history.nth(1)).toContainText('Leads now');
  await expect(history.nth(2)).toContainText('node-a');
  await expect(history.nth(2)).not.toContainText('Leads now');
  await confirm(page, 'Resume this node');
  await expect(member(page, 'node-a')).toContainText('Available');
  await expect(page.getByTestId('leader-badge')).toHaveText('Follower of node-b');
});

test('a node that was killed is shown as not seen alive, its role as not covered, and this node takes the lead', async () => {
  const { page } = all.desktop;
  await all.cluster.endNode('node-b', 'SIGKILL');
  await expect(page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await expect(member(page, 'node-b')).toContainText('Not seen alive', { timeout: 30_000 });
  await expect(member(page, 'node-b')).not.toContainText('Primary');
  await expect(uncovered(page)).toBeVisible();
  await expect(page.getByText('Nothing is uploaded or downloaded.')).toBeVisible();
  await expect(page.getByRole('region', { name: 'List of leaderships' }).getByRole('row').nth(1)).toContainText(
    'node-a',
  );
});

test('the cluster is disabled in iconik after a question, shown so, and enabled again', async () => {
  const { page } = all.desktop;
  await page.getByRole('button', { name: 'Disable cluster' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(clusterRecord()?.enabled).toBe(true);
  await confirm(page, 'Disable cluster');
  expect(clusterRecord()?.enabled).toBe(false);
  await expect(sentenceOf(page)).toContainText('is disabled. Nobody leads', { timeout: 20_000 });
  await expect(member(page, 'node-a')).toContainText('Disabled', { timeout: 20_000 });
  await confirm(page, 'Enable cluster');
  expect(clusterRecord()?.enabled).toBe(true);
  await expect(member(page, 'node-a')).toContainText('Primary', { timeout: 30_000 });
});
