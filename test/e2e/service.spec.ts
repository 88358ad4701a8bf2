import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { MediaCluster } from '../support/media-cluster.ts';
import { type Desktop, type DesktopPlace, openDesktop } from './desktop.ts';
import { openScreen, sentenceOf } from './screens.ts';
import { chooseTrayItem, trayNow } from './tray-recorder.ts';

// One service lives through all of it, in this order.
test.describe.configure({ mode: 'serial' });

const AGENT = fileURLToPath(new URL('../../agent/main.ts', import.meta.url));
const LONG = { timeout: 40_000 };

let dir: string;
let cluster: MediaCluster;
let place: DesktopPlace;
let desktop: Desktop;
let service: ChildProcess;
let serviceConfigPath: string;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-e2e-service-'));
  cluster = await MediaCluster.create({
    dir,
    nodes: [{ name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] }],
    storageSettings: () => ({ growing_files_threshold: 1 }),
    config: {},
  });
  serviceConfigPath = join(dir, 'node-a', 'config.ini');
  place = {
    configPath: join(dir, 'user', 'config.ini'),
    dataDir: join(dir, 'user'),
    userDataDir: join(dir, 'electron'),
    serviceSocket: join(dir, 'run', 'agent.sock'),
  };
  startService();
  await expect.poll(() => existsSync(place.serviceSocket ?? ''), LONG).toBe(true);
  desktop = await openDesktop(place);
});

test.afterAll(async () => {
  await desktop?.close();
  await endService('SIGKILL');
  await cluster?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** As its supervisor does. */
function startService(): void {
  const args = ['--service', '--service-socket', place.serviceSocket ?? '', '--config', serviceConfigPath];
  service = spawn(process.execPath, [AGENT, ...args, '--data-dir', join(dir, 'node-a', 'data')], { stdio: 'ignore' });
  cluster.watch(service);
}

async function endService(signal: NodeJS.Signals): Promise<void> {
  if (service === undefined || !isServiceAlive()) return;
  service.kill(signal);
  await once(service, 'exit');
}

const isServiceAlive = () => service.exitCode === null && service.signalCode === null;
const trayLabels = async () => (await trayNow(desktop.app)).items.map(({ label }) => label).join('\n');

async function untilAttached(): Promise<void> {
  await expect(desktop.page.getByTestId('leader-badge')).toContainText('Primary ·', LONG);
  expect((await desktop.state()).agent).toMatchObject({ state: 'running', service: { at: 'attached' } });
}

test('the application attaches to a service that runs, starts no agent of its own, and says so', async () => {
  await untilAttached();
  const { snapshot, config } = await desktop.state();
  expect(snapshot?.node.dataDir).toBe(join(dir, 'node-a', 'data'));
  expect(config).toEqual({ path: serviceConfigPath, status: 'ok', problems: [] });
  expect(existsSync(join(place.dataDir, 'lock.db'))).toBe(false);
  expect(existsSync(place.configPath)).toBe(false);
  await openScreen(desktop.page, 'overview');
  await expect(sentenceOf(desktop.page)).toContainText('This node runs as a service.');
  expect(await trayLabels()).toContain('Runs as a service');
  await desktop.page.screenshot({ path: test.info().outputPath('attached.png') });
});

test('a setting that is saved goes through the service into its config.ini; what is its own is refused', async () => {
  const { page } = desktop;
  await openScreen(page, 'settings');
  const field = page.getByTestId('key-log-level');
  await field.getByRole('combobox').selectOption('debug');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => readFileSync(serviceConfigPath, 'utf8')).toContain('log-level = debug');
  await page.screenshot({ path: test.info().outputPath('settings.png') });
  expect(existsSync(place.configPath)).toBe(false);
  const refused = await page.evaluate(() => window.isg.call('config.write', { changes: { 'ffmpeg-path': '/tmp/x' } }));
  expect(refused).toMatchObject({ ok: true, value: { problems: [expect.stringContaining('an administrator')] } });
  const read = await page.evaluate(() => window.isg.call('config.read', {}));
  const token = /^auth-token\s*=\s*(\S+)/m.exec(readFileSync(serviceConfigPath, 'utf8'))?.[1] ?? '';
  expect(token.length).toBeGreaterThan(8);
  expect(JSON.stringify(read).includes(token)).toBe(false);
});

test('quitting leaves the service running, and the next start attaches again', async () => {
  await chooseTrayItem(desktop.app, 'quit').catch(() => undefined);
  await desktop.app.waitForEvent('close').catch(() => undefined);
  expect(isServiceAlive()).toBe(true);
  desktop = await openDesktop(place);
  await untilAttached();
});

test('a service that is killed is told in tray and window, nothing is started in its place, and it is attached again', async () => {
  await openScreen(desktop.page, 'overview');
  await endService('SIGKILL');
  const banner = desktop.page.getByTestId('agent-banner');
  await expect(banner).toContainText('The service is not running.', LONG);
  await expect(sentenceOf(desktop.page)).toContainText('The service is not running.');
  await expect.poll(async () => (await trayNow(desktop.app)).tooltip, LONG).toContain('The service is not running.');
  await desktop.page.screenshot({ path: test.info().outputPath('not-running.png') });
  expect(existsSync(join(place.dataDir, 'lock.db'))).toBe(false);
  startService();
  await untilAttached();
  await expect(banner).toHaveCount(0);
});

test('a restart by hand ends the service with the code by which its supervisor starts it anew', async () => {
  await desktop.page.evaluate(() => window.isg.call('agent.restart', {}));
  if (isServiceAlive()) await once(service, 'exit');
  expect(service.exitCode).toBe(75);
  await expect(desktop.page.getByTestId('agent-banner')).toContainText('The service is starting anew.', LONG);
  startService();
  await untilAttached();
});
