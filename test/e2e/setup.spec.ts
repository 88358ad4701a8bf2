import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { createStandIn, type StandIn } from '../stand-in/stand-in.ts';
import { MediaCluster } from '../support/media-cluster.ts';
import { closeWithDatabase, type Desktop, type DesktopPlace, openDesktop } from './desktop.ts';

/** Where iconik says the storage is; no machine of ours has it. */
const ELSEWHERE = '/Volumes/no-such-storage';
const MASK = '••••••••';
/** A node must run so soon after "Write and start". */
const RUNS_WITHIN_MS = 30_000;

let dir: string;
let desktop: Desktop | null = null;

const installation = () => join(dir, 'installation');

test.beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-e2e-'));
  // PostgreSQL does not run as root; its user must be able to pass through.
  for (const folder of [dir, installation()]) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o711);
  }
});

test.afterEach(async () => {
  await desktop?.close();
  desktop = null;
});

/** An installation of which nothing is there yet. */
async function openNew(): Promise<{ desktop: Desktop; place: DesktopPlace }> {
  const folder = installation();
  const place = {
    configPath: join(folder, 'config.ini'),
    dataDir: join(folder, 'data'),
    userDataDir: join(dir, 'electron'),
  };
  expect(existsSync(place.configPath)).toBe(false);
  desktop = await openDesktop(place);
  return { desktop, place };
}

/** Answers the folder dialog of the system, which no test can press. */
function answerFolderDialog({ app }: Desktop, path: string): Promise<void> {
  return app.evaluate(({ dialog }, chosen) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] });
  }, path);
}

async function typeAccount(page: Page, standIn: StandIn, token = standIn.authToken): Promise<void> {
  await page.getByLabel('iconik URL').fill(`${standIn.url}/`);
  await page.getByLabel('App-ID').fill(standIn.appId);
  await page.getByRole('textbox', { name: 'Token' }).fill(token);
}

const step = (page: Page, name: string) =>
  expect(page.getByTestId('setup-assistant')).toHaveAttribute('data-step', name, { timeout: 30_000 });

async function writeAndStart(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Write and start' }).click();
  await step(page, 'start');
  await expect(page.getByRole('heading', { name: 'This node is set up' })).toBeVisible({ timeout: RUNS_WITHIN_MS });
  await expect(page.getByTestId('stages').locator('[data-status="done"]')).toHaveCount(5);
}

