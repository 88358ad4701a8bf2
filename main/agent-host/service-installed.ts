import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SERVICE_NAME, serviceSocketPath, windowsServiceFile } from '../../agent/contract/index.ts';

/** Where a system service of ours is looked for. */
export interface ServicePlace {
  socketPath: string;
  /** Whether one is installed, running or not. */
  isInstalled(): boolean;
  /**
   * Whether the place may be anybody's while no service is installed: then nobody who answers there is believed. On Windows a
   * pipe's name belongs to whoever takes it first; elsewhere the socket's folder is one that only root makes.
   */
  isFreeForAll: boolean;
}

/** Files of the definitions that `--install-service` makes, or that a package may bring. */
const DEFINITIONS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['/etc', '/usr/lib', '/lib', '/usr/local/lib'].map((root) => `${root}/systemd/system/${SERVICE_NAME}.service`),
  darwin: [`/Library/LaunchDaemons/io.${SERVICE_NAME}.agent.plist`],
  win32: [windowsServiceFile(process.env)],
};

/**
 * The platform's place. Development and test builds may name another by `ISG_PRO_SERVICE_SOCKET`; in a release anybody's
 * environment could make the application hand a typed token to a program of theirs. There, a service counts as installed
 * when the folder of its socket exists.
 */
export function servicePlace(facts: {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  isPackaged: boolean;
  isTestBuild: boolean;
}): ServicePlace {
  const named = !facts.isPackaged || facts.isTestBuild ? facts.env.ISG_PRO_SERVICE_SOCKET || undefined : undefined;
  if (named !== undefined)
    return { socketPath: named, isInstalled: () => existsSync(dirname(named)), isFreeForAll: false };
  const { platform } = facts;
  return {
    socketPath: serviceSocketPath(platform),
    isInstalled: () => (DEFINITIONS[platform] ?? []).some(exists),
    isFreeForAll: platform === 'win32',
  };
}

/** A file that this user may not even look at is there all the same (tasks of the system on Windows). */
function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // ignored because whatever keeps us from looking, it is not absence
    return true;
  }
}
