import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { notesOf, readNotes } from './node-notes.ts';

/** What a node process is started with. */
export const nodePlanSchema = z.object({
  uri: z.string(),
  name: z.string(),
  workerId: z.string(),
  slots: z.number(),
  /** `heartbeat-lapse-ms`. */
  lapseMs: z.number(),
  /** `visibility_timeout`. */
  visibilityS: z.number(),
  /** File for its notes. */
  notes: z.string(),
});
type NodePlan = z.infer<typeof nodePlanSchema>;

const PROGRAM = fileURLToPath(new URL('./queue-node.ts', import.meta.url));
const LOGS_KEPT = 40;
const logSchema = z.object({ log: z.string() });

/** A node process (queue-node.ts) under test, with a network of its own to the database. */
export class QueueNode {
  readonly name: string;
  readonly network: FaultProxy;
  /** The last warnings and errors. */
  readonly logs: string[] = [];
  /** Ends of the process that nobody here caused. */
  readonly crashes: string[] = [];
  readonly #plan: NodePlan;
  #process: ChildProcess | null = null;
  #isPaused = false;

  private constructor(plan: NodePlan, network: FaultProxy) {
    this.name = plan.name;
    this.#plan = plan;
    this.network = network;
  }

  /** A node that does not run yet. */
  static async create(plan: Omit<NodePlan, 'workerId'>): Promise<QueueNode> {
    const uri = new URL(plan.uri);
    const network = await startFaultProxy({ targetPort: Number(uri.port) });
    uri.port = String(network.port);
    return new QueueNode({ ...plan, uri: uri.href, workerId: randomUUID() }, network);
  }

  /** Starts the process, as the same installation each time or, when told so, as a new one. */
  start(options: { isNew?: boolean } = {}): void {
    if (options.isNew) this.#plan.workerId = randomUUID();
    const child = fork(PROGRAM, [JSON.stringify(this.#plan)], { execArgv: [] });
    this.#process = child;
    this.#isPaused = false;
    child.on('message', (message) => this.#keep(logSchema.parse(message).log));
    child.once('exit', (code, signal) => {
      if (this.#process !== child) return;
      this.#process = null;
      this.crashes.push(`${this.name} ended by itself (${code ?? signal})`);
    });
  }

  #keep(line: string): void {
    if (!/ (warn|error) /.test(line)) return;
    this.logs.push(line);
    if (this.logs.length > LOGS_KEPT) this.logs.shift();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether it has been up since the machine's time `sinceMs`. */
  isUp(sinceMs: number): boolean {
    if (!existsSync(this.#plan.notes)) return false;
    return notesOf(readNotes(this.#plan.notes), 'up').some(({ node, atMs }) => node === this.name && atMs >= sinceMs);
  }

  /** Has the process block its main loop; returns at once. */
  block(blockMs: number): void {
    this.#process?.send({ blockMs });
  }

  /** SIGSTOP: all its threads stand still, its connections stay open. */
  pause(): void {
    this.#isPaused = true;
    this.#process?.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#isPaused = false;
    this.#process?.kill('SIGCONT');
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends all that belongs to it. */
  async close(): Promise<void> {
    await this.kill();
    await this.network.stop();
  }
}