test('from nothing, five steps lead to a node that runs and leads', async () => {
  const cluster = await MediaCluster.create({
    dir,
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      { name: 'node-b', roles: ['CHECKSUM'] },
    ],
    storageSettings: () => ({}),
    config: {},
  });
  try {
    const { standIn, account, storageId, mediaDir } = cluster;
    const [gatewayId = ''] = account.gatewayIds;
    Object.assign(standIn.records.gateways.get(gatewayId) ?? {}, {
      storages: { [storageId]: { mount_point: ELSEWHERE } },
    });
    const { desktop: opened, place } = await openNew();
    const { page } = opened;

    await step(page, 'account');
    await typeAccount(page, standIn, 'a-wrong-token');
    await page.getByRole('button', { name: 'Test and continue' }).click();
    await expect(page.getByText('The application token is not accepted')).toBeVisible();
    await step(page, 'account');
    await typeAccount(page, standIn);
    await page.getByRole('button', { name: 'Test and continue' }).click();

    await step(page, 'gateway');
    await expect(page.getByTestId('gateways').getByRole('radio')).toHaveCount(2);
    await page.getByRole('radio', { name: 'node-a' }).check();
    await page.getByRole('button', { name: 'Continue' }).click();

    await step(page, 'mounts');
    const mount = page.getByTestId(`mount-${storageId}`);
    await expect(mount.getByLabel('NAS Post', { exact: true })).toHaveValue(ELSEWHERE);
    await expect(mount).toContainText('There is no such folder.');
    await expect(mount).toContainText('Create or mount it, or choose another one.');
    await page.getByRole('button', { name: 'Test and continue' }).click();
    await expect(mount).toContainText('There is no such folder.');
    await step(page, 'mounts');
    await answerFolderDialog(opened, mediaDir);
    await mount.getByRole('button', { name: 'Choose folder of NAS Post' }).click();
    await expect(mount.getByLabel('NAS Post', { exact: true })).toHaveValue(mediaDir);
    await expect(mount).toContainText('Can be read and written');
    await page.getByRole('button', { name: 'Test and continue' }).click();

    await step(page, 'review');
    const preview = page.getByTestId('config-preview');
    await expect(preview).toContainText(`auth-token = ${MASK}`);
    await expect(preview).toContainText(`storage-gateway-id = ${gatewayId}`);
    await expect(page.getByText(place.configPath)).toBeVisible();
    expect(await page.content()).not.toContain(standIn.authToken);
    expect(existsSync(place.configPath), 'nothing is written before it was shown').toBe(false);
    await writeAndStart(page);

    const written = readFileSync(place.configPath, 'utf8');
    for (const line of [`auth-token = ${standIn.authToken}`, `app-id = ${standIn.appId}`])
      expect(written).toContain(line);
    expect(statSync(place.configPath).mode & 0o777).toBe(0o600);
    expect(standIn.records.gateways.get(gatewayId)?.storages).toEqual({ [storageId]: { mount_point: mediaDir } });
    await expect(page.getByTestId('start-sentence')).toContainText('node-a runs in the cluster cluster');
    await expect.poll(async () => (await cluster.leader())?.name).toBe('node-a');
    await page.getByRole('button', { name: 'Open overview' }).click();
    await expect(page.getByTestId('setup-assistant')).toHaveCount(0);
    expect((await opened.state()).snapshot?.phase).toBe('running');
  } finally {
    await desktop?.close();
    desktop = null;
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('for an account without cluster and gateway the assistant makes both', async () => {
  const mediaDir = join(dir, 'media');
  mkdirSync(mediaDir);
  const standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
  try {
    const { clusterId, storageIds } = standIn.seed({
      storages: [{ name: 'NAS Post', mountPoint: mediaDir }],
      gateways: [],
    });
    standIn.records.clusters.remove(clusterId);
    const { desktop: opened, place } = await openNew();
    const { page } = opened;
    await step(page, 'account');
    await typeAccount(page, standIn);
    await page.getByRole('button', { name: 'Test and continue' }).click();

    await step(page, 'gateway');
    await page.getByRole('radio', { name: 'A new one, with all four roles' }).check();
    await page.getByLabel('Name of the storage gateway').fill('studio-1');
    await page.getByLabel('Name of the new cluster').fill('Studio');
    await page.getByRole('checkbox', { name: 'NAS Post' }).check();
    await page.getByRole('button', { name: 'Create and continue' }).click();

    await step(page, 'mounts');
    await expect(page.getByText('Can be read and written')).toBeVisible();
    await page.getByRole('button', { name: 'Test and continue' }).click();
    await step(page, 'review');
    await writeAndStart(page);

    const clusters = standIn.records.clusters.all();
    expect(clusters).toMatchObject([{ name: 'Studio', storage_ids: storageIds }]);
    const gateways = standIn.records.gateways.all();
    const roles = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'];
    expect(gateways).toMatchObject([{ name: 'studio-1', cluster_id: clusters[0]?.id }]);
    expect(new Set(Object(gateways[0]).roles)).toEqual(new Set(roles));
    expect(readFileSync(place.configPath, 'utf8')).toContain(`storage-gateway-id = ${gateways[0]?.id}`);
    await expect(page.getByTestId('start-sentence')).toContainText('studio-1 runs in the cluster Studio');
    await expect.poll(async () => (await opened.state()).snapshot?.leadership.standing).toBe('leader');
  } finally {
    if (desktop) await closeWithDatabase(desktop, installation());
    desktop = null;
    await standIn.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
