import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { IsgError } from '../runtime/errors.ts';
import { initialiseServer } from './initialise-server.ts';
import { FOLDER, NAME } from './keeper-link.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { ServerPlace } from './server-process.ts';
import type { ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** Makes `<dataDir>/embedded-db` and returns it without symbolic links, so that every process names it alike. */
export async function makeDatabaseFolder(dataDir: string): Promise<string> {
  const folder = join(dataDir, FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return realpath(folder);
}

/** Lets the server's user pass through a folder of ours (not list it), as narrowly as its group allows. */
async function makePassable(folder: string, user: ServerUser): Promise<void> {
  if (user.gid === undefined) return;
  const { mode, uid, gid } = await stat(folder);
  if (mode & 0o001) return;
  const isOurGroup = gid === process.getgid?.() || gid === user.gid;
  if (isOurGroup) {
    await chown(folder, uid, user.gid);
    await chmod(folder, (mode & 0o7777) | 0o010);
  } else await chmod(folder, (mode & 0o7777) | 0o001);
}

/** The topmost folder on the way that the server's user cannot enter; null when it can enter all. */
async function findBarrier(folder: string, user: ServerUser): Promise<string | null> {
  const ways = [folder];
  for (let at = folder; dirname(at) !== at; at = dirname(at)) ways.unshift(dirname(at));
  for (const way of ways) {
    const entered = await run('/bin/sh', ['-c', 'cd "$0"', way], { ...user, cwd: '/' }).then(
      () => true,
      () => false,
    );
    if (!entered) return way;
  }
  return null;
}

async function assertReachable(folder: string, user: ServerUser): Promise<void> {
  if (user.uid === undefined) return;
  await makePassable(dirname(folder), user);
  await makePassable(folder, user);
  const barrier = await findBarrier(folder, user);
  if (barrier === null) return;
  throw new IsgError(
    'database-refused',
    `The embedded PostgreSQL runs as another user than root, and that user may not enter ${barrier}. Allow it (chmod o+x), or choose another data folder with --data-dir.`,
    { retry: 'permanent' },
  );
}

/** The password of the embedded database; empty string when there is none yet. */
export async function readPassword(folder: string): Promise<string> {
  return readFile(join(folder, 'password'), 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}

/** Written before the server exists: a server whose password nobody knows would be lost. */
async function ensurePassword(folder: string): Promise<string> {
  const known = await readPassword(folder);
  if (known !== '') return known;
  const fresh = randomBytes(24).toString('hex');
  const temporary = join(folder, 'password.new');
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${fresh}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, 'password'));
  return fresh;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The port of the last start, to come back there; 0 when unknown. */
export async function readLastPort(folder: string): Promise<number> {
  const text = await readFile(join(folder, 'port'), 'utf8').catch(() => '0');
  const port = Number.parseInt(text, 10);
  return port > 0 && port < 65_536 ? port : 0;
}

/** Remembers the port. */
export async function writeLastPort(folder: string, port: number): Promise<void> {
  await writeFile(join(folder, 'port'), `${port}\n`, { mode: 0o600 });
}

const MAX_LOG_BYTES = 5_000_000;

/** Begins a new log file when the old one has grown large; one old one is kept. Only while no server writes it. */
export async function rotateLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_LOG_BYTES) await rename(path, `${path}.1`);
}

/**
 * Makes everything the server needs, at the first call the server's own folder with role, database and schema `isg`.
 * Call only while holding the keeper's lock. Throws `database-refused` in words for the operator.
 */
export async function prepareServer(
  folder: string,
  binaries: PostgresBinaries,
  user: ServerUser,
): Promise<ServerPlace> {
  await assertReachable(folder, user);
  const password = await ensurePassword(folder);
  const place: ServerPlace = { binaries, user, dataDir: join(folder, 'pg'), logFile: join(folder, 'postgres.log') };
  if (await exists(join(place.dataDir, 'PG_VERSION'))) return place;
  await rm(place.dataDir, { recursive: true, force: true });
  await initialiseServer({ ...place, superuser: NAME, password });
  return place;
}
