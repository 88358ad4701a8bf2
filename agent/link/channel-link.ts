import {
  type AgentCallHandlers,
  BEAT_INTERVAL_MS,
  type ErrorDetail,
  type FromAgent,
  LINK_CALLS,
  LINK_PROTOCOL,
  type LinkCallName,
  type LogLine,
  type NodeSnapshot,
  type ServiceCallHandlers,
  type ToAgent,
  toAgentSchema,
} from '../contract/index.ts';
import { errorRecord, IsgError } from '../runtime/errors.ts';
import { BeatCounter } from './beat-counter.ts';
import type { LinkChannel } from './parent-channel.ts';
import type { ParentLink, StopCause } from './parent-link.ts';

/** The main loop counts this often: several times per beat, so that a living loop never looks still. */
const COUNT_MS = BEAT_INTERVAL_MS / 2;
/** Of so many beats one goes over the link when the beat thread sends them all. */
const RARELY = 8;
/** A parent beats every few seconds. */
const PARENT_SILENT_MS = 10_000;
const LOG_BATCH_MS = 200;
/** Most lines waiting for the parent. */
const LOG_WAITING = 2_000;
/** Calls answered at a time; a parent in its right mind never has so many. */
const MAX_CALLS = 64;
/** Messages that the channel has not taken yet; above it what is repeated anyway is left out. */
const MAX_UNTAKEN = 50;
const GOODBYE_LIMIT_MS = 500;

const BUSY = 'Too many calls at a time; try again in a moment.';
const NOT_NOW = 'This cannot be done now: the node is not running yet, or is not set up. Try again when it runs.';

function isCallName(name: string): name is LinkCallName {
  return Object.hasOwn(LINK_CALLS, name);
}

/** How a channel's link differs from the one to a parent. */
export interface ChannelLinkOptions {
  channel: LinkChannel;
  version: string;
  /**
   * A client of a system service: it orders neither stop nor token, and does not end the agent by leaving. `close` then ends
   * the link alone.
   */
  isClient?: boolean;
}

/** The link over one channel. Says hello and begins to beat at once. */
export class ChannelLink implements ParentLink {
  readonly counter = new BeatCounter();
  readonly #channel: LinkChannel;
  readonly #isClient: boolean;
  #handlers: Partial<AgentCallHandlers & ServiceCallHandlers> = {};
  #redact: (text: string) => string = (text) => text;
  #waitingLines: LogLine[] = [];
  #logTimer: NodeJS.Timeout | undefined;
  #untaken = 0;
  #calls = 0;
  readonly #token = Promise.withResolvers<string | null>();
  #stop: StopCause | null = null;
  #onStop: ((cause: StopCause) => void) | null = null;
  #onSilence: ((silentMs: number) => void) | null = null;
  #countsPerBeat = 2;
  #heardMs = performance.now();
  #tickedMs = performance.now();

  readonly #ticking: NodeJS.Timeout;

