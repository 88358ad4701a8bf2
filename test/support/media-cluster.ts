import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { tryLockFile } from '../../agent/cache/data-folder-lock.ts';
import type { Role } from '../../agent/contract/index.ts';
import { createDatabase } from '../../agent/db/database.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../agent/embedded-db/embedded-database.ts';
import { type ChildGuard, createChildGuard } from '../../agent/runtime/child-guard/child-guard.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';
import type { Database } from '../../agent/runtime/sql.ts';
import { createStandIn, type StandIn } from '../stand-in/stand-in.ts';
import type { CloudStorages, SeededAccount } from '../stand-in/state/seed-account.ts';

/** A node of a media cluster: a real agent process with its own data folder. */
export interface ClusterNodeProcess {
  name: string;
  roles: Role[];
  /** Null while it does not run. */
  process: ChildProcess | null;
  logPath: string;
}

/** What to start. */
export interface MediaClusterOptions {
  /** Folder for everything; must exist. */
  dir: string;
  nodes: { name: string; roles: Role[]; mountPoints?: Record<string, string> }[];
  storageSettings: (cloud: CloudStorages) => Record<string, unknown>;
  /** Lines of every node's config.ini beside the required ones. */
  config: Record<string, string | number>;
  /** The cluster's database as iconik names it; default: the embedded one that is started. */
  dbConnectionUri?: string;
}

const AGENT = fileURLToPath(new URL('../../agent/main.ts', import.meta.url));

/**
 * A whole cluster on this machine: embedded PostgreSQL, stand-in iconik, agents as processes. Nothing of it outlives the
 * process that made it: a guard ends the agents, the database's keeper ends PostgreSQL.
 */
export class MediaCluster {
  readonly nodes: ClusterNodeProcess[] = [];
  readonly mediaDir: string;
  readonly standIn: StandIn;
  readonly account: SeededAccount;
  readonly database: Database;
  readonly #embedded: EmbeddedDatabase;
  readonly #guard: ChildGuard;
  readonly #dir: string;
  readonly #config: Record<string, string | number>;

  private constructor(
    parts: {
      standIn: StandIn;
      account: SeededAccount;
      database: Database;
      embedded: EmbeddedDatabase;
      guard: ChildGuard;
    },
    options: MediaClusterOptions,
  ) {
    this.standIn = parts.standIn;
    this.account = parts.account;
    this.database = parts.database;
    this.#embedded = parts.embedded;
    this.#guard = parts.guard;
    this.#dir = options.dir;
    this.#config = options.config;
    this.mediaDir = join(options.dir, 'media');
    for (const { name, roles } of options.nodes) {
      this.nodes.push({ name, roles, process: null, logPath: join(options.dir, name, 'output.log') });
    }
  }

  /** Starts database and stand-in, and writes the nodes' configuration; the agents are started by `startNode`. */
  static async create(options: MediaClusterOptions): Promise<MediaCluster> {
    // PostgreSQL does not run as root; its user must be able to pass through.
    chmodSync(options.dir, 0o711);
    const mediaDir = join(options.dir, 'media');
    mkdirSync(mediaDir, { recursive: true });
    const guard = await createChildGuard();
    const embedded = await startEmbeddedDatabase({
      dataDir: join(options.dir, 'database'),
      log: silentLogger,
      lingerMs: 0,
    });
    const standIn = await createStandIn({ dataDir: join(options.dir, 'iconik') });
    const account = standIn.seed({
      storages: [{ name: 'NAS Post', mountPoint: mediaDir, settings: options.storageSettings }],
      gateways: options.nodes,
      dbConnectionUri: options.dbConnectionUri ?? embedded.uri,
    });
    const database = createDatabase({ uri: embedded.uri, log: silentLogger, maxConnections: 2 });
    const cluster = new MediaCluster({ standIn, account, database, embedded, guard }, options);
    cluster.#writeConfigs();
    return cluster;
  }

  /** URI of the embedded database. */
  get databaseUri(): string {
    return this.#embedded.uri;
  }

