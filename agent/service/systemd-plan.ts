import { posix } from 'node:path';
import { SERVICE_NAME } from '../contract/service-place.ts';
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
import { systemdArgument, systemdPath } from './systemd-words.ts';

/** Name of the unit; also of its account, its group and its folder under /run, where the socket lies. */
const UNIT = `${SERVICE_NAME}.service`;
/** Definition of the service for systemd. */
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
/** Where systemd keeps the state of services; a data folder right below it is made by systemd. */
const STATE = '/var/lib';

/** What only systemd's plan depends on. */
export interface SystemdFacts extends ServiceFacts {
  /** Longest orderly stop of the agent, milliseconds; systemd waits longer before it kills. */
  stopLimitMs: number;
}

/** The unit file. Each directive that is not self-evident has its reason beside it or in README.md. Pure. */
export function systemdUnit(facts: SystemdFacts): string {
  const { user, group, dataDir, configPath } = facts;
  const isState = posix.dirname(dataDir) === STATE;
  const stopSeconds = Math.ceil(facts.stopLimitMs / 1_000) + 10;
  return [
    '# Written by --install-service, which replaces it. Own settings belong into a drop-in:',
    `#   systemctl edit ${UNIT}`,
    '[Unit]',
    'Description=ISG Pro: storage gateway node for iconik',
    'Wants=network-online.target',
    'After=network-online.target remote-fs.target nss-user-lookup.target time-sync.target',
    '# An agent that ends is always started again; the agent itself waits long where a restart changes nothing.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    `User=${user}`,
    `Group=${group}`,
    `ExecStart=${serviceCommand(facts).map(systemdArgument).join(' ')}`,
    'WorkingDirectory=/',
    '# HTTPS_PROXY and its like',
    `EnvironmentFile=-/etc/default/${SERVICE_NAME}`,
    '# The socket lies here: members of the group may attach the tray application.',
    `RuntimeDirectory=${SERVICE_NAME}`,
    'RuntimeDirectoryMode=0750',
    ...(isState ? [`StateDirectory=${systemdPath(posix.basename(dataDir))}`, 'StateDirectoryMode=0750'] : []),
    'Restart=always',
    '# No RestartSteps: systemd counts restarts for ever, and one after weeks of good work would wait the longest.',
    'RestartSec=5',
    '# Not mixed: the embedded PostgreSQL outlives the agent for a moment and stops in order; everything else ends with the agent.',
    'KillMode=process',
    `TimeoutStopSec=${stopSeconds}`,
    'LimitNOFILE=65536',
    '# A dump of its memory would hold the token.',
    'LimitCORE=0',
    '# An ffmpeg that eats all memory costs its job, not the node.',
    'OOMPolicy=continue',
    'SyslogIdentifier=isg-pro',
    'NoNewPrivileges=yes',
    '# Storages may lie anywhere, also in /home and /media; only the system itself is read-only.',
    'ProtectSystem=full',
    `ReadWritePaths=${systemdPath(`-${facts.isConfigFolderOurs ? posix.dirname(configPath) : configPath}`)}`,
    ...(isState ? [] : [`ReadWritePaths=${systemdPath(`-${dataDir}`)}`]),
    'PrivateTmp=yes',
    'ProtectKernelTunables=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelLogs=yes',
    'ProtectControlGroups=yes',
    'ProtectClock=yes',
    'RestrictRealtime=yes',
    'LockPersonality=yes',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

const ASK_ROOT =
  'Call it as root (sudo); on a machine with a read-only system, write the unit by hand as --print shows it.';

const systemctl = (args: string[], purpose: string, more: Partial<RunStep> = {}): RunStep => ({
  kind: 'run',
  command: ['systemctl', ...args],
  purpose,
  remedy: `See the message above and "systemctl status ${UNIT}"; the same call may be repeated.`,
  ...more,
});

const asUser: AsUser = (user, command) => ['runuser', '-u', user, '--', ...command];

/** What `--install-service` does on Linux. Pure. */
export function systemdInstallPlan(facts: SystemdFacts): ServicePlan {
  const { user, group, caller } = facts;
  return {
    steps: [
      ...accounts(facts),
      // files must not change hands under an agent that writes them
      systemctl(['stop', UNIT], 'stop the service that runs', {
        when: { kind: 'onlyIf', command: ['systemctl', 'is-active', '--quiet', UNIT] },
      }),
      ...(facts.changesOwner ? [{ kind: 'await-database', dataDir: facts.dataDir } as const] : []),
      ...unixRights(facts, posix.dirname(facts.configPath), asUser),
      { kind: 'run', ...readableCheck(facts) },
      { kind: 'file', path: UNIT_FILE, text: systemdUnit(facts), mode: 0o644, encoding: 'utf-8' },
      systemctl(['daemon-reload'], 'make systemd read the unit'),
      systemctl(['enable', UNIT], 'make the service start with the machine'),
      systemctl(['restart', UNIT], 'start the service'),
    ],
    after: [
      `The service ${UNIT} runs as ${user} and starts with the machine. Its log: journalctl -u ${UNIT} -f`,
      ...configNotes(facts),
      `The tray application attaches to it for members of the group ${group}: sudo usermod -aG ${group} ${caller ?? 'NAME'}, then log in anew.`,
      `${user} needs the right to read and write the storages: add it to their group, or name another account with --service-user.`,
    ],
  };
}

function accounts({ user, group, isOwnUser, isOwnGroup, dataDir }: SystemdFacts): ServiceStep[] {
  const absent = (what: string, name: string): RunStep => ({
    kind: 'run',
    command: ['getent', what === 'account' ? 'passwd' : 'group', name],
    purpose: `find the ${what} ${name}`,
    remedy: `Make it first, or leave out --service-${what === 'account' ? 'user' : 'group'}: then an account of its own is made.`,
  });
  const groupStep: RunStep = {
    kind: 'run',
    command: ['groupadd', '--system', group],
    purpose: `make the group ${group}`,
    remedy: ASK_ROOT,
    when: { kind: 'unless', command: ['getent', 'group', group] },
  };
  const home = ['--home-dir', dataDir, '--no-create-home', '--shell', '/usr/sbin/nologin'];
  const userStep: RunStep = {
    kind: 'run',
    command: ['useradd', '--system', '--gid', group, ...home, user],
    purpose: `make the account ${user}`,
    remedy: ASK_ROOT,
    when: { kind: 'unless', command: ['getent', 'passwd', user] },
  };
  return [isOwnGroup ? groupStep : absent('group', group), isOwnUser ? userStep : absent('account', user)];
}

// A program in somebody's home folder is not there for the service's account; systemd would only say "203/EXEC".
function readableCheck({ user, program }: SystemdFacts): Omit<RunStep, 'kind'> {
  const [node, entry] = program;
  return {
    command: asUser(user, [node, '--check', entry]),
    purpose: `run the program as ${user}`,
    remedy: `${user} has to be able to read ${entry} and to run ${node}. Install ISG Pro in a place that everybody may read (/opt, the deb package), not in a home folder, and call it again from there.`,
  };
}

/** What `--uninstall-service` does on Linux; without a service it changes nothing and succeeds. Pure. */
export function systemdUninstallPlan(facts: SystemdFacts, removeData: boolean): ServicePlan {
  const { dataDir, configPath } = facts;
  const hasUnit = { kind: 'onlyIf', command: ['systemctl', 'cat', UNIT] } as const;
  return {
    steps: [
      systemctl(['disable', '--now', UNIT], 'stop the service', { when: hasUnit }),
      // before the unit: it says which folder, also to the next call if this step fails
      ...(removeData ? [{ kind: 'remove-data', dataDir } as const] : []),
      { kind: 'remove', path: UNIT_FILE },
      systemctl(['daemon-reload'], 'make systemd forget the unit', { mayFail: true }),
      systemctl(['reset-failed', UNIT], 'make systemd forget how the service ended', { mayFail: true }),
      ...(removeData ? removedAccounts(facts) : []),
    ],
    after: removeData
      ? [`The service and its data folder ${dataDir} are removed. Kept: ${configPath}.`]
      : keptNotes(facts),
  };
}

function removedAccounts(facts: SystemdFacts): RunStep[] {
  const { user, group, isOwnUser, isOwnGroup, configPath } = facts;
  const steps: RunStep[] = [];
  if (isOwnUser)
    steps.push(...unixConfigBack(facts, posix.dirname(configPath)), {
      kind: 'run',
      command: ['userdel', user],
      purpose: `remove the account ${user}`,
      remedy: `Remove it by hand when nothing runs as it: userdel ${user}`,
      when: { kind: 'onlyIf', command: ['getent', 'passwd', user] },
    });
  if (isOwnGroup)
    steps.push({
      kind: 'run',
      command: ['groupdel', group],
      purpose: `remove the group ${group}`,
      remedy: `Remove it by hand: groupdel ${group}`,
      when: { kind: 'onlyIf', command: ['getent', 'group', group] },
    });
  return steps;
}
