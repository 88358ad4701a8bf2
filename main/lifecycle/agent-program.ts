import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of all built programs. */
const programs = new URL('../', import.meta.url);

/** Files beside main that it starts or serves. */
export const PROGRAM_FILES = {
  /** Child processes cannot be started from inside an archive: what they need is unpacked beside it. */
  agentEntry: fileURLToPath(new URL('agent/main.js', programs)).replace(
    `${sep}app.asar${sep}`,
    `${sep}app.asar.unpacked${sep}`,
  ),
  preload: fileURLToPath(new URL('preload/preload.cjs', programs)),
  rendererFolder: fileURLToPath(new URL('renderer/', programs)),
} as const;

/** Tray icons: in the repository's build folder, or among the resources of a packaged application. */
export function trayIconFolder(isPackaged: boolean): string {
  if (isPackaged) return join(process.resourcesPath, 'icons', 'tray');
  return fileURLToPath(new URL('../build/icons/tray', programs));
}

/**
 * The Node executable that runs the agent in place of the utility process; null = the utility process. Only in development
 * and in test builds: in a release it would let anybody's environment choose the program that gets the account's token.
 */
export function agentNodePath(facts: {
  env: Readonly<Record<string, string | undefined>>;
  isPackaged: boolean;
  isTestBuild: boolean;
}): string | null {
  const isAllowed = !facts.isPackaged || facts.isTestBuild;
  return isAllowed ? facts.env.ISG_PRO_AGENT_NODE || null : null;
}
