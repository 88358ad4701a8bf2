import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isAlive, isServerOf, readPostmasterFile } from '../../agent/embedded-db/server-process.ts';
import { askOnce, makeTables, SERVER_PREFIX, serverParents, startOwnPostgres } from './own-postgres.ts';

/** How tests reach the PostgreSQL of this run. Both URIs hold passwords that mean nothing outside it. */
export interface TestPostgres {
  /** Superuser, database postgres. */
  adminUri: string;
  /** Plain role `isg` (owns the databases it gets), without a database name: append `/name`. */
  isgUri: string;
  /** Database to clone, migrated. */
  template: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres;
  }
}

/** Speed before safety: this server never outlives its run. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_connections=200',
  'shared_buffers=64MB',
  'max_wal_size=512MB',
  'autovacuum_naptime=5',
];

async function serverFolders(): Promise<string[]> {
  const lists = serverParents().map(async (parent) => {
    const names = await readdir(parent).catch(() => []);
    return names.filter((name) => name.startsWith(SERVER_PREFIX)).map((name) => join(parent, name));
  });
  return (await Promise.all(lists)).flat();
}

/** A run that was killed leaves its server running; its folder names the runner, so it can be told from a living one's. */
async function removeLeftovers(): Promise<void> {
  for (const folder of await serverFolders()) {
    const owner = Number(await readFile(join(folder, 'owner.pid'), 'utf8').catch(() => '0'));
    if (owner === 0 || isAlive(owner)) continue;
    const file = await readPostmasterFile(join(folder, 'pg'));
    if (file !== null && (await isServerOf(file.pid, join(folder, 'pg')))) process.kill(file.pid, 'SIGQUIT');
    await endPgBouncer(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** Ends a pgBouncer left in the folder; its command line names the folder, so that a reused process id is not hit. */
async function endPgBouncer(folder: string): Promise<void> {
  const pid = Number(await readFile(join(folder, 'pgbouncer.pid'), 'utf8').catch(() => '0'));
  if (pid === 0) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (commandLine.includes(folder)) process.kill(pid, 'SIGKILL');
}

interface Running {
  facts: TestPostgres;
  stop(): Promise<void>;
}

async function startRun(): Promise<Running> {
  await removeLeftovers();
  const server = await startOwnPostgres('pg', SETTINGS);
  const facts: TestPostgres = {
    adminUri: `${server.uriOf('postgres', 'postgres')}?sslmode=disable`,
    isgUri: server.uriOf('isg', '').replace(/\/$/, ''),
    template: 'isg_template',
  };
  await askOnce(facts.adminUri, `CREATE DATABASE ${facts.template} OWNER isg`);
  await makeTables(server.uriOf('isg', facts.template));
  return { facts, stop: () => server.stop() };
}

/** Projects of one vitest run share the server; each loads this module anew, so what is shared hangs on the process. */
interface Shared {
  users: number;
  running: Promise<Running>;
}
const KEY = Symbol.for('isg-pro-test-postgres');

function shared(): Shared {
  const holder = globalThis as { [KEY]?: Shared };
  holder[KEY] ??= { users: 0, running: startRun() };
  return holder[KEY];
}

/** vitest globalSetup: one PostgreSQL per run, with a migrated template database. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = shared();
  server.users += 1;
  const running = await server.running;
  project.provide('postgres', running.facts);
  return async () => {
    server.users -= 1;
    if (server.users > 0) return;
    delete (globalThis as { [KEY]?: Shared })[KEY];
    await running.stop();
  };
}
