import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendAfterInstall } from '../../../build/package/deb-scripts.ts';

/** What installers do with a service that runs: the scripts of the deb under a real dpkg, those of the pkg alone. */

const BUILD = fileURLToPath(new URL('../../../build/', import.meta.url));
const hasDpkg = spawnSync('dpkg-deb', ['--version']).status === 0;
const PROGRAM = 'opt/ISG Pro/program';
const UNIT = 'etc/systemd/system/isg-pro.service';
const PLIST = 'Library/LaunchDaemons/io.isg-pro.agent.plist';

let dir = '';
let root = '';
const inRoot = (path: string) => join(root, path);

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-scripts-'));
  chmodSync(dir, 0o755);
  root = join(dir, 'root');
  mkdirSync(inRoot('run/systemd/system'), { recursive: true });
  mkdirSync(inRoot('var/run'), { recursive: true });
  // Tells what it was asked for, and which version of the program lay there at that moment.
  const told = `echo "$@ [$(cat '${inRoot(PROGRAM)}' 2>/dev/null)]" >>'${dir}/told'`;
  put(join(dir, 'bin/systemctl'), `#!/bin/sh\n${told}\n[ "$1" = is-active ] && cat '${dir}/state'\nexit 0\n`, 0o755);
  put(join(dir, 'bin/launchctl'), `#!/bin/sh\n${told}\n[ "$1" != print ] || [ -e '${dir}/loaded' ]\n`, 0o755);
  writeFileSync(join(dir, 'state'), 'active\n');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const env = () => ({ ...process.env, PATH: `${join(dir, 'bin')}:${process.env.PATH}:/usr/sbin:/sbin` });
const told = (): string[] => {
  const file = join(dir, 'told');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  rmSync(file, { force: true });
  return lines.filter((line) => !line.startsWith('is-active') && !line.startsWith('print'));
};

