import { win32 } from 'node:path';
import {
  configNotes,
  type RunStep,
  type ServiceFacts,
  type ServicePlan,
  type ServiceStep,
  serviceCommand,
} from './service-plan.ts';
import { windowsCommandLine } from './windows-words.ts';

/** Name in Task Scheduler. */
const TASK = '\\ISG Pro\\Agent';

/** Accounts that Windows brings and that are no administrators, by the id that every language of Windows understands. */
const BUILT_IN: Readonly<Record<string, string>> = {
  'nt authority\\networkservice': 'S-1-5-20',
  'nt authority\\network service': 'S-1-5-20',
  'nt authority\\localservice': 'S-1-5-19',
  'nt authority\\local service': 'S-1-5-19',
};
const ACCOUNT_NAMES: Readonly<Record<string, string>> = {
  'S-1-5-20': 'NT AUTHORITY\\NetworkService',
  'S-1-5-19': 'NT AUTHORITY\\LocalService',
};
const ADMINISTRATORS = '*S-1-5-32-544';
const SYSTEM = '*S-1-5-18';

/** The account unless another is named: no administrator, and on the network the machine itself, as file servers know it. */
export const WINDOWS_ACCOUNT = 'NT AUTHORITY\\NetworkService';

/** Whether an account is an administrator by nature, under which PostgreSQL refuses to run. Pure. */
export function isWindowsSystem(user: string): boolean {
  return /^(nt authority\\)?(local)?system$/i.test(user) || /^(builtin|\.)\\administrator/i.test(user);
}

/** What only the plan for Windows depends on. */
export interface WindowsFacts extends ServiceFacts {
  /** Where the definition is kept; only administrators may write there. */
  taskFile: string;
  /** Folder of Windows: its programs are called by their whole path, as nobody's folder in PATH may stand in for them. */
  systemRoot: string;
}

