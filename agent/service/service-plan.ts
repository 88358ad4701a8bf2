/** One thing that installing or removing a service does. A plan is a list of them, carried out in order; all may be repeated. */
export type ServiceStep =
  /** Makes a folder if missing; an existing one keeps its rights. */
  | { kind: 'folder'; path: string; mode: number }
  /** Writes a file, replacing what was there; `utf-16` with a byte order mark, as Windows' Task Scheduler wants it. */
  | { kind: 'file'; path: string; text: string; mode: number; encoding: 'utf-8' | 'utf-16' }
  /** Removes a file, or a folder with everything in it; nothing to do where there is none. */
  | { kind: 'remove'; path: string }
  /** Waits until the embedded database of a data folder has stopped: it outlives the last agent by half a minute. */
  | { kind: 'await-database'; dataDir: string }
  | RunStep;

/** A program to run, without a shell. */
export interface RunStep {
  kind: 'run';
  command: readonly string[];
  /** What it is for, in words that complete "could not …". */
  purpose: string;
  /** What a person can do when it fails. */
  remedy: string;
  /** Not run when this program ends with 0 (`unless`) or with anything else (`onlyIf`). */
  when?: { kind: 'unless' | 'onlyIf'; command: readonly string[] };
  /** Its failure changes nothing that counts, such as stopping what does not run. */
  mayFail?: true;
  /** It asks something at the terminal (a password). */
  isInteractive?: true;
}

/** What is done, and what is said when it is done. */
export interface ServicePlan {
  steps: readonly ServiceStep[];
  /** Sentences for the person who ran it: how to see the service, what is left to do. */
  after: readonly string[];
}

/** What a plan is made of. All paths are absolute, in the words of the platform the plan is for. */
export interface ServiceFacts {
  /** The Node that runs the agent, and the agent's entry. */
  program: readonly [node: string, entry: string];
  configPath: string;
  /** Whether config.ini exists. */
  hasConfig: boolean;
  /** Whether the folder of config.ini holds nothing else, so that the service may have the right to write there. */
  isConfigFolderOurs: boolean;
  dataDir: string;
  /** Account that runs the agent, and the group whose members may attach the tray application. */
  user: string;
  group: string;
  /** Whether the account (or the group) is ours: made if missing, removed with the data. */
  isOwnUser: boolean;
  isOwnGroup: boolean;
  /** Who called (SUDO_USER), to be told how to attach their tray; undefined when unknown. */
  caller: string | undefined;
}

/** How the service manager starts the agent. */
export const serviceCommand = ({ program, configPath, dataDir }: ServiceFacts): string[] => [
  ...program,
  '--service',
  '--config',
  configPath,
  '--data-dir',
  dataDir,
];

/** Rights on the folders, alike on Linux and macOS: the service owns its data, and reads and writes config.ini. Pure. */
export function unixRights(facts: ServiceFacts, configFolder: string): ServiceStep[] {
  const { user, group, dataDir, configPath } = facts;
  const run = (command: string[], purpose: string): RunStep => ({
    kind: 'run',
    command,
    purpose,
    remedy: 'See the message above; on a network or read-only file system choose another place (--data-dir, --config).',
  });
  const steps: ServiceStep[] = [
    { kind: 'folder', path: dataDir, mode: 0o750 },
    // -R, because an agent of another account may have worked here before; without -L it follows no links
    run(['chown', '-R', `${user}:${group}`, dataDir], `give ${user} the data folder ${dataDir}`),
  ];
  if (facts.isConfigFolderOurs) {
    steps.push(
      { kind: 'folder', path: configFolder, mode: 0o750 },
      run(['chgrp', group, configFolder], `let the group ${group} use the folder of config.ini`),
      run(['chmod', 'g+rwx', configFolder], `let the group ${group} write the folder of config.ini`),
    );
  }
  if (facts.hasConfig) {
    steps.push(
      run(['chgrp', group, configPath], `let the group ${group} use config.ini`),
      run(['chmod', 'g+rw', configPath], `let the group ${group} read and write config.ini`),
    );
  }
  return steps;
}

/** What has to be said about config.ini after an installation. Pure. */
export function configNotes({ hasConfig, isConfigFolderOurs, configPath, user }: ServiceFacts): string[] {
  const notes: string[] = [];
  if (!hasConfig)
    notes.push(
      `There is no ${configPath} yet: the service waits for it, and starts within seconds once it is there. The set-up assistant of the tray application writes it, or write it by hand.`,
    );
  if (!isConfigFolderOurs)
    notes.push(
      `${configPath} shares its folder with other files, so ${user} got no right to write that folder: the service reads config.ini, but changing it from the tray application needs a folder of its own (--config).`,
    );
  return notes;
}
