import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import {
  encodeLine,
  type FromAgent,
  fromAgentSchema,
  LINK_CALLS,
  LineReader,
  type LinkAnswer,
  type LinkCallName,
  MAX_LINE_FROM_AGENT,
  type NodeSnapshot,
} from '../../../agent/contract/index.ts';

/** A client of a service, as the desktop application is one. Every message is parsed by the contract. */
export class ServiceClient {
  readonly socket: Socket;
  readonly messages: FromAgent[] = [];
  isClosed = false;
  error: string | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, (message: FromAgent) => void>();

  constructor(path: string) {
    const reader = new LineReader(MAX_LINE_FROM_AGENT);
    this.socket = connect(path);
    this.socket.on('error', (thrown) => {
      this.error = 'code' in thrown ? String(thrown.code) : thrown.message;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('data', (chunk: Buffer) => {
      reader.push(chunk, (message) => {
        this.#receive(fromAgentSchema.parse(message));
        return true;
      });
    });
  }

  /** Connects, says that it is there, and waits for hello. */
  static async open(path: string): Promise<ServiceClient> {
    const client = new ServiceClient(path);
    client.say({ type: 'beat' });
    await expect.poll(() => client.error ?? client.ofType('hello').length, { timeout: 10_000, interval: 10 }).toBe(1);
    return client;
  }

  #receive(message: FromAgent): void {
    this.messages.push(message);
    if (message.type !== 'answer' && message.type !== 'refusal') return;
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }

  say(message: unknown): void {
    this.socket.write(encodeLine(message));
  }

  ofType<Type extends FromAgent['type']>(type: Type): Extract<FromAgent, { type: Type }>[] {
    return this.messages.filter((message): message is Extract<FromAgent, { type: Type }> => message.type === type);
  }

  snapshot(): NodeSnapshot | undefined {
    return this.ofType('snapshot').at(-1)?.snapshot;
  }

  ask(name: string, params: unknown): Promise<FromAgent> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.say({ type: 'call', id, name, params });
    });
  }

  async call<Name extends LinkCallName>(name: Name, params: unknown): Promise<LinkAnswer<Name>> {
    const message = await this.ask(name, params);
    if (message.type !== 'answer') throw new Error(`${name} was refused: ${JSON.stringify(message)}`);
    return LINK_CALLS[name].answer.parse(message.value) as LinkAnswer<Name>;
  }

  async refusal(name: string, params: unknown): Promise<string> {
    const message = await this.ask(name, params);
    if (message.type !== 'refusal') throw new Error(`${name} was answered: ${JSON.stringify(message)}`);
    return message.error.message;
  }

  async untilClosed(): Promise<void> {
    await expect.poll(() => this.isClosed, { timeout: 20_000, interval: 10 }).toBe(true);
  }

  close(): void {
    this.socket.destroy();
  }
}
