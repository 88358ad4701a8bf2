/**
 * The keeper: a detached process that runs the embedded PostgreSQL of one data folder for as long as any agent holds a
 * connection to it, and `lingerMs` longer. See README.md. Started as `node keeper.ts FOLDER LINGER_MS`.
 */
import { appendFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type FileLock, tryLockFile } from '../cache/data-folder-lock.ts';
import { coerceError } from '../runtime/errors.ts';
import { prepareServer, readLastPort, rotateLog, writeLastPort } from './database-folder.ts';
import { type KeeperMessage, keeperAddress } from './keeper-link.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import {
  clearStalePostmasterFile,
  findFreePort,
  isAlive,
  isServerOf,
  readPostmasterFile,
  type ServerPlace,
  startServer,
  stopServer,
} from './server-process.ts';
import { findServerUser } from './server-user.ts';

/** Durable: the server's defaults for fsync and the like stay. Loopback only; nobody else may reach a single-node database. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=60',
  'log_min_messages=warning',
  'wal_level=minimal',
  'max_wal_senders=0',
];
/** A keeper nobody has connected to yet waits at least this long, whatever `lingerMs` is. */
const FIRST_CONNECTION_MS = 10_000;
/** How long a second keeper waits for one that is stopping. */
const LOCK_PATIENCE_MS = 60_000;
/** A server of a killed keeper that is just starting or recovering gets this long to become ready. */
const ADOPTION_PATIENCE_MS = 60_000;
/** Memory of a killed server may live on in its last children for a moment; starting is tried again meanwhile. */
const START_ATTEMPTS = 5;
const WATCH_MS = 250;
const CLOSE_LOOK_ROUNDS = 40;

const [, , folder = '', lingerText = ''] = process.argv;
// 0 is a wish of its own: stop with the last connection.
const lingerMs = /^\d+$/.test(lingerText) ? Number(lingerText) : 30_000;
const address = keeperAddress(folder);
const connections = new Set<Socket>();
let message: KeeperMessage = { state: 'starting' };
let lingerTimer: NodeJS.Timeout | undefined;
let isStopping = false;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function note(text: string): void {
  try {
    appendFileSync(join(folder, 'keeper.log'), `${new Date().toISOString()} ${process.pid} ${text}\n`);
  } catch {
    // ignored because a full disk must not stop the database
  }
}

function tell(socket: Socket): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

function announce(next: KeeperMessage): void {
  message = next;
  for (const socket of connections) tell(socket);
}

function isAnswered(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** The lock, or null when another keeper serves already. The lock, not the socket file, tells whether one lives. */
async function takeLock(): Promise<FileLock | null> {
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const lock = tryLockFile(join(folder, 'keeper.lock'));
    if (lock !== null) return lock;
    if (await isAnswered()) return null;
    if (performance.now() > deadline) throw new Error('another keeper holds the lock but does not answer');
    await sleep(50);
  }
}

function armLinger(ms: number, stop: () => void): void {
  clearTimeout(lingerTimer);
  lingerTimer = setTimeout(() => {
    if (connections.size === 0) stop();
  }, ms);
}

async function listen(stop: () => void): Promise<Server> {
  if (process.platform !== 'win32') rmSync(address, { force: true });
  const server = createServer((socket) => {
    if (isStopping) return socket.destroy();
    connections.add(socket);
    clearTimeout(lingerTimer);
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('close', () => {
      connections.delete(socket);
      if (connections.size === 0) armLinger(lingerMs, stop);
    });
    tell(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, resolve);
  });
  armLinger(Math.max(lingerMs, FIRST_CONNECTION_MS), stop);
  return server;
}

interface RunningServer {
  pid: number;
  port: number;
}

/** A server that an earlier keeper left behind goes on: its agents may be in the middle of work. */
async function adoptServer(place: ServerPlace): Promise<RunningServer | null> {
  const deadline = performance.now() + ADOPTION_PATIENCE_MS;
  for (;;) {
    const file = await readPostmasterFile(place.dataDir);
    if (file === null || !(await isServerOf(file.pid, place.dataDir))) return null;
    if (file.isReady && file.port > 0) return { pid: file.pid, port: file.port };
    if (performance.now() > deadline) {
      note('the server found does not become ready; stopping it');
      await stopServer(place);
      return null;
    }
    await sleep(100);
  }
}

async function startOwn(place: ServerPlace): Promise<RunningServer> {
  await clearStalePostmasterFile(place.dataDir);
  await rotateLog(place.logFile);
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort(await readLastPort(folder));
    try {
      const child = await startServer(place, port, SETTINGS);
      if (child.pid === undefined) throw new Error('the server has no process id');
      await writeLastPort(folder, port);
      return { pid: child.pid, port };
    } catch (thrown) {
      note(`start ${attempt} failed: ${coerceError(thrown).message}`);
      if (attempt === START_ATTEMPTS) throw thrown;
      await sleep(1_000);
    }
  }
}

async function bringUp(place: ServerPlace): Promise<RunningServer> {
  const adopted = await adoptServer(place);
  const running = adopted ?? (await startOwn(place));
  note(`${adopted === null ? 'started' : 'adopted'} server ${running.pid} on port ${running.port}`);
  announce({ state: 'ready', port: running.port });
  return running;
}

/** Brings a server that died (killed, out of memory) back at once, on the same port; its journal makes it whole. */
async function watch(place: ServerPlace, first: RunningServer): Promise<never> {
  let running = first;
  for (let round = 1; ; round += 1) {
    await sleep(WATCH_MS);
    // the id alone is asked often; whether it is still our server (not a zombie, not a reused id) costs a process
    const isRunning =
      isAlive(running.pid) && (round % CLOSE_LOOK_ROUNDS !== 0 || (await isServerOf(running.pid, place.dataDir)));
    if (isRunning || isStopping) continue;
    note(`server ${running.pid} is gone; starting it again`);
    announce({ state: 'starting' });
    running = await bringUp(place);
  }
}

async function keep(): Promise<void> {
  process.umask(0o077);
  const lock = await takeLock();
  if (lock === null) return process.exit(0);
  await rotateLog(join(folder, 'keeper.log'));
  let place: ServerPlace | undefined;
  let server: Server | undefined;
  const stop = async (code: number) => {
    if (isStopping) return;
    isStopping = true;
    server?.close();
    for (const socket of connections) socket.end();
    if (place !== undefined) await stopServer(place);
    note('stopped');
    lock.release();
    process.exit(code);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(0));
  try {
    server = await listen(() => void stop(0));
    place = await prepareServer(folder, await findPostgresBinaries(), await findServerUser());
    await watch(place, await bringUp(place));
  } catch (thrown) {
    const reason = coerceError(thrown).message;
    note(`failed: ${reason}`);
    announce({ state: 'failed', message: reason });
    await stop(1);
  }
}

keep().catch((thrown: unknown) => {
  note(`failed: ${coerceError(thrown).message}`);
  process.exit(1);
});
