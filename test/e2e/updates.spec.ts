import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, test } from '@playwright/test';
import { MOST_STARTS } from '../../main/updates/start-plan.ts';
import { readMemory, type UpdateMemory } from '../../main/updates/update-memory.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import { type DesktopCluster, desktopCommand, openCluster, openDesktop } from './desktop.ts';
import { openScreen } from './screens.ts';
import { startUpdateFeed, type UpdateFeed } from './update-feed.ts';

// The application from source stands for an AppImage: APPIMAGE names a file that is really replaced, and the "new version" in
// it is a script that says by which path and with which arguments it was started.

const OLD_PROGRAM = '#!/bin/sh\necho old >> "$(dirname "$0")/started"\n';
const NEW_PROGRAM = `#!/bin/sh\necho "new $0 $*" >> "$(dirname "$0")/started"\n# ${'x'.repeat(200_000)}\n`;

let all: DesktopCluster;
let feed: UpdateFeed;
let place = '';
const before = { ...process.env };

const appImage = () => join(place, 'isg-pro-0.1.0-linux-x86_64.AppImage');
const started = () => (existsSync(join(place, 'started')) ? readFileSync(join(place, 'started'), 'utf8') : '');
const memoryFile = () => join(all.place.dataDir, 'updates', 'update.json');

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  test.setTimeout(120_000);
  place = mkdtempSync(join(tmpdir(), 'isg-pro-update-'));
  writeFileSync(appImage(), OLD_PROGRAM, { mode: 0o755 });
  chmodSync(appImage(), 0o755);
  Object.assign(process.env, {
    APPIMAGE: appImage(),
    APPDIR: dirname(desktopCommand({ configPath: '', dataDir: '', userDataDir: place }).executablePath),
    XDG_CACHE_HOME: join(place, 'cache'),
    ISG_PRO_TEST_UPDATES: '1',
  });
  feed = await startUpdateFeed(NEW_PROGRAM);
  all = await openCluster({
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      { name: 'node-b', roles: ['MAIN'] },
    ],
    config: { 'update-url': feed.url },
  });
  await expect(all.desktop.page.getByTestId('leader-badge')).toContainText('Primary ·', { timeout: 60_000 });
});
test.afterAll(async () => {
  await all?.close();
  await feed?.stop();
  for (const name of ['APPIMAGE', 'APPDIR', 'XDG_CACHE_HOME', 'ISG_PRO_TEST_UPDATES']) {
    const value = before[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(place, { recursive: true, force: true });
});

const update = async (): Promise<AppState['update']> => (await all.desktop.state()).update;

/** Looks once and answers what came of it. */
async function look(): Promise<AppState['update']> {
  await expect.poll(async () => (await update()).state, { timeout: 30_000 }).toMatch(/^(idle|waiting)$/);
  const count = feed.asked.length;
  await all.desktop.page.evaluate(() => window.isg.call('app.check-for-update', {}));
  await expect.poll(() => feed.asked.length, { timeout: 30_000 }).toBeGreaterThan(count);
  await expect.poll(async () => (await update()).state, { timeout: 30_000 }).toMatch(/^(idle|waiting)$/);
  return update();
}

test('an older version in the feed is no update', async () => {
  expect(await look()).toMatchObject({ state: 'idle', version: null, why: '' });
});

test('a feed that is away, leads astray or offers a damaged program is told in words, and nothing is kept of it', async () => {
  test.setTimeout(120_000);
  for (const [manner, version, words] of [
    ['away', '0.2.0', /503/],
    ['garbage', '0.2.0', /Looking for a new version failed/],
    ['good', '1.0', /Looking for a new version failed/],
    ['good', '99999999999999999999.0.0', /Looking for a new version failed/],
    ['good', '0.2.0-beta.1', /no usable version/],
    ['no-digest', '0.2.0', /could not be fetched/],
    ['wrong-digest', '0.2.0', /could not be fetched: sha512 checksum mismatch/],
    ['truncated', '0.2.0', /could not be fetched/],
    ['leads-elsewhere', '0.2.0', /could not be fetched/],
  ] as const) {
    feed.offer(version, manner);
    const { state, why } = await look();
    expect(`${manner} ${version}: ${state}`).toBe(`${manner} ${version}: idle`);
    expect(why, manner).toMatch(words);
    expect((await all.desktop.state()).updateReady).toBeNull();
  }
  await openScreen(all.desktop.page, 'overview');
  await expect(all.desktop.page.getByTestId('update')).toContainText('No updates.');
  expect(readFileSync(appImage(), 'utf8')).toBe(OLD_PROGRAM);
});

test('a new version is fetched, also over a redirect, and waits because this node leads and the other is older', async () => {
  const { page } = all.desktop;
  all.cluster.startNode('node-b');
  const members = async () => (await all.desktop.state()).snapshot?.cluster.members ?? [];
  await expect
    .poll(async () => (await members()).find(({ name }) => name === 'node-b')?.availability, { timeout: 60_000 })
    .toBe('available');
  feed.offer('0.2.0', 'redirected');
  expect(await look()).toMatchObject({ version: '0.2.0' });
  const notice = page.getByTestId('update');
  await expect(notice).toContainText('Version 0.2.0 is ready.', { timeout: 30_000 });
  await expect(notice).toContainText('It will be installed when node-b has this version', { timeout: 30_000 });
  expect(readFileSync(appImage(), 'utf8')).toBe(OLD_PROGRAM);
  const shots = process.env.ISG_PRO_SHOTS;
  for (const colorScheme of shots ? (['light', 'dark'] as const) : []) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(shots ?? '', `update-${colorScheme}.png`) });
  }
});

