import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/**
 * The real program carries its orders out under a folder of its own; programs that would change the machine are recorded by
 * stand-ins that come first on the PATH and end with the code that `codes/NAME` says.
 */

const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
const CONFIG_FOLDER = '/etc/iconik/iconik_storage_gateway';
const PROGRAMS = [
  'getent',
  'groupadd',
  'useradd',
  'userdel',
  'groupdel',
  'systemctl',
  'chown',
  'chgrp',
  'chmod',
  'runuser',
];

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-service-'));
  mkdirSync(join(dir, 'bin'));
  const script = `#!/bin/sh\necho "$(basename "$0") $*" >> '${dir}/ran'\n[ -x '${dir}/codes' ] && exec '${dir}/codes' "$(basename "$0")" "$@"\nexit 0\n`;
  for (const name of PROGRAMS) writeFileSync(join(dir, 'bin', name), script, { mode: 0o755 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A shell script that decides the exit code of the stand-ins by their name and arguments. */
const answer = (script: string) => writeFileSync(join(dir, 'codes'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

function call(...args: string[]) {
  rmSync(join(dir, 'ran'), { force: true });
  const env = { ...process.env, PATH: `${join(dir, 'bin')}${delimiter}${process.env.PATH ?? ''}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, [AGENT, ...args], { env, encoding: 'utf8' });
  const ran = existsSync(join(dir, 'ran')) ? readFileSync(join(dir, 'ran'), 'utf8').trim().split('\n') : [];
  return { status, stdout, stderr, ran };
}
const root = () => join(dir, 'root');
const order = (action: string, ...more: string[]) => call(action, '--service-root', root(), ...more);
const unitFile = () => join(root(), 'etc/systemd/system/isg-pro.service');

describe.runIf(process.platform === 'linux')('the service on Linux', () => {
  it('is installed where nothing is yet, and again without harm', () => {
    answer('case "$1 $2" in "getent "*) exit 2;; "systemctl is-active") exit 3;; esac; exit 0');
    const first = order('--install-service');
    expect(first, first.stderr).toMatchObject({ status: 0 });
    expect(first.ran).toEqual(
      expect.arrayContaining([
        'groupadd --system isg-pro',
        expect.stringMatching(/^useradd --system --gid isg-pro .* isg-pro$/),
        'chown -R isg-pro:isg-pro /var/lib/isg-pro',
        `chgrp isg-pro ${CONFIG_FOLDER}`,
        'systemctl enable isg-pro.service',
      ]),
    );
    expect(first.ran.at(-1)).toBe('systemctl restart isg-pro.service');
    expect(first.ran).not.toContain('systemctl stop isg-pro.service');
    expect(statSync(join(root(), 'var/lib/isg-pro')).mode & 0o777).toBe(0o750);
    const unit = readFileSync(unitFile(), 'utf8');
    expect(unit).toContain('"--service"');

    answer('exit 0');
    const second = order('--install-service');
    expect(second, second.stderr).toMatchObject({ status: 0 });
    expect(second.ran.join('\n')).not.toMatch(/useradd|groupadd/);
    expect(second.ran).toContain('systemctl stop isg-pro.service');
    expect(readFileSync(unitFile(), 'utf8')).toBe(unit);
  });

  it('stays half installed when a step fails, says which and why, and is whole after the next call', () => {
    answer('case "$1" in runuser) echo "no such file" >&2; exit 1;; esac; exit 0');
    const failed = order('--install-service');
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(
      /Could not run the program as isg-pro.*ended with 1\. isg-pro has to be able to read/,
    );
    expect(failed.stderr).toMatch(/no such file/);
    expect(existsSync(unitFile()), 'nothing starts what cannot run').toBe(false);

    answer('exit 0');
    expect(order('--install-service')).toMatchObject({ status: 0 });
    expect(existsSync(unitFile())).toBe(true);
  });

  it('is removed without its data, with them only when asked, and removing what is not there succeeds', () => {
    answer('exit 0');
    expect(order('--install-service')).toMatchObject({ status: 0 });
    const kept = order('--uninstall-service');
    expect(kept, kept.stderr).toMatchObject({ status: 0 });
    expect(kept.ran).toContain('systemctl disable --now isg-pro.service');
    expect(existsSync(unitFile())).toBe(false);
    expect(existsSync(join(root(), 'var/lib/isg-pro'))).toBe(true);

    expect(order('--uninstall-service', '--remove-data')).toMatchObject({ status: 0 });
    expect(existsSync(join(root(), 'var/lib/isg-pro'))).toBe(false);

    answer('case "$1" in systemctl|getent) exit 1;; esac; exit 0');
    const nothing = order('--uninstall-service', '--remove-data');
    expect(nothing, nothing.stderr).toMatchObject({ status: 0 });
    expect(nothing.ran.join('\n')).not.toMatch(/disable|userdel|groupdel/);
  });

  it('is only shown with --print: every file with its content, every command, and nothing is run or written', () => {
    const shown = order('--install-service', '--print', '--service-group', 'studio');
    expect(shown, shown.stderr).toMatchObject({ status: 0 });
    expect(shown.stdout).toMatch(/file: \/etc\/systemd\/system\/isg-pro\.service \(mode 644\)\n {4}# Written by/);
    expect(shown.stdout).toMatch(/Group=studio/);
    expect(shown.ran.filter((command) => !command.startsWith('systemctl --version'))).toEqual([]);
    expect(existsSync(root())).toBe(false);
  });
});

describe('an order about the service', () => {
  it('shows the plan of every platform on each', () => {
    for (const [platform, words] of [
      ['darwin', /launchctl bootstrap system/],
      ['win32', /schtasks \/Create/],
    ] as const) {
      const { status, stdout } = call('--install-service', `--print=${platform}`);
      expect({ platform, status }).toEqual({ platform, status: 0 });
      expect(stdout).toMatch(words);
    }
  });

  it.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
    'that needs rights we lack changes nothing and says how to call it',
    () => {
      chmodSync(dir, 0o755);
      const source = `process.setgid(65534); process.setuid(65534); process.argv.splice(1, 1, ${JSON.stringify(AGENT)}); import(${JSON.stringify(AGENT)})`;
      const result = spawnSync(process.execPath, ['--eval', source, '--', AGENT, '--install-service'], {
        encoding: 'utf8',
        cwd: '/',
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/needs root; nothing was changed\. Call it so: sudo .*--install-service/);
    },
  );
});

const hasVerify = spawnSync('systemd-analyze', ['--version']).status === 0;

describe.runIf(hasVerify)('the unit, read by systemd itself (skipped where there is no systemd-analyze)', () => {
  it('is understood whole, with spaces, percent signs, dollars and quotes in its paths', () => {
    const config = join(dir, '100% of "it" $HOME', 'config.ini');
    const { stdout } = call('--install-service', '--print', '--service-user', 'daemon', '--config', config);
    const [, text = ''] = /\nfile: [^\n]*\n((?: {4}[^\n]*\n|\n)+)/.exec(stdout) ?? [];
    const unit = join(dir, 'isg-pro.service');
    writeFileSync(unit, text.replace(/^ {4}/gm, ''));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    // of other units of the machine it may complain as it likes
    const complaints = verified.stderr.split('\n').filter((line) => line.includes('isg-pro.service'));
    expect(complaints).toEqual([]);
    writeFileSync(unit, text.replace(/^ {4}/gm, '').replace('KillMode=process', 'KillMode=sometimes'));
    const broken = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect(broken.stderr, 'a mistake is seen').toMatch(/isg-pro\.service.*kill mode/i);
  });
});
