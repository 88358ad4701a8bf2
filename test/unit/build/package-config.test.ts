import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configProblems } from '../../../build/package/check-config.ts';
import { judgeSizes, SIZE_BUDGETS } from '../../../build/package/folder-size.ts';
import { type PackageConfig, readPackageConfig } from '../../../build/package/read-config.ts';
import { hostTarget, programFile, targetName } from '../../../build/package/target.ts';
import { unpackedApp } from '../../../build/package/unpacked-app.ts';

const FILE = fileURLToPath(new URL('../../../electron-builder.yml', import.meta.url));

const read = await readPackageConfig(FILE);

/** A copy of the configuration in which `change` has been laid over one part. */
function spoilt<K extends keyof PackageConfig>(part: K, change: (value: PackageConfig[K]) => PackageConfig[K]) {
  if (read.config === null) throw new Error('The configuration cannot be read');
  return { ...read.config, [part]: change(read.config[part]) };
}

test('the configuration is what electron-builder publishes as its own, and a release may be built from it', () => {
  expect(read.problems).toEqual([]);
  expect(configProblems(spoilt('appId', (id) => id))).toEqual([]);
});

test.each<[string, PackageConfig, RegExp]>([
  ['a fuse that lets anybody run scripts', spoilt('electronFuses', (f) => ({ ...f, runAsNode: true })), /runAsNode/],
  [
    'a fuse that nobody set',
    spoilt('electronFuses', ({ runAsNode }) => ({ runAsNode: runAsNode === true })),
    /onlyLoadAppFromAsar/,
  ],
  ['a test build', spoilt('extraResources', (r) => [...r, 'test-build.json']), /test-build/],
  ['an agent inside the archive', spoilt('asarUnpack', (u) => u.slice(1)), /out\/agent/],
  ['a program that is left out', spoilt('files', (f) => f.filter((one) => !one.includes('preload'))), /preload/],
  ['updates without TLS', spoilt('publish', (p) => ({ ...p, url: 'http://updates.example' })), /https/],
  [
    'a missing Mac processor',
    spoilt('mac', (m) => ({ ...m, target: m.target.map((t) => ({ ...t, arch: t.arch.slice(0, 1) })) })),
    /arm64/,
  ],
  ['a missing installer', spoilt('linux', (l) => ({ ...l, target: l.target.slice(0, 1) })), /deb/],
  ['no hardened runtime', spoilt('mac', (m) => ({ ...m, hardenedRuntime: false })), /notarised/],
  ['data removed with the program', spoilt('nsis', (n) => ({ ...n, deleteAppDataOnUninstall: true })), /on request/],
  ['an installation for one person', spoilt('nsis', (n) => ({ ...n, perMachine: false })), /machine/],
  ['a service that is not stopped for an upgrade', spoilt('deb', (d) => ({ ...d, fpm: d.fpm.slice(1) })), /preinst/],
  ['a service that outlives its programs', spoilt('deb', (d) => ({ ...d, fpm: d.fpm.slice(0, 1) })), /prerm/],
  ['a service that stays stopped', spoilt('deb', (d) => ({ ...d, afterInstall: 'build/x.sh' })), /starts the service/],
])('%s is found', (_, config, words) => {
  expect(configProblems(config).join('\n')).toMatch(words);
});

test('a part above its budget is named, and one that is missing weighs nothing', () => {
  const [first] = SIZE_BUDGETS;
  const sizes = new Map([[first?.part ?? '', (first?.megabytes ?? 0) * 1e6 + 1]]);
  const { lines, isWithin } = judgeSizes(sizes);
  expect(isWithin).toBe(false);
  expect(lines.filter((line) => line.startsWith('TOO BIG'))).toHaveLength(1);
  expect(judgeSizes(new Map()).isWithin).toBe(true);
});

test('each platform’s application lies where electron-builder leaves it', () => {
  expect(unpackedApp('out', { platform: 'linux', arch: 'x64' }).executable).toBe('out/linux-unpacked/isg-pro');
  expect(unpackedApp('out', { platform: 'linux', arch: 'arm64' }).resources).toBe('out/linux-arm64-unpacked/resources');
  expect(unpackedApp('out', { platform: 'win32', arch: 'x64' }).executable).toBe('out/win-unpacked/ISG Pro.exe');
  expect(unpackedApp('out', { platform: 'darwin', arch: 'arm64' }).resources).toBe(
    'out/mac-arm64/ISG Pro.app/Contents/Resources',
  );
  expect(targetName({ platform: 'darwin', arch: 'x64' })).toBe('mac-x64');
  expect(programFile('node', { platform: 'win32', arch: 'x64' })).toBe('node.exe');
  expect(() => hostTarget('freebsd', 'x64')).toThrow(/not on freebsd/);
  expect(() => hostTarget('linux', 'ia32')).toThrow(/not for ia32/);
});