  /** The seeded FILE storage. */
  get storageId(): string {
    const [id] = this.account.storageIds;
    if (!id) throw new Error('the account has no storage');
    return id;
  }

  #writeConfigs(): void {
    this.nodes.forEach(({ name }, at) => {
      const lines = {
        'iconik-url': `${this.standIn.url}/`,
        'app-id': this.standIn.appId,
        'auth-token': this.standIn.authToken,
        'storage-gateway-id': this.account.gatewayIds[at] ?? '',
        ...this.#config,
      };
      mkdirSync(join(this.#dir, name), { recursive: true });
      const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
      writeFileSync(join(this.#dir, name, 'config.ini'), `[main]\n${text.join('')}`, { mode: 0o600 });
    });
  }

  /** Starts a node that does not run. */
  startNode(name: string): ClusterNodeProcess {
    const node = this.node(name);
    if (node.process) throw new Error(`${name} runs already`);
    const folder = join(this.#dir, name);
    const output = openSync(node.logPath, 'a');
    const args = [AGENT, '--config', join(folder, 'config.ini'), '--data-dir', join(folder, 'data')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', output, output] });
    closeSync(output);
    this.#guard.watch(child);
    node.process = child;
    child.once('exit', () => {
      if (node.process === child) node.process = null;
    });
    return node;
  }

  node(name: string): ClusterNodeProcess {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Ends a node and waits until it is gone. */
  async endNode(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.node(name).process;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** False until the first node has made the tables. */
  async hasSchema(): Promise<boolean> {
    const row = z.object({ made: z.boolean() });
    const text = `SELECT to_regclass('leader_history') IS NOT NULL AS made`;
    const [found] = await this.database.query(text, [], row);
    return found?.made ?? false;
  }

  /** Name and term of the node that holds the lease; null while nobody does. */
  async leader(): Promise<{ name: string; term: number } | null> {
    const row = z.object({ name: z.string(), term: z.coerce.number() });
    const text = `SELECT h.name, h.term FROM leader_history h JOIN leader_lease l ON l.term = h.term AND NOT l.released`;
    const [found] = await this.database.query(text, [], row);
    return found ?? null;
  }

  /** How many of what is in which state. */
  async counts(): Promise<{ files: Record<string, number>; jobs: Record<string, number>; openOrigins: number }> {
    const row = z.object({ what: z.string(), key: z.string(), count: z.number() });
    const text = `
      SELECT 'file' AS what, state AS key, count(*)::int AS count FROM storage_file GROUP BY state
      UNION ALL SELECT 'job', kind || ' ' || state, count(*)::int FROM job GROUP BY kind, state
      UNION ALL SELECT 'origin', 'open', count(*)::int FROM job_origin WHERE settled_at IS NULL`;
    const rows = await this.database.query(text, [], row);
    const pick = (what: string) => Object.fromEntries(rows.filter((r) => r.what === what).map((r) => [r.key, r.count]));
    return { files: pick('file'), jobs: pick('job'), openOrigins: pick('origin').open ?? 0 };
  }

  /** Last lines of a node's output, for the reason of a failure. */
  tail(name: string, lines = 20): string {
    return readFileSync(this.node(name).logPath, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Ends everything that this cluster started. Safe to call twice. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ name }) => this.#endSurely(name)));
    await this.standIn.close();
    await this.database.close();
    await this.#embedded.release();
    await untilFree(join(this.#dir, 'database', 'embedded-db', 'keeper.lock'));
    await this.#guard.stop();
  }

  async #endSurely(name: string): Promise<void> {
    const child = this.node(name).process;
    if (!child) return;
    const killer = setTimeout(() => child.kill('SIGKILL'), 12_000);
    await this.endNode(name, 'SIGTERM');
    clearTimeout(killer);
  }
}

/** Waits until the database's keeper, which holds this lock as long as it lives, is gone; at most 15 s. */
async function untilFree(lockPath: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    const lock = tryLockFile(lockPath);
    if (lock) return lock.release();
    await sleep(50);
  }
  throw new Error('the keeper of the embedded database did not end');
}
