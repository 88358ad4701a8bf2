import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type WindowsFacts,
  windowsInstallPlan,
  windowsTask,
  windowsUninstallPlan,
} from '../../../agent/service/windows-plan.ts';
import { windowsCommandLine } from '../../../agent/service/windows-words.ts';

const FACTS: WindowsFacts = {
  program: ['C:\\Program Files\\ISG Pro\\node.exe', 'C:\\Program Files\\ISG Pro\\main.js'],
  configPath: 'C:\\Program Files\\Cantemo\\Iconik Storage Gateway\\config.ini',
  hasConfig: true,
  configFile: 'C:\\Program Files\\Cantemo\\Iconik Storage Gateway\\config.ini',
  changesOwner: false,
  isConfigFolderOurs: true,
  dataDir: 'C:\\ProgramData\\ISG Pro',
  user: 'NT AUTHORITY\\NetworkService',
  group: '',
  isOwnUser: true,
  isOwnGroup: true,
  caller: undefined,
  taskFile: 'C:\\Program Files\\ISG Pro Service\\task.xml',
  systemRoot: 'C:\\Windows',
};

/** Arguments behind the program, split by the documented rules of CommandLineToArgvW. */
function splitCommandLine(line: string): string[] {
  const args: string[] = [];
  let current: string | null = null;
  let isQuoted = false;
  for (let at = 0; at < line.length; ) {
    const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    const next = line[at + slashes];
    if (next === '"') {
      current = (current ?? '') + '\\'.repeat(Math.floor(slashes / 2));
      at += slashes + 1;
      if (slashes % 2 === 1) current += '"';
      else if (isQuoted && line[at] === '"') {
        current += '"';
        at += 1;
      } else isQuoted = !isQuoted;
    } else if (slashes > 0) {
      current = (current ?? '') + '\\'.repeat(slashes);
      at += slashes;
    } else if (!isQuoted && (next === ' ' || next === '\t')) {
      if (current !== null) args.push(current);
      current = null;
      at += 1;
    } else {
      current = (current ?? '') + (next ?? '');
      at += 1;
    }
  }
  if (current !== null) args.push(current);
  return args;
}

const argument = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.constantFrom('\\', '"', ' ', 'a', '%', '^', '&')).map((parts) => parts.join('')),
);

const parseTask = (text: string) =>
  z
    .object({
      Task: z.object({
        Triggers: z.record(z.string(), z.object({ Repetition: z.object({ Interval: z.string() }) }).loose()),
        Principals: z.object({
          Principal: z.object({ UserId: z.string(), LogonType: z.string().optional(), RunLevel: z.string() }),
        }),
        Settings: z.looseObject({ MultipleInstancesPolicy: z.string(), ExecutionTimeLimit: z.string() }),
        Actions: z.object({ Exec: z.object({ Command: z.string(), Arguments: z.string() }).loose() }),
      }),
    })
    .parse(new XMLParser({ parseTagValue: false }).parse(text)).Task;

describe('a command line for Windows', () => {
  it('is split into the arguments it was made of', () => {
    fc.assert(
      fc.property(fc.array(argument), (args) => {
        expect(splitCommandLine(windowsCommandLine(args))).toEqual(args);
      }),
    );
  });
});

