/** Asks the system on which file system a mount point lies. */
import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { readFile, realpath, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { networkOnLinux, networkOnMac, networkOnWindows } from '../network-mount.ts';

const MOUNT_TABLE_MS = 5_000;

/** Name of the network file system at the mount point; null when it is a disk of this machine. Throws file system errors. */
export async function networkFileSystem(mountPoint: string): Promise<string | null> {
  switch (process.platform) {
    case 'linux': {
      const [path, { type }, table] = await Promise.all([
        realpath(mountPoint),
        statfs(mountPoint),
        readFile('/proc/self/mountinfo', 'utf8'),
      ]);
      return networkOnLinux(path, type, table);
    }
    case 'darwin': {
      const path = await realpath(mountPoint);
      const { stdout } = await promisify(execFile)('/sbin/mount', [], { timeout: MOUNT_TABLE_MS });
      return networkOnMac(path, stdout);
    }
    case 'win32':
      // The native form names the share behind a mapped drive.
      return networkOnWindows(realpathSync.native(mountPoint));
    default:
      return process.platform;
  }
}
