import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLockFile } from '../../../agent/cache/data-folder-lock.ts';
import { EXIT } from '../../../agent/contract/index.ts';
import { carryOut } from '../../../agent/service/carry-out.ts';
import { waitBeforeRestart } from '../../../agent/service/restart-wait.ts';
import { assertRoot } from '../../support/privileges.ts';

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
      'case "$1 $2" in "getent "*) exit 2;; "systemctl is-active") exit 3;; "runuser "*) case "$*" in *--check*) echo "no such file" >&2; exit 1;; esac;; esac',
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
        `chown -h isg-pro ${CONFIG_FOLDER}`,
        `runuser -u isg-pro -- chmod u=rwx,go= ${CONFIG_FOLDER}`,
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

/** Rights are set for real, but only on files of this test. */
const setRightsForReal = () =>
  answer(
    `case "$1 $*" in *--check*) ;; chown*'${dir}'*|runuser*'${dir}'*) PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@";; esac`,
  );
/** As a member of group `games` (60) who has no other rights, or as the service's account `daemon` (1). */
const asMember = ['--reuid=65533', '--regid=65533', '--groups=60'];
const asService = ['--reuid=1', '--regid=1', '--clear-groups'];
const shell = (ids: readonly string[], script: string) =>
  spawnSync('setpriv', [...ids, 'sh', '-c', script], { encoding: 'utf8', cwd: '/' });

describe.runIf(process.platform === 'linux')('config.ini of the service on Linux', () => {
  const account = ['--service-user', 'daemon', '--service-group', 'games'];
  const config = () => join(dir, 'conf', 'config.ini');
  const install = () => order('--install-service', ...account, '--config', config(), '--data-dir', join(dir, 'data'));
  beforeEach(() => {
    assertRoot('to be other accounts');
    chmodSync(dir, 0o755);
    // as an installation that gave the group the rights has left it
    for (const folder of [join(dir, 'conf'), join(dir, 'data')]) mkdirSync(folder);
    writeFileSync(config(), '[main]\nauth-token = hunter2\n');
    chownSync(join(dir, 'conf'), 0, 60);
    chownSync(config(), 0, 60);
    chmodSync(join(dir, 'conf'), 0o775);
    chmodSync(config(), 0o664);
  });

  it('is read and replaced by the service alone, not by those who may attach', () => {
    expect(shell(asMember, `cat '${config()}'`).stdout, 'as it was').toContain('hunter2');
    setRightsForReal();
    const installed = install();
    expect(installed, installed.stderr).toMatchObject({ status: 0 });
    for (const attempt of [
      `cat '${config()}'`,
      `echo ffmpeg-path=/tmp/x >> '${config()}'`,
      `ln -sf /etc/hosts '${config()}'`,
    ])
      expect(shell(asMember, attempt).status, attempt).not.toBe(0);
    expect(readFileSync(config(), 'utf8')).toBe('[main]\nauth-token = hunter2\n');
    expect(shell(asService, `cp '${config()}' '${config()}.tmp' && mv '${config()}.tmp' '${config()}'`).status).toBe(0);
    const again = order('--install-service');
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(again.ran, 'nobody else gets it').toContain(`chown -h daemon ${config()}`);
    expect(readFileSync(unitFile(), 'utf8')).toMatch(/^User=daemon\nGroup=games$/m);
  });

  it('that is another account’s link, or has other names, is refused before anything is touched', () => {
    const target = join(dir, 'passwd');
    writeFileSync(target, 'root');
    rmSync(config());
    symlinkSync(target, config());
    lchownSync(config(), 65_533, 60);
    const linked = install();
    expect(linked.status).toBe(1);
    expect(linked.stderr).toMatch(/a link that is not root's; nothing was changed/);
    expect(linked.ran.filter((command) => !command.startsWith('systemctl --version'))).toEqual([]);
    rmSync(config());
    linkSync(target, config());
    expect(install().stderr).toMatch(/other names/);
    // laid there after the look: neither owner nor mode of what it leads to change
    rmSync(config());
    writeFileSync(config(), '');
    const late = join(dir, 'late');
    writeFileSync(late, `rm -f '${config()}'; ln -s '${target}' '${config()}'`);
    const rights = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@"';
    answer(
      `case "$1 $*" in chown*'${dir}/conf'*) sh '${late}'; ${rights};; *--check*) ;; chown*'${dir}'*|runuser*'${dir}'*) ${rights};; esac`,
    );
    expect(install().stderr, 'the account may not change what is not its own').toMatch(
      /Could not shut everybody else out of .*config\.ini, as daemon/,
    );
    expect(statSync(target)).toMatchObject({ uid: 0, mode: 0o100644 });
  });
});

describe.runIf(process.platform === 'linux')('folders of the service on Linux', () => {
  const place = (path: string) => join(root(), path);
  const put = (path: string) => {
    mkdirSync(dirname(place(path)), { recursive: true });
    writeFileSync(place(path), '');
  };

  it('can be passed by the account also when root works under a strict umask', () => {
    const before = process.umask(0o077);
    const installed = order('--install-service');
    process.umask(before);
    expect(installed, installed.stderr).toMatchObject({ status: 0 });
    const modes = ['etc', 'etc/iconik', 'etc/systemd/system', 'var', 'var/lib'].map(
      (path) => statSync(place(path)).mode & 0o777,
    );
    expect(modes).toEqual(modes.map(() => 0o755));
    expect(installed.ran, 'and the account is asked').toContain('runuser -u isg-pro -- test -w /var/lib/isg-pro');
  });

  it('are those that it was installed with when its data are removed, and no others', () => {
    const elsewhere = ['--data-dir', '/srv/node a'];
    put('/var/lib/isg-pro/lock.db');
    expect(order('--install-service', ...elsewhere)).toMatchObject({ status: 0 });
    // an agent that found no configuration has left no more
    put('/srv/node a/logs/service.log');
    const again = order('--install-service');
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(readFileSync(unitFile(), 'utf8'), 'what no flag says stays as it is').toContain('"/srv/node a"');

    const other = order('--uninstall-service', '--remove-data', '--data-dir', '/var/lib/isg-pro');
    expect(other.stderr).toMatch(/The service has \/srv\/node a, not \/var\/lib\/isg-pro; nothing was changed/);
    const text = readFileSync(unitFile(), 'utf8');
    writeFileSync(unitFile(), text.replace('"--data-dir"', ''));
    expect(order('--uninstall-service', '--remove-data').stderr).toMatch(/does not say which data folder/);
    writeFileSync(unitFile(), text);
    put('/srv/node a/footage.mov');
    expect(order('--uninstall-service', '--remove-data').stderr).toMatch(/footage\.mov/);
    rmSync(place('/srv/node a/footage.mov'));
    expect(existsSync(unitFile()), 'all were refused').toBe(true);

    const removed = order('--uninstall-service', '--remove-data');
    expect(removed, removed.stderr).toMatchObject({ status: 0 });
    expect([existsSync(place('/srv/node a')), existsSync(place('/var/lib/isg-pro/lock.db'))]).toEqual([false, true]);
  });

  it('do not become its own where others’ files lie, an agent’s or not', () => {
    put('/srv/lock.db');
    put('/srv/Documents');
    const refused = order('--install-service', '--data-dir', '/srv');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/does not hold the files of an agent alone.*Documents/);
    expect(existsSync(unitFile())).toBe(false);
  });
});

