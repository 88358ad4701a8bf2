import { existsSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { extractFile, listPackage } from '@electron/asar';
import { expect, test } from '@playwright/test';
import { readFuses } from '../../build/package/fuses.ts';
import type { UnpackedApp } from '../../build/package/unpacked-app.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { makeTestBuild, packageApp } from './installed-app.ts';
import { trayNow } from './tray-recorder.ts';

// What a customer installs: built by the packaging script, looked at, and started.
test.describe.configure({ mode: 'serial', timeout: 240_000 });

let app: UnpackedApp;
let testBuild: UnpackedApp;

test.beforeAll(async () => {
  test.setTimeout(240_000);
  app = packageApp();
  testBuild = await makeTestBuild(app);
});

test('every fuse of the built application is set', async () => {
  expect(Object.fromEntries(await readFuses(app.executable))).toMatchObject({
    RunAsNode: 'off',
    EnableCookieEncryption: 'on',
    EnableNodeOptionsEnvironmentVariable: 'off',
    EnableNodeCliInspectArguments: 'off',
    EnableEmbeddedAsarIntegrityValidation: 'on',
    OnlyLoadAppFromAsar: 'on',
    LoadBrowserProcessSpecificV8Snapshot: 'off',
    GrantFileProtocolExtraPrivileges: 'off',
  });
});

test('only what runs is inside: no sources, no tests, no ffmpeg or Node of development, no mark of a test build', () => {
  const inside = listPackage(join(app.resources, 'app.asar'), { isPack: false });
  const strange = inside.filter(
    (path) =>
      !/^\/(package\.json|LICENSE|node_modules(\/.*)?|out|out\/(main|preload|renderer|agent)(\/.*)?)$/.test(path),
  );
  expect(strange).toEqual([]);
  expect(
    inside.filter((path) =>
      /\/(node-[a-z]+-(x64|arm64)|@ff(mpeg|probe)-installer|electron-builder|vitest|playwright)(\/|$)/.test(path),
    ),
  ).toEqual([]);
  expect(inside.filter((path) => path.endsWith('.ts') || path.endsWith('.map'))).toEqual([]);
  expect(existsSync(join(app.resources, 'test-build.json'))).toBe(false);
  expect(readdirSync(join(app.resources, 'node'))).toHaveLength(1);
});

test('main, preload and window load nothing from outside the archive', () => {
  const main = extractFile(join(app.resources, 'app.asar'), 'out/main/main.js').toString('utf8');
  const loaded = [...main.matchAll(/(?:\bfrom|\bimport|\b(?:__)?require\()\s*["']([^"'.][^"']*)["']/g)].map(
    ([, name]) => name ?? '',
  );
  expect(loaded).toContain('electron');
  expect(loaded.filter((name) => name !== 'electron' && !isBuiltin(name))).toEqual([]);
  const unpacked = readdirSync(join(app.resources, 'app.asar.unpacked/out'));
  expect(unpacked).toEqual(['agent']);
});

test.describe('started', () => {
  let open: DesktopCluster;

  test.beforeAll(async () => {
    open = await openCluster({ installed: testBuild.executable });
  });
  test.afterAll(() => open.close());

  test('it shows its window and its tray, and its agent gets ready and leads', async () => {
    const { desktop } = open;
    const { page, app: running } = desktop;
    expect(await running.evaluate(({ app: electron }) => electron.isPackaged)).toBe(true);
    await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
    await expect.poll(async () => (await desktop.state()).agent.state, { timeout: 30_000 }).toBe('running');
    await expect.poll(async () => (await trayNow(running)).icon, { timeout: 30_000 }).toBe('leader');
    expect((await trayNow(running)).items.map(({ id }) => id)).toContain('quit');
  });
});
