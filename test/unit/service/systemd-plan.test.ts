import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceStep } from '../../../agent/service/service-plan.ts';
import {
  type SystemdFacts,
  systemdInstallPlan,
  systemdUninstallPlan,
  systemdUnit,
} from '../../../agent/service/systemd-plan.ts';

const FACTS: SystemdFacts = {
  program: ['/opt/ISG Pro/node', '/opt/ISG Pro/main.js'],
  configPath: '/etc/iconik/iconik_storage_gateway/config.ini',
  hasConfig: true,
  configFile: '/etc/iconik/iconik_storage_gateway/config.ini',
  changesOwner: false,
  isConfigFolderOurs: true,
  dataDir: '/var/lib/isg-pro',
  user: 'isg-pro',
  group: 'isg-pro',
  isOwnUser: true,
  isOwnGroup: true,
  caller: undefined,
  stopLimitMs: 20_000,
};

/** A unit as systemd reads it: sections, then values of each key; comments dropped, no continuation lines allowed. */
function readUnit(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[(\w+)\]$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    else {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (key === undefined || value === undefined || value.endsWith('\\')) throw new Error(`not a setting: ${line}`);
      values.set(`${section}.${key}`, [...(values.get(`${section}.${key}`) ?? []), value]);
    }
  }
  return values;
}

/** Splits and unescapes as systemd.syntax(7) and systemd.service(5) say: quotes, backslashes, then `%%` and `$$`. */
function readWords(text: string, hasVariables: boolean): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === ' ') at += 1;
    else if (text[at] !== '"') throw new Error(`an argument is not quoted: ${text.slice(at)}`);
    else {
      let word = '';
      for (at += 1; text[at] !== '"'; at += 1) {
        if (at >= text.length) throw new Error('a quote is not closed');
        if (text[at] !== '\\') word += text[at];
        else {
          at += 1;
          if (text[at] !== '\\' && text[at] !== '"') throw new Error(`an unknown escape: \\${text[at]}`);
          word += text[at];
        }
      }
      at += 1;
      words.push(word);
    }
  }
  const single = (word: string, mark: '%' | '$') =>
    word.replace(mark === '%' ? /%(.?)/gsu : /\$(.?)/gsu, (_all, next: string) => {
      if (next !== mark) throw new Error(`systemd would replace ${mark}${next}`);
      return mark;
    });
  return words.map((word) => (hasVariables ? single(single(word, '%'), '$') : single(word, '%')));
}

const path = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 30 })
  .map((text) => `/${text.replace(/\p{Cc}/gu, ' ')}`);

describe('the unit for systemd', () => {
  it('starts exactly the command it was made for, whatever characters the paths hold', () => {
    fc.assert(
      fc.property(path, path, path, path, (node, entry, configPath, dataDir) => {
        const unit = readUnit(systemdUnit({ ...FACTS, program: [node, entry], configPath, dataDir }));
        const [command = ''] = unit.get('Service.ExecStart') ?? [];
        expect(readWords(command, true)).toEqual([
          node,
          entry,
          '--service',
          '--config',
          configPath,
          '--data-dir',
          dataDir,
        ]);
      }),
    );
  });

  it('opens the read-only system for config.ini and for a data folder elsewhere, with spaces and percent signs', () => {
    const unit = readUnit(
      systemdUnit({ ...FACTS, configPath: '/etc/50% of it/config.ini', dataDir: '/usr/$data "a"' }),
    );
    const writable = (unit.get('Service.ReadWritePaths') ?? []).flatMap((value) => readWords(value, false));
    expect(writable).toEqual(['-/etc/50% of it', '-/usr/$data "a"']);
    expect(unit.has('Service.StateDirectory')).toBe(false);
  });

  it('lets the service write only config.ini where its folder holds other files', () => {
    const unit = readUnit(systemdUnit({ ...FACTS, configPath: '/etc/gateway.ini', isConfigFolderOurs: false }));
    expect(unit.get('Service.ReadWritePaths')).toEqual(['"-/etc/gateway.ini"']);
  });

  it('leaves no dump of its memory, which holds the token', () => {
    expect(readUnit(systemdUnit(FACTS)).get('Service.LimitCORE')).toEqual(['0']);
  });

  it('always comes back, and gives the agent longer to stop than the agent takes', () => {
    const unit = readUnit(systemdUnit(FACTS));
    expect(unit.get('Service.Restart')).toEqual(['always']);
    expect(unit.get('Unit.StartLimitIntervalSec')).toEqual(['0']);
    expect(Number(unit.get('Service.TimeoutStopSec'))).toBeGreaterThan(FACTS.stopLimitMs / 1_000);
    expect(unit.has('Service.MemoryDenyWriteExecute'), 'JavaScript engines write programs').toBe(false);
  });

  it('waits as long before the hundredth restart as before the first: systemd never forgets one', () => {
    const unit = readUnit(systemdUnit(FACTS));
    expect(unit.get('Service.RestartSec')).toEqual(['5']);
    for (const key of ['RestartSteps', 'RestartMaxDelaySec']) expect(unit.has(`Service.${key}`)).toBe(false);
  });
});

