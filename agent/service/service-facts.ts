import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Flags, ServiceOrder } from '../config/flags.ts';
import { locateFiles } from '../config/load-config.ts';
import { defaultConfigPath, defaultDataDir } from '../config/locations.ts';
import { windowsServiceFile } from '../contract/index.ts';
import { type InstalledService, readDefinition } from './installed-service.ts';
import { freeId, PLIST_FILE } from './launchd-plan.ts';
import type { ServiceFacts } from './service-plan.ts';
import { type ConfigEntry, isConfigFolder, OWN_ACCOUNT, type ServicePlatform } from './service-rules.ts';
import { UNIT_FILE } from './systemd-plan.ts';
import { taskUser } from './windows-plan.ts';

/** Where an installed application lies, to show the plan of another platform. */
const INSTALLED: Readonly<Record<ServicePlatform, readonly [string, string]>> = {
  linux: ['/opt/ISG Pro/resources/node/node', '/opt/ISG Pro/resources/app.asar.unpacked/out/agent/main.js'],
  darwin: [
    '/Applications/ISG Pro.app/Contents/Resources/node/node',
    '/Applications/ISG Pro.app/Contents/Resources/app.asar.unpacked/out/agent/main.js',
  ],
  win32: [
    'C:\\Program Files\\ISG Pro\\resources\\node\\node.exe',
    'C:\\Program Files\\ISG Pro\\resources\\app.asar.unpacked\\out\\agent\\main.js',
  ],
};

/** What gathering needs. */
export interface FactsRequest {
  platform: ServicePlatform;
  argv: readonly string[];
  flags: Flags;
  order: ServiceOrder;
  /** The service that is installed here, if its definition could be read. */
  installed: InstalledService | null;
}

/**
 * Reads what a plan needs from this machine; nothing is changed. For another platform: what is usual there. Where a service is
 * installed, what no flag says stays as it is: an update moves no data folder, and what is removed is what was installed.
 */
export function gatherFacts(request: FactsRequest): ServiceFacts {
  const { platform, flags, order, installed } = request;
  const { user, group } = accountOf(request);
  const names = {
    user,
    group: group ?? user,
    isOwnUser: user === OWN_ACCOUNT[platform],
    isOwnGroup: (group ?? user) === OWN_ACCOUNT[platform],
    caller: process.env.SUDO_USER,
  };
  if (platform !== process.platform) {
    const host = { platform, isService: true, homeDir: '', env: {} };
    const configPath = flags.config ?? defaultConfigPath(host);
    const dataDir = flags.dataDir ?? defaultDataDir(host);
    const there = { hasConfig: true, configFile: configPath, isConfigFolderOurs: true, changesOwner: true };
    return { ...names, program: INSTALLED[platform], configPath, dataDir, ...there };
  }
  const located = locateFiles(request.argv, process.env);
  const configPath = resolve(flags.config ?? installed?.configPath ?? located.configPath);
  const dataDir = flags.dataDir === undefined ? (installed?.dataDir ?? located.dataDir) : located.dataDir;
  const entry = configEntry(configPath);
  return {
    ...names,
    program: [process.execPath, realpathSync(process.argv[1] ?? '')],
    configPath,
    dataDir,
    hasConfig: existsSync(configPath),
    configFile: entry?.isLink === true && existsSync(configPath) ? realpathSync(configPath) : configPath,
    isConfigFolderOurs: isConfigFolder(namesIn(dirname(configPath)), basename(configPath)),
    changesOwner: changesOwner(request, user, placed(dataDir, order.root)),
  };
}

/** Account and group by flags, else as installed, else our own. The group is undefined where none is said for a named account. */
export function accountOf({ platform, order, installed }: Omit<FactsRequest, 'argv' | 'flags'>) {
  if (order.user !== undefined) return { user: order.user, group: order.group };
  if (platform === 'win32') return { user: installed?.user ?? OWN_ACCOUNT.win32, group: order.group };
  const user = installed?.user ?? OWN_ACCOUNT[platform];
  return { user, group: order.group ?? installed?.group ?? (user === OWN_ACCOUNT[platform] ? user : undefined) };
}

/** Where a path of this machine lies under the folder that stands for its root (tests). */
export const placed = (path: string, root: string | undefined): string =>
  root === undefined ? path : join(resolve(root), path);

/** What config.ini is, links not followed; null when there is none. */
export function configEntry(path: string): ConfigEntry | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  return { isLink: stats.isSymbolicLink(), isFile: stats.isFile(), uid: stats.uid, links: stats.nlink };
}

/** The definition of the service that is installed here: what it says, or that there is none, or none that can be read. */
export function findInstalled(
  platform: ServicePlatform,
  root: string | undefined,
): { kind: 'read'; installed: InstalledService } | { kind: 'absent' } | { kind: 'unreadable'; path: string } {
  const path = { linux: UNIT_FILE, darwin: PLIST_FILE, win32: windowsFolders().taskFile }[platform];
  const file = placed(path, root);
  if (!existsSync(file)) return { kind: 'absent' };
  try {
    const installed = readDefinition(platform, readFileSync(file, platform === 'win32' ? 'utf16le' : 'utf8'));
    return installed === null ? { kind: 'unreadable', path } : { kind: 'read', installed };
  } catch {
    // ignored because the answer says it; whoever may change the service may read this file, too
    return { kind: 'unreadable', path };
  }
}

// Windows tells no owner; there it is the account of the service that was.
function changesOwner({ platform, installed }: FactsRequest, user: string, dataDir: string): boolean {
  const stats = statSync(dataDir, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (platform === 'win32') return installed === null || taskUser(installed.user) !== taskUser(user);
  return ask('id', ['-u', user]).trim() !== String(stats.uid);
}

/** The names in a folder; null when there is none. Throws what the file system throws otherwise. */
export function namesIn(folder: string): string[] | null {
  return existsSync(folder) ? readdirSync(folder) : null;
}

/** What a program answers; '' when it fails, which the plan's own steps explain better. */
function ask(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 });
  } catch {
    // ignored because an absent program or account is told by the plan's steps
    return '';
  }
}

/** Ids for account and group on macOS: those they have, or one that both lists have free. */
export function macIds(user: string, group: string): { uid: number; gid: number } {
  const idOf = (key: string, property: string) =>
    Number(/:\s*(\d+)\s*$/.exec(ask('dscl', ['/Search', '-read', key, property]))?.[1] ?? 0);
  const lists = [['/Users', 'UniqueID'] as const, ['/Groups', 'PrimaryGroupID'] as const];
  const free = freeId(...lists.map(([key, property]) => ask('dscl', ['/Search', '-list', key, property]))) ?? 499;
  return { uid: idOf(`/Users/${user}`, 'UniqueID') || free, gid: idOf(`/Groups/${group}`, 'PrimaryGroupID') || free };
}

/** Folders of Windows; on another platform the usual ones. */
export function windowsFolders(): { taskFile: string; systemRoot: string } {
  const env = process.platform === 'win32' ? process.env : {};
  return { taskFile: windowsServiceFile(env), systemRoot: env.SystemRoot ?? 'C:\\Windows' };
}

/** Whether we may change the system: root, or an elevated process of Windows, which alone may list filter drivers. */
export function isAdministrator(): boolean {
  return process.platform === 'win32'
    ? ask(join(windowsFolders().systemRoot, 'System32', 'fltMC.exe'), []) !== ''
    : process.getuid?.() === 0;
}

/** Whether this machine was started by systemd. */
export const isSystemdBooted = (): boolean => existsSync('/run/systemd/system');
