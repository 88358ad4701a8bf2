import { posix } from 'node:path';
import { serviceSocketPath } from '../contract/service-place.ts';
import {
  type AsUser,
  configNotes,
  keptNotes,
  type RunStep,
  type ServiceFacts,
  type ServicePlan,
  type ServiceStep,
  serviceCommand,
  unixConfigBack,
  unixRights,
} from './service-plan.ts';

/** Name of the daemon for launchctl; the file bears it, too. */
const LABEL = 'io.isg-pro.agent';
/** Definition of the service for launchd. */
export const PLIST_FILE = `/Library/LaunchDaemons/${LABEL}.plist`;
const TARGET = `system/${LABEL}`;

/** What only launchd's plan depends on. */
export interface LaunchdFacts extends ServiceFacts {
  /** Ids for account and group: those they have, or free ones. */
  uid: number;
  gid: number;
  /** Longest orderly stop of the agent, milliseconds. */
  stopLimitMs: number;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const xml = (text: string): string => text.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character);

type PlistValue = string | number | boolean | readonly string[];

function plistValue(value: PlistValue): string {
  if (typeof value === 'boolean') return `<${value}/>`;
  if (typeof value === 'number') return `<integer>${value}</integer>`;
  if (typeof value === 'string') return `<string>${xml(value)}</string>`;
  return `<array>\n${value.map((item) => `      <string>${xml(item)}</string>\n`).join('')}    </array>`;
}

/** The property list of the daemon; keys as in launchd.plist(5), each one reasoned in README.md. Pure. */
export function launchdPlist(facts: LaunchdFacts): string {
  const entries: Record<string, PlistValue> = {
    Label: LABEL,
    ProgramArguments: serviceCommand(facts),
    UserName: facts.user,
    GroupName: facts.group,
    WorkingDirectory: '/',
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 10,
    ExitTimeOut: Math.ceil(facts.stopLimitMs / 1_000) + 10,
    ProcessType: 'Interactive',
    StandardOutPath: '/dev/null',
    StandardErrorPath: '/dev/null',
  };
  const lines = Object.entries(entries).map(([key, value]) => `    <key>${key}</key>\n    ${plistValue(value)}\n`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n',
    '<plist version="1.0">\n  <dict>\n',
    ...lines,
    '  </dict>\n</plist>\n',
  ].join('');
}

const ASK_ROOT = 'Call it as an administrator with sudo; the same call may be repeated.';

const step = (command: string[], purpose: string, more: Partial<RunStep> = {}): RunStep => ({
  kind: 'run',
  command,
  purpose,
  remedy: ASK_ROOT,
  ...more,
});

const isLoaded = { kind: 'onlyIf', command: ['launchctl', 'print', TARGET] } as const;

const asUser: AsUser = (user, command) => ['sudo', '-n', '-u', user, '--', ...command];

/** What `--install-service` does on macOS. Pure. */
export function launchdInstallPlan(facts: LaunchdFacts): ServicePlan {
  const { user, group, caller } = facts;
  const runFolder = posix.dirname(serviceSocketPath('darwin'));
  return {
    steps: [
      ...accounts(facts),
      step(['launchctl', 'bootout', TARGET], 'stop the service that runs', { when: isLoaded }),
      ...(facts.changesOwner ? [{ kind: 'await-database', dataDir: facts.dataDir } as const] : []),
      ...unixRights(facts, posix.dirname(facts.configPath), asUser),
      { kind: 'folder', path: posix.dirname(runFolder), mode: 0o750 },
      { kind: 'folder', path: runFolder, mode: 0o750 },
      // the socket's folder may lie outside a data folder that was named
      step(['chown', `${user}:${group}`, posix.dirname(runFolder), runFolder], `give ${user} the folder of the socket`),
      { kind: 'file', path: PLIST_FILE, text: launchdPlist(facts), mode: 0o644, encoding: 'utf-8' },
      step(['chown', 'root:wheel', PLIST_FILE], `make launchd trust ${PLIST_FILE}`),
      step(['launchctl', 'enable', TARGET], 'make the service start with the machine'),
      step(['launchctl', 'bootstrap', 'system', PLIST_FILE], 'start the service', {
        remedy: `A service that was just stopped may need half a minute to end: wait, then repeat the call. "launchctl print ${TARGET}" shows more.`,
      }),
      step(['launchctl', 'kickstart', TARGET], 'start the service'),
    ],
    after: [
      `The service ${LABEL} runs as ${user} and starts with the machine. Its log: ${posix.join(facts.dataDir, 'logs', 'agent.log')}`,
      ...configNotes(facts),
      `The tray application attaches to it for members of the group ${group}: sudo dseditgroup -o edit -a ${caller ?? 'NAME'} -t user ${group}, then log in anew.`,
      `${user} needs the right to read and write the storages, and network or removable volumes need "Full Disk Access" for ${facts.program[0]} (System Settings, Privacy & Security): a service cannot ask for it.`,
    ],
  };
}

