import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect } from 'vitest';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.ts';

const messageSchema = z.object({
  up: z.object({ runId: z.string(), workerId: z.string() }).optional(),
  term: z.number().nullable().optional(),
  answer: z.record(z.string(), z.unknown()).optional(),
  log: z.string().optional(),
});

/** A node program (node-program.ts) under test. */
export class NodeProcess {
  readonly child: ChildProcess;
  /** Its leaderships as it told them: a term, or null for the end of one. */
  readonly terms: (number | null)[] = [];
  readonly logs: string[] = [];
  runId = '';
  workerId = '';
  #answers: ((answer: Record<string, unknown>) => void)[] = [];
  #isUp = false;

  constructor(uri: string, name: string) {
    const program = fileURLToPath(new URL('./node-program.ts', import.meta.url));
    this.child = fork(program, [JSON.stringify({ uri, name })], { execArgv: [] });
    this.child.on('message', (message) => this.#take(messageSchema.parse(message)));
  }

  #take({ up, term, answer, log }: z.infer<typeof messageSchema>): void {
    if (up) {
      Object.assign(this, up);
      this.#isUp = true;
    }
    if (term !== undefined) this.terms.push(term);
    if (answer) this.#answers.shift()?.(answer);
    if (log) this.logs.push(log);
  }

  async untilUp(): Promise<void> {
    await expect.poll(() => this.#isUp, { timeout: 50_000, interval: 20 }).toBe(true);
  }

  async untilLeading(timeoutMs = 30_000): Promise<number> {
    await expect.poll(() => this.terms.at(-1) ?? null, { timeout: timeoutMs, interval: 10 }).not.toBeNull();
    return this.terms.at(-1) ?? 0;
  }

  ask(kind: string, ms = 0): Promise<Record<string, unknown>> {
    const answer = new Promise<Record<string, unknown>>((resolve) => this.#answers.push(resolve));
    this.child.send({ kind, ms });
    return answer;
  }

  tell(kind: string): void {
    this.child.send({ kind });
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await new Promise((resolve) => this.child.once('exit', resolve));
  }
}

/** A database and the nodes that run on it, made before and ended after each test of a file. */
export function nodesOfEachTest() {
  let test: TestDatabase;
  let nodes: NodeProcess[] = [];
  beforeEach(async () => {
    test = await createTestDatabase();
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.end()));
    nodes = [];
    await test.drop();
  });
  return {
    database: () => test.database,
    start: async (name: string): Promise<NodeProcess> => {
      const node = new NodeProcess(test.uri, name);
      nodes.push(node);
      await node.untilUp();
      return node;
    },
  };
}
