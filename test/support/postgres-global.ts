import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { createDatabase } from '../../agent/db/database.ts';
import { migrate } from '../../agent/db/migrate.ts';
import { initialiseServer } from '../../agent/embedded-db/initialise-server.ts';
import { findPostgresBinaries } from '../../agent/embedded-db/postgres-binaries.ts';
import {
  findFreePort,
  isAlive,
  isServerOf,
  readPostmasterFile,
  type ServerPlace,
  startServer,
  stopServer,
} from '../../agent/embedded-db/server-process.ts';
import { findServerUser } from '../../agent/embedded-db/server-user.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';

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

/** Folders of test servers in the temporary folder; pgBouncer's (pgbouncer.ts) begin the same way. */
const PREFIX = 'isg-pro-test-';
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

/** A run that was killed leaves its server running; its folder names the runner, so it can be told from a living one's. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
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

async function asAdmin(adminUri: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: adminUri });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function makeTemplate(facts: TestPostgres, password: string): Promise<void> {
  await asAdmin(facts.adminUri, [
    `CREATE ROLE isg LOGIN PASSWORD '${password}'`,
    `CREATE DATABASE ${facts.template} OWNER isg`,
  ]);
  const uri = `${facts.isgUri}/${facts.template}`;
  await asAdmin(uri, ['CREATE SCHEMA isg']);
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  try {
    await migrate(database, { version: '999.0.0', log: silentLogger });
  } finally {
    await database.close();
  }
}

interface Running {
  facts: TestPostgres;
  stop(): Promise<void>;
}

async function startRun(): Promise<Running> {
  await removeLeftovers();
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}pg-`));
  await writeFile(join(folder, 'owner.pid'), String(process.pid));
  // PostgreSQL runs as another user when we are root, and mkdtemp lets only the owner pass
  await chmod(folder, 0o711);
  const password = randomBytes(12).toString('hex');
  const user = await findServerUser();
  const binaries = await findPostgresBinaries();
  const place: ServerPlace = { binaries, user, dataDir: join(folder, 'pg'), logFile: join(folder, 'postgres.log') };
  await initialiseServer({ ...place, superuser: 'postgres', password, flags: ['--no-sync'] });
  const port = await findFreePort();
  const server = await startServer(place, port, SETTINGS);
  server.unref();
  const at = `127.0.0.1:${port}`;
  const facts: TestPostgres = {
    adminUri: `postgresql://postgres:${password}@${at}/postgres?sslmode=disable`,
    isgUri: `postgresql://isg:${password}@${at}`,
    template: 'isg_template',
  };
  await makeTemplate(facts, password);
  return {
    facts,
    stop: async () => {
      await stopServer(place, 5_000);
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
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