test('asked to install it now, the node hands the lead over, keeps the old program, replaces it in its place and starts the new one with its arguments', async () => {
  test.setTimeout(120_000);
  const { page, app } = all.desktop;
  await page.getByTestId('update').getByRole('button', { name: 'Install now' }).click();
  const gone = new Promise<void>((resolve) => app.process().once('exit', () => resolve()));
  await page.getByRole('dialog').getByRole('button', { name: 'Install now' }).click();
  await gone;
  expect(readFileSync(appImage(), 'utf8')).toBe(NEW_PROGRAM);
  await expect.poll(started).toMatch(/\n$/);
  expect(started()).toContain(`new ${appImage()} `);
  for (const argument of desktopCommand(all.place).args.slice(0, 2)) expect(started()).toContain(` ${argument} `);
  expect(readdirSync(place).toSorted()).toEqual(['cache', basename(appImage()), 'started'].toSorted());
  const { pending } = readMemory(memoryFile());
  expect(pending).toMatchObject({ phase: 'installing', from: '0.1.0', to: '0.2.0', turn: 1, starts: 0 });
  expect(readFileSync(pending?.old?.file ?? '', 'utf8')).toBe(OLD_PROGRAM);
  expect(await all.cluster.leader()).toMatchObject({ name: 'node-b' });
});

test('a start that finds the old version still there says so, and does not try by itself again', async () => {
  test.setTimeout(120_000);
  all.desktop = await openDesktop(all.place);
  await openScreen(all.desktop.page, 'overview');
  await look();
  await expect(all.desktop.page.getByTestId('update')).toContainText('is ready', { timeout: 30_000 });
  await expect(all.desktop.page.getByTestId('update')).toContainText('It is not installed by itself', {
    timeout: 30_000,
  });
  expect((await update()).last).toMatchObject({ outcome: 'not-installed', version: '0.2.0', from: '0.1.0' });
  await all.desktop.close();
});

/** Makes the next start one after an update from 0.0.9 to the version that runs. */
function justUpdated(starts: number): void {
  const kept = join(all.place.dataDir, 'updates', 'isg-pro-0.0.9.AppImage');
  mkdirSync(join(all.place.dataDir, 'updates'), { recursive: true });
  writeFileSync(kept, OLD_PROGRAM, { mode: 0o755 });
  writeFileSync(appImage(), NEW_PROGRAM, { mode: 0o755 });
  const sha512 = createHash('sha512').update(OLD_PROGRAM).digest('base64');
  const old = { file: kept, sha512, place: appImage() };
  const pending = { phase: 'installing' as const, from: '0.0.9', to: '0.1.0', turn: null, starts, why: '', old };
  writeFileSync(memoryFile(), JSON.stringify({ pending, failed: [], last: null, report: null } satisfies UpdateMemory));
}

test('a new version whose agent stays up is kept', async () => {
  test.setTimeout(120_000);
  justUpdated(0);
  all.desktop = await openDesktop(all.place);
  await expect.poll(async () => (await update()).last?.outcome, { timeout: 90_000 }).toBe('updated');
  expect(readMemory(memoryFile()).pending).toBeNull();
  expect(readFileSync(appImage(), 'utf8')).toBe(NEW_PROGRAM);
  await all.desktop.close();
});

test('a new version that was started three times in vain is replaced by the old one, which is started', async () => {
  test.setTimeout(120_000);
  justUpdated(3);
  rmSync(join(place, 'started'), { force: true });
  const desktop = await openDesktop(all.place).catch(() => null);
  await expect.poll(started, { timeout: 60_000 }).toBe('old\n');
  expect(readFileSync(appImage(), 'utf8')).toBe(OLD_PROGRAM);
  expect(readMemory(memoryFile()).pending).toMatchObject({ phase: 'rolling-back', to: '0.1.0', from: '0.0.9' });
  await desktop?.close().catch(() => undefined);
});

test('a new version whose main process fails is started anew by itself, until the old one comes back, without anybody’s help', async () => {
  test.setTimeout(120_000);
  justUpdated(MOST_STARTS - 1);
  rmSync(join(place, 'started'), { force: true });
  const fails = join(place, 'fails.cjs');
  const mistake = "setTimeout(() => { throw new Error('a mistake of the new version'); }, 300)";
  writeFileSync(fails, `require('electron').app.once('ready', () => ${mistake});\n`);
  const { executablePath, args, cwd, env } = desktopCommand(all.place);
  // of an AppImage the image is started anew, not the program in it
  writeFileSync(appImage(), `#!/bin/sh\nexec "${executablePath}" "$@"\n`);
  const child = spawn(executablePath, ['-r', fails, ...args], { cwd, env, stdio: 'ignore' });
  await once(child, 'exit');
  await expect.poll(started, { timeout: 90_000 }).toMatch(/^old\n/);
  expect(readFileSync(appImage(), 'utf8')).toBe(OLD_PROGRAM);
  expect(readMemory(memoryFile()).pending).toMatchObject({
    phase: 'rolling-back',
    to: '0.1.0',
    starts: MOST_STARTS + 1,
  });
});