const builtInId = (user: string): string | undefined => BUILT_IN[user.toLowerCase()];
/** An account as the task names it. Pure. */
export const taskUser = (user: string): string => builtInId(user) ?? user;
/** The account that a task names, in words also where the task has an id. Pure. */
export const accountOfTask = (named: string): string => ACCOUNT_NAMES[named] ?? named;
/** As icacls wants it. */
const trustee = (user: string): string => {
  const id = builtInId(user);
  return id === undefined ? user : `*${id}`;
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const xml = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

/**
 * The task: started with the machine, and looked after every minute, which does nothing while it runs (`IgnoreNew`) and
 * starts it again after any end. Schema 1.2 of Task Scheduler, whose order of elements is fixed. Pure.
 */
export function windowsTask(facts: WindowsFacts): string {
  const [node = '', ...args] = serviceCommand(facts);
  const id = builtInId(facts.user);
  const repetition = ['      <Repetition>', '        <Interval>PT1M</Interval>', '      </Repetition>'];
  return [
    '<?xml version="1.0" encoding="UTF-16"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    '  <RegistrationInfo>',
    '    <Author>ISG Pro</Author>',
    '    <Description>Storage gateway node for iconik; runs without a logged-in user.</Description>',
    '  </RegistrationInfo>',
    '  <Triggers>',
    '    <BootTrigger>',
    ...repetition,
    '      <Enabled>true</Enabled>',
    '    </BootTrigger>',
    // counts from now on, also before the machine is started anew
    '    <TimeTrigger>',
    ...repetition,
    '      <StartBoundary>2020-01-01T00:00:00</StartBoundary>',
    '      <Enabled>true</Enabled>',
    '    </TimeTrigger>',
    '  </Triggers>',
    '  <Principals>',
    '    <Principal id="Service">',
    `      <UserId>${xml(taskUser(facts.user))}</UserId>`,
    ...(id === undefined ? ['      <LogonType>Password</LogonType>'] : []),
    '      <RunLevel>LeastPrivilege</RunLevel>',
    '    </Principal>',
    '  </Principals>',
    '  <Settings>',
    '    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>',
    '    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>',
    '    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>',
    '    <AllowHardTerminate>true</AllowHardTerminate>',
    '    <StartWhenAvailable>true</StartWhenAvailable>',
    '    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>',
    '    <IdleSettings>',
    '      <StopOnIdleEnd>false</StopOnIdleEnd>',
    '      <RestartOnIdle>false</RestartOnIdle>',
    '    </IdleSettings>',
    '    <AllowStartOnDemand>true</AllowStartOnDemand>',
    '    <Enabled>true</Enabled>',
    '    <Hidden>false</Hidden>',
    '    <RunOnlyIfIdle>false</RunOnlyIfIdle>',
    '    <WakeToRun>false</WakeToRun>',
    // no limit; and the priority of an ordinary program instead of a background task's
    '    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>',
    '    <Priority>5</Priority>',
    '  </Settings>',
    '  <Actions Context="Service">',
    '    <Exec>',
    `      <Command>${xml(node)}</Command>`,
    `      <Arguments>${xml(windowsCommandLine(args))}</Arguments>`,
    `      <WorkingDirectory>${xml(win32.dirname(node))}</WorkingDirectory>`,
    '    </Exec>',
    '  </Actions>',
    '</Task>',
    '',
  ].join('\r\n');
}

const REPEAT = 'See the message above; the same call may be repeated.';

const step = (command: string[], purpose: string, more: Partial<RunStep> = {}): RunStep => ({
  kind: 'run',
  command,
  purpose,
  remedy: REPEAT,
  ...more,
});

const program = ({ systemRoot }: WindowsFacts, name: string): string => win32.join(systemRoot, 'System32', name);

interface TaskSteps {
  schtasks: string;
  exists: RunStep['when'] & object;
  end: RunStep;
}

function taskSteps(facts: WindowsFacts): TaskSteps {
  const schtasks = program(facts, 'schtasks.exe');
  const exists = { kind: 'onlyIf', command: [schtasks, '/Query', '/TN', TASK] } as const;
  // A task that does not run cannot be ended, which schtasks calls an error.
  const end = step([schtasks, '/End', '/TN', TASK], 'stop the service', { when: exists, mayFail: true });
  return { schtasks, exists, end };
}

/** What `--install-service` does on Windows. Pure. */
export function windowsInstallPlan(facts: WindowsFacts): ServicePlan {
  const { schtasks, end } = taskSteps(facts);
  const file = facts.taskFile;
  const account = builtInId(facts.user) === undefined ? ['/RU', facts.user, '/RP', '*'] : [];
  return {
    steps: [
      end,
      ...(facts.changesOwner ? [{ kind: 'await-database', dataDir: facts.dataDir } as const] : []),
      ...rights(facts),
      { kind: 'file', path: file, text: windowsTask(facts), mode: 0o644, encoding: 'utf-16' },
      step([schtasks, '/Create', '/F', '/TN', TASK, '/XML', file, ...account], 'make the task', {
        remedy: `${facts.user} needs the right "Log on as a batch job" (built-in accounts have it), and its password has to be right.`,
        ...(account.length === 0 ? {} : { isInteractive: true }),
      }),
      step([schtasks, '/Run', '/TN', TASK], 'start the service'),
    ],
    after: [
      `The service runs as ${facts.user} (Task Scheduler, ${TASK}) and starts with the machine. Its log: ${win32.join(facts.dataDir, 'logs', 'agent.log')}`,
      ...configNotes(facts),
      'The tray application attaches to it for administrators.',
      `${facts.user} needs the right to read and write the storages; name them by \\\\server\\share, as a service knows no drive letters of people. On file servers NetworkService is the computer's account (DOMAIN\\COMPUTER$).`,
    ],
  };
}

// Data hold the database's password and a key: only the service, administrators and the system may enter.
function rights(facts: WindowsFacts): ServiceStep[] {
  const { user, dataDir, configPath, hasConfig, isConfigFolderOurs } = facts;
  const icacls = program(facts, 'icacls.exe');
  const who = trustee(user);
  // The folder of logs, made before, is always there to match.
  const inside = win32.join(dataDir, '*');
  const everything = [`${who}:(OI)(CI)M`, `${ADMINISTRATORS}:(OI)(CI)F`, `${SYSTEM}:(OI)(CI)F`];
  const steps: ServiceStep[] = [
    { kind: 'folder', path: dataDir, mode: 0o700 },
    // Anybody may have made the folder before, with rights that /grant:r leaves, and owners may change rights.
    step([icacls, dataDir, '/setowner', ADMINISTRATORS, '/L'], `take the data folder ${dataDir} over`),
    step([icacls, dataDir, '/reset', '/L'], `take earlier rights on ${dataDir} away`),
    step([icacls, dataDir, '/inheritance:r', '/grant:r', ...everything], `give ${user} the data folder ${dataDir}`),
    // Only now, as nobody can put more there: the same for all that is inside. /L: not for what a link in it points at.
    { kind: 'folder', path: win32.join(dataDir, 'logs'), mode: 0o700 },
    step([icacls, inside, '/setowner', ADMINISTRATORS, '/T', '/L', '/Q'], `take over what is in ${dataDir}`),
    step([icacls, inside, '/reset', '/T', '/L', '/Q'], `take earlier rights on what is in ${dataDir} away`),
  ];
  // config.ini holds the token, and names programs that run as the service
  if (isConfigFolderOurs) {
    const folder = win32.dirname(configPath);
    steps.push(
      { kind: 'folder', path: folder, mode: 0o700 },
      step([icacls, folder, '/inheritance:r', '/grant:r', ...everything], `give ${user} the folder of config.ini`),
    );
    if (hasConfig) steps.push(step([icacls, configPath, '/reset'], 'let config.ini have the rights of its folder'));
  } else if (hasConfig) {
    const alone = [`${who}:M`, `${ADMINISTRATORS}:F`, `${SYSTEM}:F`];
    steps.push(
      step([icacls, configPath, '/reset'], 'take from config.ini rights of its own'),
      step([icacls, configPath, '/inheritance:r', '/grant:r', ...alone], `give ${user} config.ini`),
    );
  }
  return steps;
}

/** What `--uninstall-service` does on Windows; without a service it changes nothing and succeeds. Pure. */
export function windowsUninstallPlan(facts: WindowsFacts, removeData: boolean): ServicePlan {
  const { dataDir, configPath, taskFile } = facts;
  const { schtasks, exists, end } = taskSteps(facts);
  const kept = `The service is removed. Kept: the data folder ${dataDir} and ${configPath}, which only administrators read now; icacls "${configPath}" /grant NAME:M gives it to somebody else.`;
  return {
    steps: [
      // or the next minute would start it between end and removal
      step([schtasks, '/Change', '/TN', TASK, '/DISABLE'], 'keep the task from starting again', { when: exists }),
      end,
      // before the definition: it says which folder, also to the next call if this step fails
      ...(removeData ? [{ kind: 'remove-data', dataDir } as const] : []),
      step([schtasks, '/Delete', '/F', '/TN', TASK], 'remove the task', { when: exists }),
      { kind: 'remove', path: win32.dirname(taskFile) },
    ],
    after: removeData ? [`The service and its data folder ${dataDir} are removed. Kept: ${configPath}.`] : [kept],
  };
}
