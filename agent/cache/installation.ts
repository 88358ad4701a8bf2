import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Who this installation is, where it runs, and since which boot. */
export interface Installation {
  /** UUID of the installation, kept in the data folder; what iconik's telemetry is keyed by. */
  workerId: string;
  /** The worker id that this data folder had until now, when it was found to be a copy and got one of its own; else null. */
  copiedFrom: string | null;
  /** The operating system's id of this machine, or a random one kept in the data folder. */
  machineId: string;
  /** Changes with each boot; `unknown` where the system does not tell. */
  bootId: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A program that names machine or boot must not hold up the start. */
const ASK_TIMEOUT_MS = 5_000;

/** Replaces a file so that after a crash it holds either the old or the new text, whole. */
async function writeDurably(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `${name}.${process.pid}.new`);
  const file = await open(temporary, 'w', 0o640);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, name));
  if (process.platform === 'win32') return;
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // ignored because an unreadable source counts as none; the caller has a fallback
    return '';
  }
}

async function keptUuid(dataDir: string, name: string): Promise<string> {
  const known = await readText(join(dataDir, name));
  if (UUID.test(known)) return known;
  const fresh = randomUUID();
  await writeDurably(dataDir, name, `${fresh}\n`);
  return fresh;
}

async function ask(program: string, args: readonly string[], pattern: RegExp): Promise<string> {
  try {
    const { stdout } = await run(program, [...args], {
      timeout: ASK_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      windowsHide: true,
    });
    return pattern.exec(stdout)?.[1]?.trim() ?? '';
  } catch {
    // ignored because a system without the program has no such id; the caller has a fallback
    return '';
  }
}

async function readMachineId(dataDir: string): Promise<string> {
  const bySystem = async () => {
    if (process.platform === 'darwin') {
      return ask('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'], /"IOPlatformUUID" = "([^"]+)"/);
    }
    if (process.platform === 'win32') {
      return ask('reg', ['query', 'HKLM\\SOFTWARE\\Microsoft\\Cryptography', '/v', 'MachineGuid'], /REG_SZ\s+(\S+)/);
    }
    return (
      (await readText('/etc/machine-id')) ||
      (await readText('/var/lib/dbus/machine-id')) ||
      (await readText('/etc/hostid'))
    );
  };
  return (await bySystem()) || keptUuid(dataDir, 'machine-id');
}

async function readBootId(): Promise<string> {
  const bySystem = async () => {
    if (process.platform === 'darwin') return ask('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], /(\S+)/);
    if (process.platform !== 'win32') return readText('/proc/sys/kernel/random/boot_id');
    const key = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters';
    return ask('reg', ['query', key, '/v', 'BootId'], /REG_DWORD\s+(\S+)/);
  };
  return (await bySystem()) || 'unknown';
}

// Not the number of the device: it may be another one after the next boot.
async function readPlace(dataDir: string): Promise<string> {
  try {
    const path = await realpath(dataDir);
    const { ino } = await stat(path, { bigint: true });
    return `${ino} ${path}`;
  } catch {
    // ignored because a file system that does not tell a place says nothing about copies
    return '';
  }
}

/**
 * Two folders of one worker id would free each other's jobs and beat over each other. A copy is told by its place: another
 * path, or another folder at the same path. A folder that was moved or restored counts as one, too: its old id is not missed,
 * because what it held is freed when its heartbeat lapses.
 */
async function settlePlace(dataDir: string, workerId: string): Promise<Pick<Installation, 'workerId' | 'copiedFrom'>> {
  const [known, place] = await Promise.all([readText(join(dataDir, 'worker-place')), readPlace(dataDir)]);
  if (known === place || place === '') return { workerId, copiedFrom: null };
  const isCopy = known !== '';
  const settled = isCopy ? await renewWorkerId(dataDir) : workerId;
  await writeDurably(dataDir, 'worker-place', `${place}\n`);
  return { workerId: settled, copiedFrom: isCopy ? workerId : null };
}

/** Reads who we are, making the worker id at the first start, and another for a folder that is a copy. Call while holding the data folder's lock. */
export async function loadInstallation(dataDir: string): Promise<Installation> {
  await mkdir(dataDir, { recursive: true, mode: 0o750 });
  const identity = await settlePlace(dataDir, await keptUuid(dataDir, 'worker-id'));
  const [machineId, bootId] = await Promise.all([readMachineId(dataDir), readBootId()]);
  return { ...identity, machineId, bootId };
}

/** Gives the installation a new worker id, for a data folder that was cloned to another machine. Returns the new id. */
export async function renewWorkerId(dataDir: string): Promise<string> {
  const fresh = randomUUID();
  await writeDurably(dataDir, 'worker-id', `${fresh}\n`);
  return fresh;
}
