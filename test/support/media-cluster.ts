import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Role } from '../../agent/contract/index.ts';
import { createDatabase } from '../../agent/db/database.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../agent/embedded-db/embedded-database.ts';
import { readPostmasterFile } from '../../agent/embedded-db/server-process.ts';
import { type ChildGuard, createChildGuard } from '../../agent/runtime/child-guard/child-guard.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';
import type { Database } from '../../agent/runtime/sql.ts';
import { createStandIn, type StandIn } from '../stand-in/stand-in.ts';
import type { CloudStorages, SeededAccount } from '../stand-in/state/seed-account.ts';
import { copyEmbeddedTemplate, untilKeeperGone } from './embedded-template.ts';
import { createNodeNetwork, type NodeNetwork } from './node-network.ts';
import { startPgBouncer, type TestPgBouncer } from './pgbouncer.ts';

/** A node of a media cluster: a real agent process with its own data folder. */
export interface ClusterNodeProcess {
  name: string;
  roles: Role[];
  /** Null while it does not run. */
  process: ChildProcess | null;
  logPath: string;
  /** Its own ways to iconik and the database; null unless the cluster was asked for them. */
  network: NodeNetwork | null;
}

/** A node to start: `mountPoint` where the storage is mounted at another place than the media folder. */
export interface WantedNode {
  name: string;
  roles: Role[];
  mountPoint?: string;
}

/** What to start. */
export interface MediaClusterOptions {
  /** Folder for everything; must exist. */
  dir: string;
  nodes: WantedNode[];
  storageSettings: (cloud: CloudStorages) => Record<string, unknown>;
  /** Lines of every node's config.ini beside the required ones. */
  config: Record<string, string | number>;
  /** The cluster's database as iconik names it; default: the embedded one that is started. */
  dbConnectionUri?: string;
  /** Puts a network of its own between each node and iconik and database; the database is then behind pgBouncer. */
  ownNetworks?: boolean;
  /** Puts the nodes behind pgBouncer in transaction mode, without networks of their own. */
  isPooled?: boolean;
}

/** Server connections of the pooler: as many as the nodes use at a time. */
const POOL_SIZE = 20;
/** Name of the one FILE storage. */
const STORAGE = 'NAS Post';

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
  #pooler: TestPgBouncer | null;
  readonly #dir: string;
  readonly #config: Record<string, string | number>;

  private constructor(
    parts: {
      standIn: StandIn;
      account: SeededAccount;
      database: Database;
      embedded: EmbeddedDatabase;
      guard: ChildGuard;
      pooler: TestPgBouncer | null;
    },
    options: MediaClusterOptions,
  ) {
    this.standIn = parts.standIn;
    this.account = parts.account;
    this.database = parts.database;
    this.#embedded = parts.embedded;
    this.#guard = parts.guard;
    this.#pooler = parts.pooler;
    this.#dir = options.dir;
    this.#config = options.config;
    this.mediaDir = join(options.dir, 'media');
    for (const { name, roles } of options.nodes) {
      this.nodes.push({ name, roles, process: null, logPath: join(options.dir, name, 'output.log'), network: null });
    }
  }

  /** Starts database and stand-in, and writes the nodes' configuration; the agents are started by `startNode`. */
  static async create(options: MediaClusterOptions): Promise<MediaCluster> {
    // PostgreSQL does not run as root; its user must be able to pass through.
    chmodSync(options.dir, 0o711);
    const mediaDir = join(options.dir, 'media');
    mkdirSync(mediaDir, { recursive: true });
    const guard = await createChildGuard();
    const dataDir = join(options.dir, 'database');
    await copyEmbeddedTemplate(dataDir);
    const embedded = await startEmbeddedDatabase({ dataDir, log: silentLogger, lingerMs: 0 });
    const standIn = await createStandIn({ dataDir: join(options.dir, 'iconik') });
    const pooler =
      options.ownNetworks || options.isPooled ? await startPgBouncer(embedded.uri, { poolSize: POOL_SIZE }) : null;
    const account = standIn.seed({
      storages: [{ name: STORAGE, mountPoint: mediaDir, settings: options.storageSettings }],
      gateways: options.nodes.map(({ name, roles, mountPoint }) => ({
        name,
        roles,
        ...(mountPoint === undefined ? {} : { mountPoints: { [STORAGE]: mountPoint } }),
      })),
      dbConnectionUri: options.dbConnectionUri ?? pooler?.uri ?? embedded.uri,
    });
    const database = createDatabase({ uri: embedded.uri, log: silentLogger, maxConnections: 2 });
    const cluster = new MediaCluster({ standIn, account, database, embedded, guard, pooler }, options);
    if (options.ownNetworks) await cluster.#createNetworks();
    cluster.#writeConfigs();
    return cluster;
  }

  /** Has a further process ended when this one is gone, however that went. */
  watch(child: ChildProcess): void {
    this.#guard.watch(child);
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

  async #createNetworks(): Promise<void> {
    if (!this.#pooler) return;
    const ports = { iconik: Number(new URL(this.standIn.url).port), database: Number(new URL(this.#pooler.uri).port) };
    for (const node of this.nodes) node.network = await createNodeNetwork(ports);
  }

  /** The ways of a node to iconik and database, for faults. */
  network(name: string): NodeNetwork {
    const { network } = this.node(name);
    if (!network) throw new Error('this cluster has no networks of its own');
    return network;
  }

  /** Ends the pooler at once and starts another on the same port. */
  async restartPooler(): Promise<void> {
    if (!this.#pooler) throw new Error('this cluster has no pooler');
    const port = Number(new URL(this.#pooler.uri).port);
    await this.#pooler.stop();
    this.#pooler = await startPgBouncer(this.#embedded.uri, { poolSize: POOL_SIZE, port });
  }

  /** Kills the PostgreSQL server; its keeper brings it back on the same port. */
  async killDatabase(): Promise<void> {
    const file = await readPostmasterFile(join(this.#dir, 'database', 'embedded-db', 'pg'));
    if (!file) throw new Error('PostgreSQL does not run');
    process.kill(file.pid, 'SIGKILL');
  }

  #writeConfigs(): void {
    this.nodes.forEach(({ name, network }, at) => {
      const lines = {
        'iconik-url': network ? `http://127.0.0.1:${network.iconik.port}/` : `${this.standIn.url}/`,
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

  /** Starts a node that does not run; `program`: the entry of another version of the agent. */
  startNode(name: string, program = AGENT): ClusterNodeProcess {
    const node = this.node(name);
    if (node.process) throw new Error(`${name} runs already`);
    const folder = join(this.#dir, name);
    const output = openSync(node.logPath, 'a');
    const args = [program, '--config', join(folder, 'config.ini'), '--data-dir', join(folder, 'data')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', output, output] });
    closeSync(output);
    this.#guard.watch(child);
    node.process = child;
    child.once('exit', () => {
      if (node.process === child) node.process = null;
    });
    return node;
  }

  /** What `--doctor --json` prints for a node, beside the node itself. */
  async doctor(name: string): Promise<string> {
    const folder = join(this.#dir, name);
    const args = [
      AGENT,
      '--config',
      join(folder, 'config.ini'),
      '--data-dir',
      join(folder, 'data'),
      '--doctor',
      '--json',
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#guard.watch(child);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await once(child, 'close');
    return output;
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
    await Promise.all(this.nodes.map(async ({ network }) => network?.stop()));
    await this.standIn.close();
    await this.#pooler?.stop();
    await this.database.close();
    await this.#embedded.release();
    await untilKeeperGone(join(this.#dir, 'database'));
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
