/** Installing or removing the system service (agent/service). */
export interface ServiceOrder {
  action: 'install' | 'uninstall';
  /** Account that runs the agent; undefined: the one that is made for it. */
  user?: string;
  /** Group whose members may attach the tray application; not on Windows. */
  group?: string;
  /** With `uninstall`: the data folder goes, too. */
  removeData: boolean;
  /** Only show what would be done, on this platform (`here`) or another. */
  print?: PrintTarget;
  /** Folder under which all files land, with the check of rights left out; for tests. */
  root?: string;
}

const PRINT_TARGETS = ['here', 'linux', 'darwin', 'win32'] as const;

/** Platform whose files and commands are shown. */
export type PrintTarget = (typeof PRINT_TARGETS)[number];

/** What the command line said. Absent flags are undefined or false. */
export interface Flags {
  config?: string;
  dataDir?: string;
  /** Local socket of the parent that the beat thread beats on (agent/link). */
  beatSocket?: string;
  /** End instead of waiting when another run holds this storage gateway id. */
  noWait: boolean;
  /** The parent sends the token over the link, because it keeps it in the system's key store. */
  tokenByParent: boolean;
  /** Print the settings that count, and end. */
  printSettings: boolean;
  /** Diagnose and end. */
  doctor: boolean;
  /** Write a support bundle to this file and end. */
  supportBundle?: string;
  /** File with the desktop application's own state (JSON), which goes into the support bundle. */
  appState?: string;
  /** Print the status of the agent that runs, and end. */
  status: boolean;
  /** The agent is a system service: folders of a service, no parent, and a socket for the tray application (agent/link). */
  service: boolean;
  /** Install or remove the service, and end. */
  serviceOrder?: ServiceOrder;
  /** Where the service listens in place of the platform's usual place. */
  serviceSocket?: string;
  /** Machine-readable output. */
  json: boolean;
  /** Values that win over config.ini, by config key. */
  settings: Partial<Record<'iconik-url' | 'app-id' | 'auth-token' | 'storage-gateway-id', string>>;
}

const SETTING_FLAGS = ['iconik-url', 'app-id', 'auth-token', 'storage-gateway-id'] as const;
const VALUE_FLAGS = [
  'config',
  'data-dir',
  'beat-socket',
  'support-bundle',
  'app-state',
  'service-user',
  'service-group',
  'service-root',
  'service-socket',
  ...SETTING_FLAGS,
] as const;
const SWITCHES = [
  'no-wait',
  'doctor',
  'status',
  'json',
  'token-by-parent',
  'print-settings',
  'service',
  'install-service',
  'uninstall-service',
  'remove-data',
] as const;
/** Flags that mean something only to the orders named. */
const ONLY_WITH = {
  'service-user': ['install-service'],
  'service-group': ['install-service'],
  'remove-data': ['uninstall-service'],
  'service-root': ['install-service', 'uninstall-service'],
  print: ['install-service', 'uninstall-service'],
} as const;

function includes<Word extends string>(words: readonly Word[], text: string): text is Word {
  return (words as readonly string[]).includes(text);
}

/** Reads `--key value`, `--key=value` and switches. Pure. Problems never repeat values (one may be a token). */
export function parseFlags(argv: readonly string[]): { flags: Flags; problems: string[] } {
  const values = new Map<string, string>();
  const switches = new Set<string>();
  const problems: string[] = [];
  for (let i = 0; i < argv.length; i += 1) {
    const [, name = '', inline] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(argv[i] ?? '') ?? [];
    if (name === 'print') {
      const target = inline ?? 'here';
      if (includes(PRINT_TARGETS, target)) values.set(name, target);
      else problems.push('--print takes no value, or =linux, =darwin or =win32');
      continue;
    }
    if (includes(SWITCHES, name)) {
      if (inline === undefined) switches.add(name);
      else problems.push(`--${name} takes no value`);
      continue;
    }
    if (!includes(VALUE_FLAGS, name)) {
      problems.push(name === '' ? `argument ${i + 1} is not a flag` : `unknown flag --${name}`);
      continue;
    }
    const value = inline ?? argv[i + 1];
    if (inline === undefined) i += 1;
    if (value === undefined || value === '' || (inline === undefined && value.startsWith('--'))) {
      problems.push(`--${name} needs a value`);
      if (inline === undefined && value?.startsWith('--')) i -= 1;
    } else values.set(name, value);
  }
  const settings: Flags['settings'] = {};
  for (const name of SETTING_FLAGS) {
    const value = values.get(name);
    if (value !== undefined) settings[name] = value;
  }
  const config = values.get('config');
  const dataDir = values.get('data-dir');
  const beatSocket = values.get('beat-socket');
  const supportBundle = values.get('support-bundle');
  const appState = values.get('app-state');
  const serviceOrder = readServiceOrder(values, switches, problems);
  const serviceSocket = values.get('service-socket');
  return {
    flags: {
      ...(config === undefined ? {} : { config }),
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(beatSocket === undefined ? {} : { beatSocket }),
      ...(supportBundle === undefined ? {} : { supportBundle }),
      ...(appState === undefined ? {} : { appState }),
      ...(serviceOrder === undefined ? {} : { serviceOrder }),
      ...(serviceSocket === undefined ? {} : { serviceSocket }),
      noWait: switches.has('no-wait'),
      tokenByParent: switches.has('token-by-parent'),
      service: switches.has('service'),
      printSettings: switches.has('print-settings'),
      doctor: switches.has('doctor'),
      status: switches.has('status'),
      json: switches.has('json'),
      settings,
    },
    problems,
  };
}

function readServiceOrder(
  values: ReadonlyMap<string, string>,
  switches: ReadonlySet<string>,
  problems: string[],
): ServiceOrder | undefined {
  const isSaid = (name: string) => values.has(name) || switches.has(name);
  for (const [name, orders] of Object.entries(ONLY_WITH)) {
    if (isSaid(name) && !orders.some(isSaid)) problems.push(`--${name} belongs to --${orders.join(' or --')}`);
  }
  const isInstall = switches.has('install-service');
  if (isInstall && switches.has('uninstall-service')) problems.push('the service is installed or removed, not both');
  if (!isInstall && !switches.has('uninstall-service')) return undefined;
  const user = values.get('service-user');
  const group = values.get('service-group');
  const print = values.get('print');
  const root = values.get('service-root');
  return {
    action: isInstall ? 'install' : 'uninstall',
    removeData: switches.has('remove-data'),
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(print !== undefined && includes(PRINT_TARGETS, print) ? { print } : {}),
    ...(root === undefined ? {} : { root }),
  };
}