describe.skipIf(!hasDpkg)('the deb, installed by dpkg', { timeout: 120_000 }, () => {
  /** A package with our scripts and a program that tells its version. */
  function deb(name: string, version: string, more: Record<string, string> = {}): string {
    const folder = join(dir, `${name}-${version}`);
    const files = name === 'isg-pro' ? { [PROGRAM]: version, ...more } : more;
    for (const [path, text] of Object.entries(files)) put(join(folder, path), text);
    const control = {
      Package: name,
      Version: version,
      Architecture: 'all',
      Maintainer: 'x <x@x.example>',
      Description: 'x',
    };
    const lines = Object.entries(control).map(([key, value]) => `${key}: ${value}\n`);
    put(join(folder, 'DEBIAN/control'), lines.join(''));
    if (name === 'isg-pro') {
      cpSync(join(BUILD, 'deb/preinst.sh'), join(folder, 'DEBIAN/preinst'));
      cpSync(join(BUILD, 'deb/prerm.sh'), join(folder, 'DEBIAN/prerm'));
      put(
        join(folder, 'DEBIAN/postinst'),
        `#!/bin/bash\n${readFileSync(join(BUILD, 'deb/postinst.sh'), 'utf8')}`,
        0o755,
      );
    }
    const file = `${folder}.deb`;
    execFileSync('dpkg-deb', ['--build', '-Znone', folder, file], { stdio: 'pipe' });
    return file;
  }

  function dpkg(...args: string[]): number | null {
    for (const path of ['var/lib/dpkg/info', 'var/lib/dpkg/updates']) mkdirSync(inRoot(path), { recursive: true });
    writeFileSync(inRoot('var/lib/dpkg/status'), '', { flag: 'a' });
    const force = ['--force-script-chrootless', '--force-not-root', '--force-unsafe-io'];
    const { status, stderr } = spawnSync('dpkg', [`--root=${root}`, ...force, ...args], {
      env: env(),
      encoding: 'utf8',
    });
    if (status !== 0 && !stderr.includes('trying to overwrite')) throw new Error(stderr);
    return status;
  }

  const installService = (program = '/opt/ISG Pro/resources/node/node') =>
    put(inRoot(UNIT), `[Service]\nExecStart="${program}" "main.js"\n`);

  it('stops a service before the programs are replaced, and starts it with the new ones', () => {
    dpkg('-i', deb('isg-pro', '1'));
    expect(told()).toEqual([]);
    installService();
    dpkg('-i', deb('isg-pro', '2'));
    expect(told()).toEqual(['stop isg-pro.service [1]', 'start isg-pro.service [2]']);
    dpkg('-i', deb('isg-pro', '3'));
    expect(told()).toEqual(['stop isg-pro.service [2]', 'start isg-pro.service [3]']);
  });

  it('starts it again with the old programs when the upgrade fails', () => {
    dpkg('-i', deb('isg-pro', '1'));
    dpkg('-i', deb('other', '1', { 'opt/other': 'of another package' }));
    installService();
    expect(dpkg('-i', deb('isg-pro', '2', { 'opt/other': 'ours' }))).not.toBe(0);
    expect(told()).toEqual(['stop isg-pro.service [1]', 'start isg-pro.service [1]']);
  });

  it('leaves alone a service that was stopped by hand, and one of another installation', () => {
    dpkg('-i', deb('isg-pro', '1'));
    installService();
    writeFileSync(join(dir, 'state'), 'inactive\n');
    dpkg('-i', deb('isg-pro', '2'));
    expect(told()).toEqual([]);
    writeFileSync(join(dir, 'state'), 'active\n');
    installService('/srv/isg/node');
    dpkg('-i', deb('isg-pro', '3'));
    dpkg('-r', 'isg-pro');
    expect(told()).toEqual([]);
    expect(existsSync(inRoot(UNIT))).toBe(true);
  });

  it('takes its service along when it is removed', () => {
    dpkg('-i', deb('isg-pro', '1'));
    installService();
    dpkg('-r', 'isg-pro');
    expect(told()).toEqual(['disable --now isg-pro.service [1]', 'daemon-reload [1]']);
    expect(existsSync(inRoot(UNIT))).toBe(false);
  });

  it('appends its part to a script of electron-builder that reaches its end', () => {
    const builder = dirname(createRequire(import.meta.url).resolve('app-builder-lib/package.json'));
    const template = readFileSync(join(builder, 'templates/linux/after-install.tpl'), 'utf8');
    const own = readFileSync(join(BUILD, 'deb/postinst.sh'), 'utf8');
    const whole = appendAfterInstall(template, own);
    // What electron-builder replaces is its own alone, and what comes of it is a script.
    expect(own).not.toMatch(/\$\{[a-zA-Z]+\}|<%=/);
    expect(spawnSync('bash', ['-n'], { input: whole.replaceAll(/\$\{[a-zA-Z]+\}/g, 'x') }).status).toBe(0);
    expect(whole.trimEnd().endsWith(own.trimEnd())).toBe(true);
    expect(() => appendAfterInstall('#!/bin/bash\nexit 0\n', own)).toThrow(/end early/);
  });
});

describe('the scripts of the pkg', () => {
  const run = (name: string) =>
    execFileSync(join(BUILD, 'pkg-scripts', name), ['package', '/Applications', root, '/'], { env: env() });
  const installDaemon = (program: string) => put(inRoot(PLIST), `<string>${program}</string>\n`);

  it('unload a daemon before the programs are replaced, and load it after', () => {
    installDaemon('/Applications/ISG Pro.app/Contents/Resources/node/node');
    writeFileSync(join(dir, 'loaded'), '');
    run('preinstall');
    expect(told()).toEqual(['bootout system/io.isg-pro.agent []']);
    run('postinstall');
    expect(told()).toEqual([`bootstrap system ${inRoot(PLIST)} []`]);
    run('postinstall');
    expect(told()).toEqual([]);
  });

  it.each([
    ['is not loaded', '/Applications/ISG Pro.app/Contents/Resources/node/node', false],
    ['is of another installation', '/Users/ann/isg/node', true],
    ['is not there', null, false],
  ])('leave alone one that %s', (_, program, isLoaded) => {
    if (program !== null) installDaemon(program);
    if (isLoaded) writeFileSync(join(dir, 'loaded'), '');
    run('preinstall');
    run('postinstall');
    expect(told()).toEqual([]);
  });
});
