import { chmodSync, chownSync, lstatSync, mkdirSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { IsgError } from '../runtime/errors.ts';

/** Owner and group may connect (that needs the right to write), nobody else. */
const SOCKET_MODE = 0o660;
const FOLDER_MODE = 0o750;
/** Taken from what `listen` makes, so that the socket is never wider, not for an instant. */
const SOCKET_UMASK = 0o117;
const OTHERS_MAY_WRITE = 0o022;
const PROBE_LIMIT_MS = 2_000;

/**
 * Makes the server listen where a system service is met, with the permissions that are its only gate. Call it while the lock
 * of the data folder is held. A socket that an ended agent left is removed; one that answers is not ours to remove. Throws
 * `IsgError` in words when the place is not safe, or taken.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  // A pipe's name is no file. Without readableAll and writableAll Windows' own default decides who enters (README).
  if (process.platform === 'win32') return listening(server, path);
  const folder = makeFolder(dirname(path));
  await removeLeftOver(path);
  const umask = process.umask(SOCKET_UMASK);
  let listens: Promise<void>;
  try {
    // The socket is bound before this returns, under the narrow umask.
    listens = listening(server, path);
  } finally {
    process.umask(umask);
  }
  await listens;
  if (process.geteuid?.() === 0) chownSync(path, 0, folder.gid);
  chmodSync(path, SOCKET_MODE);
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (thrown: Error) => reject(notListening(path, thrown));
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function notListening(path: string, thrown: Error): IsgError {
  const code = 'code' in thrown ? String(thrown.code) : thrown.message;
  const why = code === 'EADDRINUSE' ? 'another process listens there' : code;
  return refused(`The service cannot be reached by the desktop application: ${path} cannot be listened on (${why}).`);
}

/** The folder, made if missing. One that others may write to would let them put a socket of their own in the place of ours. */
function makeFolder(folder: string): Stats {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const stats = statSync(folder);
  const own = process.geteuid?.() ?? 0;
  if ((stats.mode & OTHERS_MAY_WRITE) !== 0 || (stats.uid !== own && stats.uid !== 0))
    throw refused(
      `The service cannot be reached by the desktop application: the folder ${folder} can be written to by others. Make it the service's own (chmod 0750), then start the service anew.`,
    );
  if (stats.uid === own) chmodSync(folder, FOLDER_MODE);
  return stats;
}

async function removeLeftOver(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket())
    throw refused(
      `The service cannot be reached by the desktop application: ${path} is no socket. Remove it, then start the service anew.`,
    );
  if (await answers(path)) throw notListening(path, Object.assign(new Error(), { code: 'EADDRINUSE' }));
  unlinkSync(path);
}

/** Whether a process listens there; one that does not answer in time counts as one that does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const done = (isThere: boolean) => {
      clearTimeout(timer);
      probe.destroy();
      resolve(isThere);
    };
    const timer = setTimeout(() => done(true), PROBE_LIMIT_MS);
    probe.once('connect', () => done(true));
    probe.once('error', (thrown) => done(!('code' in thrown && thrown.code === 'ECONNREFUSED')));
  });
}

const refused = (message: string): IsgError => new IsgError('unexpected', message, { retry: 'permanent' });