// Each record is made only if it is missing; its properties are set each time, so that a half-made account becomes whole.
function accounts({ user, group, uid, gid, isOwnUser, isOwnGroup }: LaunchdFacts): ServiceStep[] {
  const userKey = `/Users/${user}`;
  const groupKey = `/Groups/${group}`;
  const create = (key: string, ...values: string[]): RunStep =>
    step(['dscl', '.', '-create', key, ...values], `make ${key.slice(1)} complete (${values[0] ?? 'record'})`);
  const find = (key: string, name: string): RunStep =>
    step(['dscl', '/Search', '-read', key, 'RecordName'], `find ${name}`, {
      remedy: `Make it first, or leave out --service-user and --service-group: then an account of its own is made.`,
    });
  return [
    ...(isOwnGroup
      ? [create(groupKey), create(groupKey, 'PrimaryGroupID', String(gid)), create(groupKey, 'RealName', 'ISG Pro')]
      : [find(groupKey, group)]),
    ...(isOwnUser
      ? [
          create(userKey),
          create(userKey, 'UniqueID', String(uid)),
          create(userKey, 'PrimaryGroupID', String(gid)),
          create(userKey, 'UserShell', '/usr/bin/false'),
          create(userKey, 'NFSHomeDirectory', '/var/empty'),
          create(userKey, 'RealName', 'ISG Pro'),
          create(userKey, 'IsHidden', '1'),
        ]
      : [find(userKey, user)]),
  ];
}

/** What `--uninstall-service` does on macOS; without a service it changes nothing and succeeds. Pure. */
export function launchdUninstallPlan(facts: LaunchdFacts, removeData: boolean): ServicePlan {
  const { dataDir, configPath } = facts;
  return {
    steps: [
      // or a call that fails half-way would leave one that starts with the machine
      step(['launchctl', 'disable', TARGET], 'keep the service from starting again', { when: isLoaded }),
      step(['launchctl', 'bootout', TARGET], 'stop the service', { when: isLoaded }),
      // before the property list: it says which folder, also to the next call if this step fails
      ...(removeData ? [{ kind: 'remove-data', dataDir } as const] : []),
      { kind: 'remove', path: PLIST_FILE },
      ...(removeData ? removedAccounts(facts) : []),
    ],
    after: removeData
      ? [`The service and its data folder ${dataDir} are removed. Kept: ${configPath}.`]
      : keptNotes(facts),
  };
}

function removedAccounts(facts: LaunchdFacts): RunStep[] {
  const { user, group, isOwnUser, isOwnGroup, configPath } = facts;
  const removeRecord = (key: string): RunStep =>
    step(['dscl', '.', '-delete', key], `remove ${key.slice(1)}`, {
      when: { kind: 'onlyIf', command: ['dscl', '.', '-read', key, 'RecordName'] },
    });
  return [
    ...(isOwnUser ? [...unixConfigBack(facts, posix.dirname(configPath)), removeRecord(`/Users/${user}`)] : []),
    ...(isOwnGroup ? [removeRecord(`/Groups/${group}`)] : []),
  ];
}

/** First and last id that is tried; Apple keeps those below 500 for services, and uses the low ones itself. */
const IDS = { first: 350, last: 499 };

/** An id that neither list (`dscl . -list /Users UniqueID`) has; null when there is none. Pure. */
export function freeId(...lists: readonly string[]): number | null {
  const taken = new Set(lists.flatMap((list) => [...list.matchAll(/(-?\d+)\s*$/gm)].map(([, id]) => Number(id))));
  for (let id = IDS.first; id <= IDS.last; id += 1) if (!taken.has(id)) return id;
  return null;
}
