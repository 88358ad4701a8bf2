import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Flags, ServiceOrder } from '../config/flags.ts';
import { locateFiles } from '../config/load-config.ts';
import { defaultConfigPath, defaultDataDir } from '../config/locations.ts';
import { windowsServiceFile } from '../contract/index.ts';
import { freeId } from './launchd-plan.ts';
import type { ServiceFacts } from './service-plan.ts';
import { isConfigFolder, OWN_ACCOUNT, type ServicePlatform } from './service-rules.ts';

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
}

/** Reads what a plan needs from this machine; nothing is changed. For another platform: what is usual there. */
export function gatherFacts(request: FactsRequest): ServiceFacts {
  const { platform, flags, order } = request;
  const user = order.user ?? OWN_ACCOUNT[platform];
  const names = {
    user,
    group: order.group ?? groupOf(request, user),
    isOwnUser: order.user === undefined,
    isOwnGroup: order.group === undefined && order.user === undefined,
    caller: process.env.SUDO_USER,
  };
  if (platform !== process.platform) {
    const host = { platform, isService: true, homeDir: '', env: {} };
    const configPath = flags.config ?? defaultConfigPath(host);
    const dataDir = flags.dataDir ?? defaultDataDir(host);
    return { ...names, program: INSTALLED[platform], configPath, dataDir, hasConfig: true, isConfigFolderOurs: true };
  }
  const { configPath, dataDir } = locateFiles(request.argv, process.env);
  return {
    ...names,
    program: [process.execPath, realpathSync(process.argv[1] ?? '')],
    configPath: resolve(configPath),
    dataDir,
    hasConfig: existsSync(configPath),
    isConfigFolderOurs: isConfigFolder(namesIn(dirname(configPath)), basename(configPath)),
  };
}

/** The names in a folder; null when there is none. Throws what the file system throws otherwise. */
export function namesIn(folder: string): string[] | null {
  return existsSync(folder) ? readdirSync(folder) : null;
}

function groupOf({ platform, order }: FactsRequest, user: string): string {
  if (order.user === undefined || platform !== process.platform || platform === 'win32') return user;
  // files that the service makes in storages belong to the group that the account belongs to
  return ask('id', ['-gn', user]).trim() || user;
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
