import { isWindowsSystem, WINDOWS_ACCOUNT } from './windows-plan.ts';

/** Platforms that have a service. */
export type ServicePlatform = 'linux' | 'darwin' | 'win32';

/** Whether a platform has one. */
export function isServicePlatform(platform: string): platform is ServicePlatform {
  return platform === 'linux' || platform === 'darwin' || platform === 'win32';
}

/** The account of the service, unless another is named. Its group is called the same. */
export const OWN_ACCOUNT: Readonly<Record<ServicePlatform, string>> = {
  linux: 'isg-pro',
  darwin: '_isgpro',
  win32: WINDOWS_ACCOUNT,
};

/** What was asked for, as far as it can be wrong. */
export interface ServiceWish {
  platform: ServicePlatform;
  user: string | undefined;
  group: string | undefined;
  configPath: string;
  dataDir: string;
  program: readonly [node: string, entry: string];
}

const UNIX_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
/** An AppImage is mounted under a name of its own at each start. */
const APPIMAGE = /^\/tmp\/\.mount_/;

/** What stands against the service, in words; empty when nothing does. Pure. */
export function wishProblems({ platform, user, group, configPath, dataDir, program }: ServiceWish): string[] {
  const problems: string[] = [];
  const isWindows = platform === 'win32';
  for (const [flag, name] of [
    ['--service-user', user],
    ['--service-group', group],
  ] as const) {
    const isName = name === undefined || (isWindows ? !/[\p{Cc}"/]/u.test(name) : UNIX_NAME.test(name));
    if (!isName) problems.push(`${flag} is no name of an account.`);
  }
  if (isWindows && group !== undefined)
    problems.push('--service-group means nothing on Windows: administrators attach the tray application there.');
  if (!isWindows && user !== undefined && group === undefined)
    problems.push(
      `--service-user ${user} needs --service-group, too: members of that group may attach the tray application and administer the node. Name one for those people, not the account's own (often everybody's, such as staff).`,
    );
  const isAllMighty = user !== undefined && (isWindows ? isWindowsSystem(user) : user === 'root');
  if (isAllMighty)
    problems.push(
      `--service-user ${user}: a service that opens files of strangers must not own the machine, and PostgreSQL refuses to run under it. Leave it out, or name an account that may use the storages.`,
    );
  for (const path of [configPath, dataDir, ...program]) {
    if (/\p{Cc}/u.test(path)) problems.push('A path holds a control character, which no service manager takes.');
  }
  if (program.some((path) => APPIMAGE.test(path)))
    problems.push(
      'An AppImage cannot be a service: it lies in another folder at each start. Install the deb package, or unpack the AppImage (--appimage-extract) into /opt.',
    );
  return problems;
}

/** What a data folder holds, sooner or later: of the agent, of the desktop application, and of whole disks. */
const OURS: readonly string[] = [
  ['lock.db', 'lock.db-journal', 'cache', 'logs', 'temp', 'embedded-db', 'run'],
  ['worker-id', 'worker-place', 'highest-term', 'status.json'],
  ['desktop', 'updates', 'token.sealed', 'config.ini', 'config.ini.bak', 'config.ini.broken'],
  ['lost+found', '.DS_Store', 'System Volume Information', '$RECYCLE.BIN'],
].flat();
/** Beside a file of ours while it is replaced, or after a crash in between. */
const TEMPORARY = /\.(new|tmp)$/;

/** Names in a folder that no agent and no desktop application of ours has put there. Pure. */
export function foreignNames(names: readonly string[]): string[] {
  const isOurs = (name: string) =>
    OURS.includes(name) || (TEMPORARY.test(name) && OURS.some((own) => name.startsWith(`${own}.`)));
  return names.filter((name) => !isOurs(name));
}

/**
 * Why a folder may not be given to the service as a whole, or be removed; null when it may: it is missing (`names` null), or
 * holds nothing but what is ours. So a slip in --data-dir never costs somebody's home folder, also not one where an agent once
 * worked. To be removed it must have been worked in, or be named by the service's own definition: `logs` alone is anybody's. Pure.
 */
export function dataFolderProblem(
  names: readonly string[] | null,
  { dataDir, isRemoval, isNamed }: { dataDir: string; isRemoval: boolean; isNamed: boolean },
): string | null {
  if (names === null || names.length === 0) return null;
  const foreign = foreignNames(names);
  if (foreign.length === 0 && (!isRemoval || isNamed || names.includes('lock.db'))) return null;
  const what =
    foreign.length === 0 ? 'no agent has worked there' : `others, such as ${foreign.slice(0, 3).join(', ')}, too`;
  return isRemoval
    ? `${dataDir} does not hold the files of an agent alone (${what}); nothing was changed. Remove the service without --remove-data, and what you do not need of the folder by hand.`
    : `${dataDir} does not hold the files of an agent alone (${what}); nothing was changed. Name an empty folder or the data folder of an agent with --data-dir: the service would own all of it.`;
}

/** What config.ini is, links not followed. */
export interface ConfigEntry {
  isLink: boolean;
  isFile: boolean;
  uid: number;
  /** Names that the file has. */
  links: number;
}

/**
 * Why the rights of config.ini may not be set; null when they may, or there is none. Root sets them, and would set those of
 * whatever somebody has linked there: only root's own link is followed. Pure.
 */
export function configEntryProblem(path: string, entry: ConfigEntry | null): string | null {
  if (entry === null) return null;
  if (entry.isLink)
    return entry.uid === 0
      ? null
      : `${path} is a link that is not root's; nothing was changed. Whoever made it would decide whose file the service gets: look where it leads, and put a file in its place.`;
  if (!entry.isFile) return `${path} is no file; nothing was changed.`;
  if (entry.links > 1)
    return `${path} is a file that has other names, too (hard links); nothing was changed. The service would get all of them: put a copy in its place.`;
  return null;
}

/** Whether a folder holds nothing but config.ini, its copies, and temporary files of it; null = no such folder. Pure. */
export function isConfigFolder(names: readonly string[] | null, configName: string): boolean {
  return names === null || names.every((name) => name.includes(configName));
}