  constructor({ channel, version, isClient = false }: ChannelLinkOptions) {
    this.#channel = channel;
    this.#isClient = isClient;
    this.#send({ type: 'hello', protocol: LINK_PROTOCOL, version, pid: process.pid });
    channel.onMessage((message) => this.#receive(message));
    channel.onClose(() => this.#end('lost'));
    this.#beat();
    this.#ticking = setInterval(() => this.#tick(), COUNT_MS).unref();
  }

  serve(handlers: Partial<AgentCallHandlers & ServiceCallHandlers>): void {
    this.#handlers = handlers;
  }

  beatRarely(): void {
    this.#countsPerBeat = 2 * RARELY;
  }

  redactBy(redact: (text: string) => string): void {
    this.#redact = redact;
  }

  sendSnapshot(snapshot: NodeSnapshot): void {
    this.#sendUnlessLate({ type: 'snapshot', snapshot });
  }

  sendLog(lines: readonly LogLine[]): void {
    this.#waitingLines.push(...lines);
    if (this.#waitingLines.length > LOG_WAITING) this.#waitingLines = this.#waitingLines.slice(-LOG_WAITING);
    this.#logTimer ??= setTimeout(() => this.#flushLog(), LOG_BATCH_MS).unref();
  }

  async token(limitMs: number): Promise<string | null> {
    const timer = setTimeout(() => this.#token.resolve(null), limitMs).unref();
    const token = await this.#token.promise;
    clearTimeout(timer);
    return token;
  }

  onStop(listener: (cause: StopCause) => void): void {
    this.#onStop = listener;
    if (this.#stop !== null) listener(this.#stop);
  }

  onSilence(listener: (silentMs: number) => void): void {
    this.#onSilence = listener;
  }

  async goodbye(code: number, reason: string): Promise<void> {
    this.#flushLog();
    const taken = this.#channel.send({ type: 'goodbye', code, reason: this.#redact(reason) } satisfies FromAgent);
    await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, GOODBYE_LIMIT_MS))]);
  }

  /** Ends the link of a client that has gone. */
  close(): void {
    clearInterval(this.#ticking);
    clearTimeout(this.#logTimer);
  }

  #tick(): void {
    if (this.counter.count() % this.#countsPerBeat === 0) this.#beat();
    const nowMs = performance.now();
    // A pause of this process itself says nothing about the parent.
    if (nowMs - this.#tickedMs > PARENT_SILENT_MS / 2) this.#heardMs = nowMs;
    this.#tickedMs = nowMs;
    const silentMs = nowMs - this.#heardMs;
    if (silentMs < PARENT_SILENT_MS || this.#stop === 'lost') return;
    this.#heardMs = nowMs;
    this.#onSilence?.(silentMs);
  }

  #beat(): void {
    this.#sendUnlessLate({ type: 'beat', loop: this.counter.value() });
  }

  #flushLog(): void {
    clearTimeout(this.#logTimer);
    this.#logTimer = undefined;
    const lines = this.#waitingLines;
    if (lines.length === 0) return;
    // The newest wait: by their numbers the window sees what was left out before them, and reads it from the store.
    if (this.#untaken >= MAX_UNTAKEN) {
      this.#logTimer = setTimeout(() => this.#flushLog(), LOG_BATCH_MS).unref();
      return;
    }
    this.#waitingLines = [];
    this.#send({ type: 'log', lines });
  }

  #send(message: FromAgent): void {
    this.#untaken += 1;
    void this.#channel.send(message).then(() => {
      this.#untaken -= 1;
    });
  }

  // A parent that does not read (stopped, swamped) must not make this process grow.
  #sendUnlessLate(message: FromAgent): void {
    if (this.#untaken < MAX_UNTAKEN && !this.#channel.isFull?.()) this.#send(message);
  }

  #receive(raw: unknown): void {
    const parsed = toAgentSchema.safeParse(raw);
    // A message of a shape this version does not know cannot be answered; the parent's own limit ends its waiting.
    if (!parsed.success) return;
    this.#heardMs = performance.now();
    const message = parsed.data;
    if (message.type === 'call') void this.#answer(message);
    else if (this.#isClient) return;
    else if (message.type === 'stop') this.#end('asked');
    else if (message.type === 'token') this.#token.resolve(message.token);
  }

  async #answer({ id, name, params }: Extract<ToAgent, { type: 'call' }>): Promise<void> {
    this.#calls += 1;
    try {
      this.#send({ type: 'answer', id, ok: true, value: await this.#run(name, params) });
    } catch (thrown) {
      const { code, message, retry } = errorRecord(thrown);
      const error: ErrorDetail = { code, message: this.#redact(message), retry };
      this.#send({ type: 'refusal', id, ok: false, error });
    } finally {
      this.#calls -= 1;
    }
  }

  async #run(name: string, params: unknown): Promise<unknown> {
    if (this.#calls > MAX_CALLS) throw refusal(BUSY, 'transient');
    if (!isCallName(name)) throw refusal('This version of the agent does not know what was asked of it.', 'permanent');
    const parsed = LINK_CALLS[name].params.safeParse(params);
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => issue.path.join('.') || '(whole)').join(', ');
      throw refusal(`What was asked (${name}) is not well formed: ${where}.`, 'permanent');
    }
    // Sound: the parameters were parsed by the schema of this very call.
    const handler = this.#handlers[name] as ((params: unknown) => Promise<unknown>) | undefined;
    if (handler === undefined) throw refusal(NOT_NOW, 'transient');
    return handler(parsed.data);
  }

  #end(cause: StopCause): void {
    if (this.#isClient) return;
    // Losing the parent while stopping makes the stop a hurried one.
    if (this.#stop === 'lost' || this.#stop === cause) return;
    this.#stop = cause;
    this.#token.resolve(null);
    this.#onStop?.(cause);
  }
}

function refusal(message: string, retry: 'transient' | 'permanent'): IsgError {
  return new IsgError(retry === 'transient' ? 'stopped' : 'unexpected', message, { retry });
}