describe('a data folder that an order empties or gives away', () => {
  /** `onSleep` happens while the order waits. */
  const carriedOut = async (kind: 'await-database' | 'remove-data', onSleep: () => void = () => undefined) => {
    let nowMs = 0;
    const said: string[] = [];
    const clock = {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      sleep: async (ms: number) => {
        nowMs += ms;
        onSleep();
      },
    };
    const ended = await carryOut([{ kind, dataDir: join(dir, 'data') }], {
      say: (line) => void said.push(line),
      clock,
    });
    return { ended, said };
  };
  const lockOf = (name: string) => {
    const path = join(dir, 'data', name);
    mkdirSync(dirname(path), { recursive: true });
    const lock = tryLockFile(path);
    if (lock === null) throw new Error(`${name} is held`);
    return lock;
  };

  it.each(['await-database', 'remove-data'] as const)('is left alone while an agent works there (%s)', async (kind) => {
    const agent = lockOf('lock.db');
    const { ended } = await carriedOut(kind);
    expect(ended).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/An agent works in .*not the service/),
    });
    expect(existsSync(join(dir, 'data', 'lock.db'))).toBe(true);
    agent.release();
    expect((await carriedOut(kind)).ended).toEqual({ kind: 'done' });
    expect(existsSync(join(dir, 'data'))).toBe(kind === 'await-database');
  });

  it('waits for the embedded database, and lets no agent in meanwhile', async () => {
    lockOf('lock.db').release();
    const keeper = lockOf('embedded-db/keeper.lock');
    let couldEnter = false;
    const { ended, said } = await carriedOut('remove-data', () => {
      couldEnter ||= tryLockFile(join(dir, 'data', 'lock.db')) !== null;
      keeper.release();
    });
    expect(ended).toEqual({ kind: 'done' });
    expect(said[0]).toMatch(/waiting for the embedded database/);
    expect(couldEnter).toBe(false);
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
    const { stdout } = call(
      '--install-service',
      '--print',
      '--service-user',
      'daemon',
      '--service-group',
      'daemon',
      '--config',
      config,
    );
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