const commands = (steps: readonly ServiceStep[]) =>
  steps.flatMap((step) => (step.kind === 'run' ? [step.command.join(' ')] : []));

describe('the plan for systemd', () => {
  it('gives the data folder away before the agent starts and while none runs', () => {
    const said = commands(systemdInstallPlan(FACTS).steps);
    const at = (start: string) => said.findIndex((command) => command.startsWith(start));
    expect(at('systemctl stop')).toBeLessThan(at('chown'));
    expect(at('chown')).toBeLessThan(at('systemctl restart'));
  });

  it('waits for the database of another account before it gives the folder away', () => {
    const { steps } = systemdInstallPlan({ ...FACTS, changesOwner: true });
    const at = (start: string) =>
      steps.findIndex((step) => step.kind === 'run' && step.command.join(' ').startsWith(start));
    const waits = steps.findIndex((step) => step.kind === 'await-database');
    expect(at('systemctl stop')).toBeLessThan(waits);
    expect(waits).toBeLessThan(at('chown -R'));
    // the next agent of the same account takes the database over, and costs no half minute
    expect(systemdInstallPlan(FACTS).steps.some((step) => step.kind === 'await-database')).toBe(false);
  });

  it('gives the group nothing of config.ini, and follows no link that root would follow', () => {
    for (const over of [{}, { isConfigFolderOurs: false }, { user: 'media', group: 'studio' }]) {
      const facts = { ...FACTS, ...over };
      const said = commands(systemdInstallPlan(facts).steps).filter((command) => command.includes('/etc/iconik'));
      expect(said.length).toBeGreaterThan(1);
      for (const command of said)
        expect(command).toMatch(
          new RegExp(`^(chown -h ${facts.user} /|runuser -u ${facts.user} -- chmod u=rwx?,go= /)`),
        );
    }
  });

  it('makes no account that was named, and asks for it first', () => {
    const said = commands(
      systemdInstallPlan({ ...FACTS, user: 'media', group: 'media', isOwnUser: false, isOwnGroup: false }).steps,
    );
    expect(said.slice(0, 2)).toEqual(['getent group media', 'getent passwd media']);
    expect(said.some((command) => /useradd|groupadd/.test(command))).toBe(false);
  });

  it('touches no folder that config.ini shares with others', () => {
    const { steps, after } = systemdInstallPlan({
      ...FACTS,
      configPath: '/etc/gateway.ini',
      isConfigFolderOurs: false,
    });
    expect(commands(steps).filter((command) => command.endsWith(' /etc'))).toEqual([]);
    expect(after.join('\n')).toMatch(/got no right to write that folder/);
  });

  it('removes data and accounts only when asked, and accounts only when they are its own', () => {
    const removed = (facts: SystemdFacts, removeData: boolean) =>
      systemdUninstallPlan(facts, removeData).steps.flatMap((step) => (step.kind === 'remove' ? [step.path] : []));
    expect(removed(FACTS, false)).toEqual(['/etc/systemd/system/isg-pro.service']);
    const whole = systemdUninstallPlan(FACTS, true).steps;
    const data = whole.findIndex((step) => step.kind === 'remove-data' && step.dataDir === '/var/lib/isg-pro');
    expect(data, 'while the unit still says which folder').toBeLessThan(
      whole.findIndex((step) => step.kind === 'remove'),
    );
    expect(data).toBeGreaterThan(0);
    const said = commands(whole);
    expect(said.indexOf('userdel isg-pro'), 'no file that holds the token is left to a number').toBeGreaterThan(
      said.indexOf('chown -h root /etc/iconik/iconik_storage_gateway/config.ini'),
    );
    expect(commands(systemdUninstallPlan(FACTS, false).steps).join()).not.toMatch(/userdel/);
    expect(commands(systemdUninstallPlan({ ...FACTS, isOwnUser: false }, true).steps).join()).not.toMatch(/userdel/);
  });
});
