import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { SERVICE_NAME, serviceSocketPath } from '../../agent/contract/index.ts';

/** Where a system service of ours is looked for. */
export interface ServicePlace {
  socketPath: string;
  /** Whether one is installed, running or not. Never rejects. */
  isInstalled(): Promise<boolean>;
}

const UNITS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['/etc', '/usr/lib', '/lib', '/usr/local/lib'].map((root) => `${root}/systemd/system/${SERVICE_NAME}.service`),
  darwin: [`/Library/LaunchDaemons/io.${SERVICE_NAME}.agent.plist`, `/Library/LaunchDaemons/${SERVICE_NAME}.plist`],
};
const ASK_LIMIT_MS = 5_000;

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
  if (named !== undefined) return { socketPath: named, isInstalled: async () => existsSync(dirname(named)) };
  const { platform } = facts;
  return {
    socketPath: serviceSocketPath(platform),
    isInstalled:
      platform === 'win32' ? isWindowsService : async () => (UNITS[platform] ?? []).some((path) => existsSync(path)),
  };
}

/** The service manager knows it: `sc query` of an unknown one ends with 1060. */
function isWindowsService(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('sc.exe', ['query', SERVICE_NAME], { timeout: ASK_LIMIT_MS, windowsHide: true }, (error) =>
      resolve(error === null),
    );
  });
}
