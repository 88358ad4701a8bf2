import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { type TrayItem, trayModel } from '../../main/tray/tray-model.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { agentPid } from './main-record.ts';
import { chooseTrayItem, type TrayTold, trayHistory, trayNow } from './tray-recorder.ts';

// What the system's tray is told: no panel shows it here, so the calls are what there is to look at.
test.describe.configure({ mode: 'serial' });

let open: DesktopCluster;
let page: Page;

test.beforeAll(async () => {
  open = await openCluster();
  page = open.desktop.page;
});

test.afterAll(() => open.close());

const tray = (): Promise<TrayTold> => trayNow(open.desktop.app);
const untilIcon = (icon: string) => expect.poll(async () => (await tray()).icon, { timeout: 20_000 }).toBe(icon);
const labelOf = async (id: string): Promise<string> => (await tray()).items.find((item) => item.id === id)?.label ?? '';

/** What the menu of the present state has to say, without separators. */
async function expectedItems(): Promise<Omit<Extract<TrayItem, { kind: 'item' }>, 'kind' | 'action'>[]> {
  const { items } = trayModel(await open.desktop.state(), Date.now());
  return items
    .filter((item) => item.kind === 'item')
    .map(({ id, label, enabled }) => ({ id, label: label.replaceAll('&', '&&'), enabled }));
}

test('a leader’s tray says so in icon, tooltip and menu, and offers exactly what can be done', async () => {
  await untilIcon('leader');
  await expect.poll(() => labelOf('health-0')).toBe('Database, iconik and 1 storage are healthy');
  expect((await tray()).items).toEqual(await expectedItems());
  const { tooltip, items } = await tray();
  expect(tooltip).toMatch(/^ISG Pro · node-a\nPrimary · term \d+\nHealthy\nNo running jobs$/);
  expect(items.map(({ id }) => id)).toEqual([
    'sentence',
    'leader',
    'health-0',
    'jobs',
    'open',
    'logs',
    'log-folder',
    'diagnostics',
    'check',
    'settings',
    'pause',
    'drill',
    'restart-agent',
    'about',
    'quit',
  ]);
  expect(await labelOf('sentence')).toBe('This node leads the cluster. It is the only node.');
});

test('a storage that is gone makes the tray degraded and names it', async () => {
  const { mediaDir } = open.cluster;
  renameSync(mediaDir, `${mediaDir} away`);
  try {
    await untilIcon('degraded');
    const healthLines = async () => (await tray()).items.filter(({ id }) => id.startsWith('health-'));
    await expect.poll(async () => (await healthLines()).map(({ label }) => label).join('\n')).toContain('NAS Post: ');
    expect((await tray()).tooltip).toMatch(/\n\d+ problems?: /);
  } finally {
    renameSync(`${mediaDir} away`, mediaDir);
  }
  await untilIcon('leader');
  await expect.poll(() => labelOf('health-0')).toContain('are healthy');
});

test('pausing and resuming from the tray pauses and resumes the node', async () => {
  await chooseTrayItem(open.desktop.app, 'pause');
  await untilIcon('paused');
  expect((await open.desktop.state()).snapshot?.isPaused).toBe(true);
  const { items, tooltip } = await tray();
  expect(tooltip).toContain('\nPaused\n');
  expect(items.map(({ id }) => id)).not.toContain('pause');
  expect(await labelOf('resume')).toBe('Resume this node');
  expect(await labelOf('sentence')).toBe('This node is paused; it takes no new work.');
  await chooseTrayItem(open.desktop.app, 'resume');
  await untilIcon('leader');
  expect(await labelOf('pause')).toContain('Pause this node');
});

test('the screens of the menu open in the window, also when it is closed', async () => {
  await chooseTrayItem(open.desktop.app, 'logs');
  await expect(page.locator('[aria-current="page"]')).toHaveText(/^Logs/);
  await chooseTrayItem(open.desktop.app, 'settings');
  await expect(page.locator('[aria-current="page"]')).toHaveText(/^Settings/);
  await open.desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.destroy());
  const opened = open.desktop.app.waitForEvent('window');
  await chooseTrayItem(open.desktop.app, 'logs');
  page = await opened;
  await expect(page.locator('[aria-current="page"]')).toHaveText(/^Logs/);
});

test('the menu opens the folder of the text files, and nothing else', async () => {
  const { app } = open.desktop;
  const openedPaths = await app.evaluateHandle(({ shell }) => {
    const paths: string[] = [];
    shell.openPath = async (path) => {
      paths.push(path);
      return '';
    };
    return paths;
  });
  await chooseTrayItem(app, 'log-folder');
  const folder = join(open.place.dataDir, 'logs');
  await expect.poll(() => openedPaths.jsonValue()).toEqual([folder]);
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['agent.log', 'main.log']));
});

test('while the agent is down the tray says nothing of leader, health and jobs, and its last item still restarts it', async () => {
  const before = agentPid(open.place.dataDir);
  const killedMs = Date.now();
  process.kill(before, 'SIGKILL');
  const whileDown = async () =>
    (await trayHistory(open.desktop.app)).find(
      ({ atMs, icon, items }) => atMs >= killedMs && icon === 'agent-down' && items[0]?.label.includes('ended'),
    );
  await expect.poll(whileDown).toBeDefined();
  const told = await whileDown();
  expect(told?.items.map(({ id }) => id)).toEqual([
    'sentence',
    'reason',
    'open',
    'logs',
    'log-folder',
    'diagnostics',
    'check',
    'settings',
    'pause',
    'restart-agent',
    'about',
    'quit',
  ]);
  expect(told?.items.find(({ id }) => id === 'pause')?.enabled).toBe(false);
  expect(told?.items.find(({ id }) => id === 'restart-agent')?.label).toBe('Start agent now');
  await untilIcon('leader');
  const again = agentPid(open.place.dataDir);
  expect(again).not.toBe(before);
  await chooseTrayItem(open.desktop.app, 'restart-agent');
  await expect.poll(() => agentPid(open.place.dataDir), { timeout: 20_000 }).not.toBe(again);
  await untilIcon('leader');
});
