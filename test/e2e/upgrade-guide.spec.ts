import { expect, type Locator, test } from '@playwright/test';
import type { Role } from '../../agent/contract/index.ts';
import { VERSION } from '../../agent/version.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { openScreen, tabTo } from './screens.ts';

// node-a runs in the application and leads; node-b and node-c are rows in the database whose heartbeats go on.
const NEWER = '99.1.0';
const PAUSED = 'Paused by its operator: it finishes its jobs, takes no new ones and does not lead until it is resumed.';
const IDS = { 'node-b': '00000000-0000-4000-8000-00000000000b', 'node-c': '00000000-0000-4000-8000-00000000000c' };
type Played = keyof typeof IDS;

let all: DesktopCluster;
let beating: NodeJS.Timeout | undefined;
/** The heartbeat under way: the cluster must not be closed beside it. */
let beat: Promise<unknown> = Promise.resolve();
const alive = new Set<Played>(['node-b', 'node-c']);

test.describe.configure({ mode: 'serial' });

async function register(name: Played, roles: Role[]): Promise<void> {
  await all.cluster.database.execute(
    `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
     VALUES ($1, $2, $1, $2, $2 || '.lan', 'm', 'b', $3, $4, 'available')`,
    [IDS[name], name, VERSION, roles],
  );
}

/** What a played node says of itself from now on. */
async function says(name: Played, availability: string, reason = ''): Promise<void> {
  await all.cluster.database.execute(
    'UPDATE worker SET availability_status = $2, status_reason = $3 WHERE worker_id = $1',
    [IDS[name], availability, reason],
  );
}

async function comesBack(name: Played): Promise<void> {
  await all.cluster.database.execute('UPDATE worker SET version = $2, started_at = now() WHERE worker_id = $1', [
    IDS[name],
    NEWER,
  ]);
  await says(name, 'available');
}

const beatAll = () =>
  all.cluster.database.execute(
    'UPDATE worker SET heartbeat = heartbeat + 1, last_seen_at = now() WHERE worker_id = ANY($1::uuid[])',
    [[...alive].map((name) => IDS[name])],
  );

const guide = (): Locator => all.desktop.page.getByRole('region', { name: 'Upgrade guide', exact: true });
const steps = (): Locator => guide().getByRole('region', { name: 'Steps of the upgrade' }).getByRole('listitem');
const step = (name: string): Locator => steps().filter({ hasText: name });
const next = (): Locator => guide().getByRole('region', { name: 'Next step' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  all = await openCluster();
  await expect(all.desktop.page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 30_000 });
  await register('node-b', ['MAIN', 'CHECKSUM', 'TRANSFER']);
  await register('node-c', ['TRANSCODE']);
  beating = setInterval(() => {
    beat = beatAll().catch(() => undefined);
  }, 500);
  await openScreen(all.desktop.page, 'cluster');
});

test.afterAll(async () => {
  clearInterval(beating);
  await beat;
  await all?.close();
});

test('before an upgrade the guide says with which node to begin, and opens and closes by keyboard', async () => {
  const { page } = all.desktop;
  const button = page.getByRole('button', { name: 'Upgrade guide', exact: true });
  await tabTo(page, button, 60);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('upgrade-sentence')).toHaveText(`All 3 nodes run ${VERSION}.`);
  await expect(steps()).toContainText(['node-c', 'node-b', 'node-a']);
  await expect(next()).toContainText('With a newer version at hand, pause node-c');
  await tabTo(page, page.getByRole('button', { name: 'Close the upgrade guide' }), 10);
  await page.keyboard.press('Enter');
  await expect(guide()).toHaveCount(0);
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(step('node-c')).toHaveAttribute('aria-current', 'step');
});

test('a node ticks itself off while it drains, stops, and comes back with the newer version', async () => {
  const { database } = all.cluster;
  await database.execute(
    `INSERT INTO job (role, kind, payload, dedupe_key, state, leased_worker, leased_by, lease_token, lease_expires_at)
     VALUES ('TRANSCODE', 'transcode', '{}', 'played', 'leased', $1, $1, 1, now() + interval '1 hour')`,
    [IDS['node-c']],
  );
  await says('node-c', 'draining', PAUSED);
  await expect(step('node-c')).toContainText('Waiting for 1 job');
  await expect(next()).toContainText('Wait until node-c has finished 1 job');
  await database.execute(
    `UPDATE job SET state = 'done', leased_worker = NULL, leased_by = NULL, finished_at = now() WHERE dedupe_key = 'played'`,
    [],
  );
  await expect(step('node-c')).toContainText('At rest: install now');
  await says('node-c', 'unavailable', 'stopped');
  await expect(step('node-c')).toContainText('Stopped: install now');
  await expect(next()).toContainText('Run its installer on node-c.lan');
  await comesBack('node-c');
  await expect(step('node-c')).toContainText('Done');
  await expect(all.desktop.page.getByTestId('upgrade-sentence')).toHaveText(
    `1 of 3 nodes runs ${NEWER}; 2 still to go.`,
  );
  await expect(guide().getByRole('status')).toContainText('Next: Pause node-b.');
});

test('a node that does not come back blocks the upgrade until it is left out', async () => {
  alive.delete('node-c');
  await beat;
  await all.cluster.database.execute(
    `UPDATE worker SET last_seen_at = now() - interval '20 minutes' WHERE worker_id = $1`,
    [IDS['node-c']],
  );
  await expect(step('node-c')).toContainText('Not seen for 20 min', { timeout: 30_000 });
  await next().getByRole('button', { name: 'Leave node-c out' }).click();
  await expect(step('node-c')).toHaveCount(0);
  await expect(guide()).toContainText('Not counted: node-c.');
  await guide().getByRole('button', { name: 'Count them again' }).click();
  await expect(step('node-c')).toHaveCount(1);
  alive.add('node-c');
  // before the leader sees the counter move it writes of the node that it stopped answering
  await beatAll();
  await says('node-c', 'available');
  await expect(step('node-c')).toContainText('Done', { timeout: 20_000 });
});

test('the Primary comes last: this window hands the lead over by its button, and then names its installer', async () => {
  await comesBack('node-b');
  await expect(next()).toContainText('Hand over the lead and pause this node, node-a');
  await next().getByRole('button', { name: 'Pause this node' }).click();
  const dialog = all.desktop.page.getByRole('dialog');
  await expect(dialog).toContainText('This node hands leadership over');
  await dialog.getByRole('button', { name: 'Pause this node' }).click();
  await expect(step('node-a')).toContainText('At rest: install now', { timeout: 20_000 });
  await expect(next()).toContainText('Run its installer on this machine.');
});
