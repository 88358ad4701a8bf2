import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Database } from '../../../agent/runtime/sql.ts';
import { openDatabase } from './our-runner.ts';
import type { BenchDatabase, BenchServer } from './server.ts';

const NODE_PROCESS = fileURLToPath(new URL('node-process.ts', import.meta.url));
const TABLES = [
  'CREATE TABLE isg.bench_node (node text, run uuid, at timestamptz DEFAULT clock_timestamp())',
  'CREATE TABLE isg.bench_start (job int, node text, run uuid, at timestamptz DEFAULT clock_timestamp())',
  'GRANT ALL ON isg.bench_node, isg.bench_start TO isg',
];
const start = z.object({ job: z.number(), node: z.string(), run: z.string(), at_ms: z.number() });

/** One start of a job, by the database's clock. */
export type JobStart = z.infer<typeof start>;

/** What a node is started with. */
export interface NodePlan {
  name: string;
  slots: number;
  workMs: number;
  /** To come back as the same installation. */
  workerId?: string;
}

/** Nodes as processes of their own on one database. */
export class NodeFleet {
  readonly database: Database;
  readonly #place: BenchDatabase;
  readonly #nodes = new Map<string, ChildProcess>();

  private constructor(place: BenchDatabase) {
    this.#place = place;
    this.database = openDatabase(place.direct);
  }

  /** A fleet with a database of its own. */
  static async create(server: BenchServer, name: string): Promise<NodeFleet> {
    const place = await server.createDatabase(name, true);
    for (const table of TABLES) await place.asSuperuser(table);
    return new NodeFleet(place);
  }

  /** Starts a node; does not wait for it. */
  spawn({ name, slots, workMs, workerId = randomUUID() }: NodePlan): void {
    const args = [NODE_PROCESS, this.#place.direct, name, workerId, String(slots), String(workMs)];
    this.#nodes.set(name, spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] }));
  }

  /** SIGKILL. */
  async kill(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (!node || node.exitCode !== null || node.signalCode !== null) return;
    const ended = once(node, 'exit');
    node.kill('SIGKILL');
    await ended;
    this.#nodes.delete(name);
  }

  /** The database's clock, milliseconds since the epoch. */
  async nowMs(): Promise<number> {
    const text = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at_ms';
    const [row] = await this.database.query(text, [], z.object({ at_ms: z.number() }));
    return row?.at_ms ?? Number.NaN;
  }

  /** All starts so far, oldest first. */
  starts(): Promise<JobStart[]> {
    const text = 'SELECT job, node, run, (extract(epoch FROM at) * 1000)::float8 AS at_ms FROM bench_start ORDER BY at';
    return this.database.query(text, [], start);
  }

  /** When a node was ready, milliseconds since the epoch; null while it is not. */
  async readyMs(name: string): Promise<number | null> {
    const text = 'SELECT (extract(epoch FROM max(at)) * 1000)::float8 AS at_ms FROM bench_node WHERE node = $1';
    const [row] = await this.database.query(text, [name], z.object({ at_ms: z.number().nullable() }));
    return row?.at_ms ?? null;
  }

  /** Polls until `find` answers something; throws after `withinMs`. */
  async until<T>(what: string, find: () => Promise<T | null | undefined>, withinMs = 60_000): Promise<T> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = await find();
      if (found !== null && found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async close(): Promise<void> {
    for (const name of this.#nodes.keys()) await this.kill(name);
    await this.database.close();
  }
}
