import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import {
  AGENT_CALLS,
  type AgentAnswer,
  type AgentCallName,
  type FromAgent,
  fromAgentSchema,
  type LogLine,
  type NodeSnapshot,
} from '../../../agent/contract/index.ts';

/** The real agent's entry. */
export const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));

/** A refusal of a call. */
export interface Refusal {
  code: string;
  message: string;
  retry: string;
}

/** A child process that speaks the link, as its parent sees it. Every message is parsed by the contract. */
export class ChildAgent {
  readonly process: ChildProcess;
  readonly messages: FromAgent[] = [];
  readonly spawnedMs = performance.now();
  /** Milliseconds from spawn to hello. */
  helloMs: number | null = null;
  exitCode: number | null | undefined;
  stderr = '';
  #nextId = 1;
  readonly #waiting = new Map<number, (message: FromAgent) => void>();
  readonly #onSnapshot: ((snapshot: NodeSnapshot) => void)[] = [];

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.process = fork(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [], env });
    this.process.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString('utf8');
    });
    this.process.on('exit', (code) => {
      this.exitCode = code;
    });
    this.process.on('message', (raw) => this.#receive(fromAgentSchema.parse(raw)));
  }

  #receive(message: FromAgent): void {
    this.messages.push(message);
    if (message.type === 'hello') this.helloMs = performance.now() - this.spawnedMs;
    if (message.type === 'snapshot') for (const listener of this.#onSnapshot) listener(message.snapshot);
    if (message.type === 'answer' || message.type === 'refusal') {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
  }

  onSnapshot(listener: (snapshot: NodeSnapshot) => void): void {
    this.#onSnapshot.push(listener);
  }

  ofType<Type extends FromAgent['type']>(type: Type): Extract<FromAgent, { type: Type }>[] {
    return this.messages.filter((message): message is Extract<FromAgent, { type: Type }> => message.type === type);
  }

  snapshot(): NodeSnapshot | undefined {
    return this.ofType('snapshot').at(-1)?.snapshot;
  }

  logLines(): LogLine[] {
    return this.ofType('log').flatMap(({ lines }) => lines);
  }

  /** Sends a call as it stands; resolves with the whole message that answers it. */
  ask(name: string, params: unknown): Promise<FromAgent> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.process.send({ type: 'call', id, name, params });
    });
  }

  /** Calls; answers by the call's schema. Throws when refused. */
  async call<Name extends AgentCallName>(name: Name, params: unknown): Promise<AgentAnswer<Name>> {
    const message = await this.ask(name, params);
    if (message.type !== 'answer') throw new Error(`${name} was refused: ${JSON.stringify(message)}`);
    return AGENT_CALLS[name].answer.parse(message.value) as AgentAnswer<Name>;
  }

  async refusal(name: string, params: unknown): Promise<Refusal> {
    const message = await this.ask(name, params);
    if (message.type !== 'refusal') throw new Error(`${name} was answered: ${JSON.stringify(message)}`);
    return message.error;
  }

  async untilHello(): Promise<void> {
    await expect.poll(() => this.helloMs, { timeout: 20_000, interval: 10 }).not.toBeNull();
  }

  async untilExit(timeoutMs = 20_000): Promise<number | null | undefined> {
    await expect
      .poll(() => this.process.exitCode ?? this.process.signalCode, { timeout: timeoutMs, interval: 10 })
      .not.toBeNull();
    return this.process.exitCode;
  }

  /** Ends it, however it is. */
  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await this.untilExit();
  }
}
