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

/** What a data folder of ours holds, sooner or later. */
const OURS = new Set(['lock.db', 'cache', 'embedded-db', 'logs', 'installation.json', 'run']);

/**
 * Whether a folder may be given to the service as a whole, or removed: it is missing (null), empty, or an agent has worked
 * there. So a slip in --data-dir never costs somebody's home folder. Pure.
 */
export function isDataFolder(names: readonly string[] | null): boolean {
  return names === null || names.length === 0 || (names.includes('lock.db') && names.some((name) => OURS.has(name)));
}

/** Whether a folder holds nothing but config.ini, its copies, and temporary files of it; null = no such folder. Pure. */
export function isConfigFolder(names: readonly string[] | null, configName: string): boolean {
  return names === null || names.every((name) => name.includes(configName));
}
