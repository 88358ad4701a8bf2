import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { nodeProgram } from '../runtime/node-program.ts';
import { makeDatabaseFolder, readPassword } from './database-folder.ts';
import { type KeeperMessage, keeperAddress, keeperMessageSchema, NAME } from './keeper-link.ts';

/** What starting needs. */
export interface EmbeddedDatabaseOptions {
  /** The agent's data folder; the database lives in its folder `embedded-db`. */
  dataDir: string;
  log: Logger;
  /** How long PostgreSQL goes on after its last agent is gone, milliseconds; default 30 s. Counts for the keeper this call starts. */
  lingerMs?: number;
}

/** A running embedded PostgreSQL, held by this process. */
export interface EmbeddedDatabase {
  /** Connection URI with password; a secret. Stays the same over restarts of PostgreSQL and of its keeper. */
  uri: string;
  /** Lets go; PostgreSQL stops when nobody has held it for `lingerMs`. Safe to call twice. */
  release(): Promise<void>;
}

/** First start with initdb on a slow disk, or recovery with a large journal, takes long; longer means something is wrong. */
const START_DEADLINE_MS = 180_000;
const POLL_MS = 50;
/** A keeper that died at once is started again, but not in a hot loop. */
const RESPAWN_MS = 2_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a keeper that lives on without us. */
function spawnKeeper(folder: string, lingerMs: number): void {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`./keeper.${extension}`, import.meta.url));
  const node = nodeProgram();
  const child = spawn(node.path, [program, folder, String(lingerMs)], {
    cwd: folder,
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
    env: { ...process.env, ...node.env },
  });
  child.on('error', () => undefined);
  child.unref();
}

/** A connection to the keeper, and what it said last. */
interface KeeperLink {
  socket: Socket;
  said: KeeperMessage | undefined;
}

function tryConnect(address: string): Promise<KeeperLink | null> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const link: KeeperLink = { socket, said: undefined };
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) link.said = keeperMessageSchema.parse(JSON.parse(line));
    });
    socket.once('connect', () => resolve(link));
    socket.on('error', () => resolve(null));
  });
}

/** Waits until the keeper says ready or failed, or is gone (null). */
async function waitForWord(link: KeeperLink, deadline: number): Promise<KeeperMessage | null> {
  while (performance.now() < deadline) {
    if (link.said !== undefined && link.said.state !== 'starting') return link.said;
    if (link.socket.destroyed || link.socket.readableEnded) return null;
    await sleep(POLL_MS);
  }
  return null;
}

interface Attached {
  link: KeeperLink;
  port: number;
}

/** Connects to the keeper of the folder, starting one if there is none. Several agents may do this at once. */
async function attach(folder: string, lingerMs: number, isWanted: () => boolean): Promise<Attached> {
  const address = keeperAddress(folder);
  const deadline = performance.now() + START_DEADLINE_MS;
  let nextSpawnAt = 0;
  while (performance.now() < deadline && isWanted()) {
    const link = await tryConnect(address);
    if (link === null) {
      if (performance.now() >= nextSpawnAt) {
        spawnKeeper(folder, lingerMs);
        nextSpawnAt = performance.now() + RESPAWN_MS;
      }
      await sleep(POLL_MS);
      continue;
    }
    const word = await waitForWord(link, deadline);
    if (word?.state === 'ready') return { link, port: word.port };
    link.socket.destroy();
    if (word?.state === 'failed') throw new IsgError('database-refused', word.message, { retry: 'transient' });
    await sleep(POLL_MS);
  }
  throw new IsgError(
    'database-unreachable',
    `The embedded PostgreSQL did not start in time. Its logs are keeper.log and postgres.log in ${folder}.`,
    { retry: 'transient' },
  );
}

/**
 * Runs (or joins) the embedded PostgreSQL of a data folder: role, database and schema `isg`, on the loopback interface,
 * durable, with a random password that only the folder's owner can read. While held, a PostgreSQL or keeper that dies is
 * brought back in the background (running statements fail as `database-unreachable` meanwhile).
 * Throws `database-refused` with the reason when it cannot be set up, `database-unreachable` when it takes too long.
 */
export async function startEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  const { log, lingerMs = 30_000 } = options;
  const folder = await makeDatabaseFolder(options.dataDir);
  let isHeld = true;
  let current = await attach(folder, lingerMs, () => isHeld);
  const { port } = current;

  const reattach = async () => {
    log.warn('the keeper of the embedded database is gone; starting another');
    while (isHeld) {
      try {
        current = await attach(folder, lingerMs, () => isHeld);
        if (current.port !== port) log.error('the embedded database moved to another port; restart this agent');
        hold();
        return;
      } catch (thrown) {
        if (!isHeld) return;
        log.error('the embedded database does not come back', { error: thrown });
        await sleep(RESPAWN_MS);
      }
    }
  };
  const hold = () => {
    const { socket } = current.link;
    if (!isHeld) socket.destroy();
    else if (socket.destroyed) void reattach();
    else socket.once('close', () => isHeld && void reattach());
  };
  hold();

  const password = await readPassword(folder);
  return {
    uri: `postgresql://${NAME}:${password}@127.0.0.1:${port}/${NAME}?sslmode=disable`,
    release: async () => {
      isHeld = false;
      current.link.socket.destroy();
    },
  };
}
