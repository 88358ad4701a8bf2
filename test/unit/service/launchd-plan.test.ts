import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  freeId,
  type LaunchdFacts,
  launchdInstallPlan,
  launchdPlist,
  launchdUninstallPlan,
} from '../../../agent/service/launchd-plan.ts';

const FACTS: LaunchdFacts = {
  program: ['/Applications/ISG Pro.app/node', '/Applications/ISG Pro.app/main.js'],
  configPath: '/Library/Application Support/Cantemo/IconikStorageGateway/config.ini',
  hasConfig: true,
  configFile: '/Library/Application Support/Cantemo/IconikStorageGateway/config.ini',
  changesOwner: false,
  isConfigFolderOurs: true,
  dataDir: '/Library/Application Support/ISG Pro',
  user: '_isgpro',
  group: '_isgpro',
  isOwnUser: true,
  isOwnGroup: true,
  caller: 'ann',
  uid: 351,
  gid: 352,
  stopLimitMs: 20_000,
};

const nodes = z.array(z.record(z.string(), z.unknown()));
const textOf = (node: unknown) => z.array(z.object({ '#text': z.string() })).parse(node)[0]?.['#text'] ?? '';

/** The property list as Apple's reader sees it: pairs of key and typed value, in order. */
function readPlist(text: string): Record<string, unknown> {
  const parsed = nodes.parse(
    new XMLParser({ preserveOrder: true, parseTagValue: false, trimValues: true }).parse(text),
  );
  const plist = nodes.parse(parsed.find((node) => 'plist' in node)?.plist);
  const dict = nodes.parse(plist[0]?.dict);
  const values: Record<string, unknown> = {};
  for (let at = 0; at < dict.length; at += 2) {
    const [key, value] = [dict[at]?.key, dict[at + 1]];
    if (value === undefined) throw new Error('a key without value');
    const [kind = ''] = Object.keys(value);
    if (kind === 'array') values[textOf(key)] = nodes.parse(value.array).map(({ string }) => textOf(string));
    else if (kind === 'true' || kind === 'false') values[textOf(key)] = kind === 'true';
    else values[textOf(key)] = kind === 'integer' ? Number(textOf(value.integer)) : textOf(value[kind]);
  }
  return values;
}

/** Those of launchd.plist(5) that are used here, with their types. */
const DOCUMENTED = z.strictObject({
  Label: z.string(),
  ProgramArguments: z.array(z.string()),
  UserName: z.string(),
  GroupName: z.string(),
  WorkingDirectory: z.string(),
  RunAtLoad: z.boolean(),
  KeepAlive: z.boolean(),
  ThrottleInterval: z.number().int(),
  ExitTimeOut: z.number().int(),
  ProcessType: z.enum(['Background', 'Standard', 'Adaptive', 'Interactive']),
  StandardOutPath: z.string(),
  StandardErrorPath: z.string(),
});

describe('the property list for launchd', () => {
  it('holds documented keys of the documented types, and starts exactly the command it was made for', () => {
    const odd = { ...FACTS, dataDir: '/Volumes/R&D <media> "a" ]]>', configPath: '/a&amp;b/config.ini' };
    const plist = DOCUMENTED.parse(readPlist(launchdPlist(odd)));
    expect(plist.ProgramArguments).toEqual([
      ...FACTS.program,
      '--service',
      '--config',
      odd.configPath,
      '--data-dir',
      odd.dataDir,
    ]);
  });

  it('starts with the machine, always comes back, and gives the agent longer to stop than the agent takes', () => {
    const plist = DOCUMENTED.parse(readPlist(launchdPlist(FACTS)));
    expect(plist).toMatchObject({ RunAtLoad: true, KeepAlive: true, UserName: '_isgpro' });
    expect(plist.ExitTimeOut).toBeGreaterThan(FACTS.stopLimitMs / 1_000);
  });
});

describe('the plan for launchd', () => {
  it('sets every property of the account each time, so that a half-made one becomes whole', () => {
    const made = launchdInstallPlan(FACTS).steps.flatMap((step) =>
      step.kind === 'run' && step.command[0] === 'dscl' ? [step] : [],
    );
    expect(made.map(({ command }) => command.slice(3).join(' '))).toEqual(
      expect.arrayContaining(['/Users/_isgpro UniqueID 351', '/Users/_isgpro PrimaryGroupID 352']),
    );
    for (const step of made) expect(step.when).toBeUndefined();
  });

  it('gives the group nothing of config.ini, and waits for the database of another account', () => {
    const { steps } = launchdInstallPlan({ ...FACTS, changesOwner: true });
    const said = steps.flatMap((step) =>
      step.kind === 'run' && step.command.some((word) => word.includes('Cantemo')) ? [step.command.join(' ')] : [],
    );
    expect(said.length).toBeGreaterThan(1);
    for (const command of said)
      expect(command).toMatch(/^(chown -h _isgpro \/|sudo -n -u _isgpro -- chmod u=rwx?,go= \/)/);
    const at = (start: string) =>
      steps.findIndex((step) => step.kind === 'run' && step.command.join(' ').startsWith(start));
    const waits = steps.findIndex((step) => step.kind === 'await-database');
    expect(at('launchctl bootout')).toBeLessThan(waits);
    expect(waits).toBeLessThan(at('chown -R'));
  });

  it('keeps data and account unless asked', () => {
    const kept = launchdUninstallPlan(FACTS, false).steps;
    expect(kept.filter((step) => step.kind === 'remove')).toEqual([
      { kind: 'remove', path: '/Library/LaunchDaemons/io.isg-pro.agent.plist' },
    ]);
    expect(JSON.stringify(launchdUninstallPlan({ ...FACTS, isOwnUser: false }, true))).not.toMatch(/Users\/_isgpro/);
  });

  it('finds an id that neither accounts nor groups have', () => {
    expect(freeId('_a  350\nroot  0\nnobody  -2\n', '_b    351\n')).toBe(352);
    const all = Array.from({ length: 200 }, (_, at) => `_${at} ${at + 300}`).join('\n');
    expect(freeId(all)).toBeNull();
  });
});