describe('the task for Windows', () => {
  it('starts exactly the command it was made for, with the characters that XML reserves', () => {
    const odd = { ...FACTS, dataDir: 'D:\\R&D <"media">\\', configPath: 'D:\\a&amp;b\\config.ini' };
    const { Command, Arguments } = parseTask(windowsTask(odd)).Actions.Exec;
    expect([Command, ...splitCommandLine(Arguments)]).toEqual([
      ...FACTS.program,
      '--service',
      '--config',
      odd.configPath,
      '--data-dir',
      odd.dataDir,
    ]);
  });

  it('runs under an account that is no administrator, starts with the machine and again after any end, without a limit', () => {
    const task = parseTask(windowsTask(FACTS));
    expect(task.Principals.Principal).toMatchObject({ UserId: 'S-1-5-20', RunLevel: 'LeastPrivilege' });
    expect(Object.keys(task.Triggers)).toEqual(['BootTrigger', 'TimeTrigger']);
    for (const { Repetition } of Object.values(task.Triggers)) expect(Repetition.Interval).toBe('PT1M');
    expect(task.Settings).toMatchObject({
      MultipleInstancesPolicy: 'IgnoreNew',
      ExecutionTimeLimit: 'PT0S',
      StopIfGoingOnBatteries: 'false',
    });
  });

  it('asks for the password of a named account at the terminal and holds it nowhere', () => {
    const { steps } = windowsInstallPlan({ ...FACTS, user: 'STUDIO\\media', isOwnUser: false });
    const create = steps.find((step) => step.kind === 'run' && step.command.includes('/Create'));
    expect(create).toMatchObject({ isInteractive: true });
    expect(create?.kind === 'run' && create.command.slice(-4)).toEqual(['/RU', 'STUDIO\\media', '/RP', '*']);
    expect(parseTask(windowsTask({ ...FACTS, user: 'STUDIO\\media' })).Principals.Principal.LogonType).toBe('Password');
  });

  it('shuts everybody else out of the data folder, and opens no folder that holds other programs', () => {
    const icacls = (facts: WindowsFacts) =>
      windowsInstallPlan(facts).steps.flatMap((step) =>
        step.kind === 'run' && step.command[0] === 'C:\\Windows\\System32\\icacls.exe' ? [step.command.slice(1)] : [],
      );
    const folder = icacls(FACTS).filter(([path]) => path === 'C:\\ProgramData\\ISG Pro');
    expect(folder.at(-1)).toEqual(expect.arrayContaining(['/inheritance:r']));
    const shared = icacls({ ...FACTS, isConfigFolderOurs: false });
    expect(shared.flat()).not.toContain('C:\\Program Files\\Cantemo\\Iconik Storage Gateway');
  });

  it('takes over a data folder that somebody made before: its owner, their rights, then what lies inside', () => {
    const orders = windowsInstallPlan(FACTS).steps.flatMap((one) => {
      if (one.kind === 'folder') return [`make ${one.path}`];
      return one.kind === 'run' && one.command[0]?.endsWith('icacls.exe') ? [one.command.slice(1, 4).join(' ')] : [];
    });
    const data = 'C:\\ProgramData\\ISG Pro';
    expect(orders.slice(0, 7)).toEqual([
      `make ${data}`,
      `${data} /setowner *S-1-5-32-544`,
      `${data} /reset /L`,
      `${data} /inheritance:r /grant:r`,
      `make ${data}\\logs`,
      `${data}\\* /setowner *S-1-5-32-544`,
      `${data}\\* /reset /T`,
    ]);
  });

  it.each([true, false])(
    'leaves config.ini, which holds the token, to service, administrators and system (its own folder: %s)',
    (isConfigFolderOurs) => {
      const said = windowsInstallPlan({ ...FACTS, isConfigFolderOurs }).steps.flatMap((step) =>
        step.kind === 'run' && step.command[1]?.includes('Iconik Storage Gateway') ? [step.command.slice(1)] : [],
      );
      // inherited rights go, where Program Files lets everybody read
      const own = said.find((command) => command.includes('/inheritance:r')) ?? [];
      expect(own[0]).toBe(isConfigFolderOurs ? 'C:\\Program Files\\Cantemo\\Iconik Storage Gateway' : FACTS.configPath);
      const accounts = own.slice(own.indexOf('/grant:r') + 1).map((grant) => grant.split(':')[0]);
      expect(accounts).toEqual(['*S-1-5-20', '*S-1-5-32-544', '*S-1-5-18']);
      // what the file has of its own goes, too
      expect(said).toContainEqual([FACTS.configPath, '/reset']);
    },
  );

  it('is removed only if it is there, so that an uninstaller may always ask for it', () => {
    const { steps } = windowsUninstallPlan(FACTS, false);
    for (const step of steps) if (step.kind === 'run') expect(step.when).toMatchObject({ kind: 'onlyIf' });
    expect(steps.filter((step) => step.kind === 'remove')).toEqual([
      { kind: 'remove', path: 'C:\\Program Files\\ISG Pro Service' },
    ]);
  });
});
