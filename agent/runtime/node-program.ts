import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What of an installed application is not packed into its archive lies in a folder of this name, beside the archive. */
const UNPACKED = 'app.asar.unpacked';

/**
 * Folder of the resources of the installed application (programs shipped beside it lie there); null when the agent runs from
 * source. Holds for the agent as a child of the desktop application and as a service alike, because it is read from where
 * this module lies.
 */
export function packagedResources(modulePath = fileURLToPath(import.meta.url)): string | null {
  const at = modulePath.lastIndexOf(UNPACKED);
  return at < 1 ? null : modulePath.slice(0, at - 1);
}

/** A program that runs JavaScript as Node does, and what its environment needs on top of ours. */
export interface NodeProgram {
  path: string;
  env: Readonly<Record<string, string>>;
}

/**
 * The Node for the agent's own processes. An installed application brings one, because its Electron refuses to act as Node (a
 * fuse: anybody could otherwise run any script under its name and rights); from source it is the Node that runs us.
 */
export function nodeProgram(resources = packagedResources()): NodeProgram {
  if (!('electron' in process.versions)) return { path: process.execPath, env: {} };
  const shipped = resources === null ? null : shippedNode(resources);
  if (shipped !== null && existsSync(shipped)) return { path: shipped, env: {} };
  return { path: process.execPath, env: { ELECTRON_RUN_AS_NODE: '1' } };
}

/** Where an installed application keeps its Node, whether it is there or not. */
function shippedNode(resources: string): string {
  return join(resources, 'node', process.platform === 'win32' ? 'node.exe' : 'node');
}
