/** One thing that installing or removing a service does. A plan is a list of them, carried out in order; all may be repeated. */
export type ServiceStep =
  /** Makes a folder if missing; an existing one keeps its rights. */
  | { kind: 'folder'; path: string; mode: number }
  /** Writes a file, replacing what was there; `utf-16` with a byte order mark, as Windows' Task Scheduler wants it. */
  | { kind: 'file'; path: string; text: string; mode: number; encoding: 'utf-8' | 'utf-16' }
  /** Removes a file, or a folder with everything in it; nothing to do where there is none. */
  | { kind: 'remove'; path: string }
  /**
   * Waits until no agent works in a data folder and its embedded database has stopped, which outlives the last agent by half
   * a minute. Fails when an agent stays.
   */
  | { kind: 'await-database'; dataDir: string }
  /** Waits likewise, keeps agents out meanwhile, and removes the folder with everything in it. */
  | { kind: 'remove-data'; dataDir: string }
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
  /** config.ini itself: another path than `configPath` where that is a link of root's. */
  configFile: string;
  /** Whether the folder of config.ini holds nothing else, so that the service may have the right to write there. */
  isConfigFolderOurs: boolean;
  dataDir: string;
  /** Whether the data folder may be another account's, whose database may still run there. */
  changesOwner: boolean;
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

/** How a platform runs a command as another account, without asking for a password. */
export type AsUser = (user: string, command: readonly string[]) => string[];

/**
 * Rights on the folders, alike on Linux and macOS: the service owns its data and config.ini. The group gets nothing of
 * config.ini: whoever reads it has the token, and whoever writes it names programs that run as the service. Pure.
 */
export function unixRights(facts: ServiceFacts, configFolder: string, asUser: AsUser): ServiceStep[] {
  const { user, group, dataDir } = facts;
  const steps: ServiceStep[] = [
    { kind: 'folder', path: dataDir, mode: 0o750 },
    // -R, because an agent of another account may have worked here before; without -L it follows no links
    rightsStep(['chown', '-R', `${user}:${group}`, dataDir], `give ${user} the data folder ${dataDir}`),
    rightsStep(asUser(user, ['test', '-w', dataDir]), `reach the data folder ${dataDir} as ${user}`),
  ];
  if (facts.isConfigFolderOurs)
    steps.push({ kind: 'folder', path: configFolder, mode: 0o700 }, ...ownAlone(configFolder, 'u=rwx', user, asUser));
  if (facts.hasConfig) steps.push(...ownAlone(facts.configFile, 'u=rw', user, asUser));
  return steps;
}

// The folder is shut before anything in it is touched, no link is followed, and only the account itself, which can reach
// nothing that is not its own already, sets the mode: so a link laid into the folder never makes root give files away.
function ownAlone(path: string, mode: string, user: string, asUser: AsUser): RunStep[] {
  return [
    rightsStep(['chown', '-h', user, path], `give ${user} ${path}`),
    rightsStep(asUser(user, ['chmod', `${mode},go=`, path]), `shut everybody else out of ${path}, as ${user}`),
  ];
}

const rightsStep = (command: string[], purpose: string): RunStep => ({
  kind: 'run',
  command,
  purpose,
  remedy:
    'See the message above. The account has to be able to enter every folder above it; on a network or read-only file system choose another place (--data-dir, --config).',
});

/** Takes config.ini back before the account goes that owns it: its number may be another account's one day. Pure. */
export function unixConfigBack(facts: ServiceFacts, configFolder: string): RunStep[] {
  const paths = [...(facts.isConfigFolderOurs ? [configFolder] : []), ...(facts.hasConfig ? [facts.configFile] : [])];
  return paths.map((path) => ({
    ...rightsStep(['chown', '-h', 'root', path], `give ${path} back to root`),
    when: { kind: 'onlyIf', command: ['test', '-e', path] },
  }));
}

/** What has to be said after a service was removed whose data stay. Pure. */
export function keptNotes({ dataDir, configPath, user }: ServiceFacts): string[] {
  return [
    `The service is removed. Kept: the data folder ${dataDir}, ${configPath}, the account ${user}. Both belong to ${user}: an agent of another account needs them given to it.`,
  ];
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
