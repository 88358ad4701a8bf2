import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../../agent/contract/index.ts';
import { waitBeforeRestart } from '../../../agent/service/restart-wait.ts';

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
  it('survives a failed step, is whole after the next call, and is removed without its data unless asked', () => {
    answer(
      'case "$1 $2" in "getent "*) exit 2;; "systemctl is-active") exit 3;; runuser*) echo "no such file" >&2; exit 1;; esac',
    );
    const failed = order('--install-service');
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(
      /Could not run the program as isg-pro.*ended with 1\. isg-pro has to be able to read/,
    );
    expect(failed.stderr).toMatch(/no such file/);
    expect(existsSync(unitFile()), 'nothing starts what cannot run').toBe(false);
    expect(failed.ran).toEqual(
      expect.arrayContaining([
        'groupadd --system isg-pro',
        expect.stringMatching(/^useradd --system --gid isg-pro .* isg-pro$/),
        'chown -R isg-pro:isg-pro /var/lib/isg-pro',
        `chgrp isg-pro ${CONFIG_FOLDER}`,
      ]),
    );
    expect(failed.ran, 'none runs').not.toContain('systemctl stop isg-pro.service');

    answer('exit 0');
    const whole = order('--install-service');
    expect(whole, whole.stderr).toMatchObject({ status: 0 });
    expect(whole.ran.join('\n'), 'the account is there').not.toMatch(/useradd|groupadd/);
    expect(whole.ran).toContain('systemctl stop isg-pro.service');
    expect(whole.ran.slice(-2)).toEqual(['systemctl enable isg-pro.service', 'systemctl restart isg-pro.service']);
    expect(readFileSync(unitFile(), 'utf8')).toContain('"--service"');
    expect(statSync(join(root(), 'var/lib/isg-pro')).mode & 0o777).toBe(0o750);

    const kept = order('--uninstall-service');
    expect(kept, kept.stderr).toMatchObject({ status: 0 });
    expect(kept.ran).toContain('systemctl disable --now isg-pro.service');
    expect(existsSync(unitFile())).toBe(false);
    expect(existsSync(join(root(), 'var/lib/isg-pro'))).toBe(true);

    answer('case "$1" in systemctl|getent) exit 1;; esac');
    const nothing = order('--uninstall-service', '--remove-data');
    expect(nothing, 'what is not there is removed, too').toMatchObject({ status: 0 });
    expect(nothing.ran.join('\n')).not.toMatch(/disable|userdel|groupdel/);
    expect(existsSync(join(root(), 'var/lib/isg-pro'))).toBe(false);
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
  it('shows the plan of another platform', () => {
    const { status, stdout } = call('--install-service', '--print=win32');
    expect(status).toBe(0);
    expect(stdout).toMatch(/schtasks\.exe \/Create/);
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

describe('the wait of a service before it ends', () => {
  const wait = async (code: number, onSleep: (slept: number) => void = () => undefined) => {
    let nowMs = 0;
    const said: string[] = [];
    const stop = new AbortController();
    const clock = {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      sleep: async (ms: number) => {
        nowMs += ms;
        onSleep(nowMs);
        if (nowMs > 600_000) stop.abort();
      },
    };
    const configPath = join(dir, 'config.ini');
    const say = (line: string) => void said.push(line);
    await waitBeforeRestart({ code, reason: 'why', configPath, dataDir: dir, signal: stop.signal, say, clock });
    return { waitedMs: nowMs, said: said.length };
  };

  it.each([EXIT.stopped, EXIT.crash, EXIT.parentLost])(
    'is none after an end that a restart may mend (%i)',
    async (code) => {
      expect(await wait(code)).toEqual({ waitedMs: 0, said: 0 });
    },
  );

  it.each([EXIT.configInvalid, EXIT.schemaTooNew, EXIT.schemaFailed, EXIT.otherCluster])(
    'is a minute after one that it does not mend (%i), and over when config.ini appears',
    async (code) => {
      expect(await wait(code)).toEqual({ waitedMs: 60_000, said: 1 });
      const appears = (atMs: number) => atMs === 5_000 && writeFileSync(join(dir, 'config.ini'), '[main]');
      expect(await wait(code, appears)).toEqual({ waitedMs: 5_000, said: 1 });
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
