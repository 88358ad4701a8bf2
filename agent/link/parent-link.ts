import {
  AGENT_CALLS,
  type AgentCallHandlers,
  type AgentCallName,
  BEAT_INTERVAL_MS,
  type ErrorDetail,
  type FromAgent,
  LINK_PROTOCOL,
  type LogLine,
  type NodeSnapshot,
  type ToAgent,
  toAgentSchema,
} from '../contract/index.ts';
import { errorRecord, IsgError } from '../runtime/errors.ts';
import { BeatCounter } from './beat-counter.ts';
import { findParentChannel, type ParentChannel } from './parent-channel.ts';

/** Why the agent is to end: the parent asked for it, or is gone. */
export type StopCause = 'asked' | 'lost';

/** The typed channel to the parent process (Electron main). */
export interface ParentLink {
  /** Turns of the main loop; the beat thread tells it to the parent. */
  readonly counter: BeatCounter;
  /** Answers calls by these handlers from now on; calls without one are refused as not possible now. */
  serve(handlers: Partial<AgentCallHandlers>): void;
  /** A thread tells the parent of the main loop's turns from now on: the link itself beats rarely. */
  beatRarely(): void;
  /** Passes the words of refusals; for the redaction of secrets. */
  redactBy(redact: (text: string) => string): void;
  sendSnapshot(snapshot: NodeSnapshot): void;
  /** Lines in order; sent in batches. Lines that the parent is too slow for are left out: the log store has them. */
  sendLog(lines: readonly LogLine[]): void;
  /** The token that the parent keeps for this agent; null when it sends none within the limit, or is gone. */
  token(limitMs: number): Promise<string | null>;
  /** The listener takes the place of an earlier one. Called once, also when it happened before. */
  onStop(listener: (cause: StopCause) => void): void;
  /** Called each time the parent has been silent for 10 s although the channel stands. */
  onSilence(listener: (silentMs: number) => void): void;
  /** Last words before an end; resolves when they are handed over, at the latest after half a second. */
  goodbye(code: number, reason: string): Promise<void>;
}

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

const NOT_NOW = 'This cannot be done now: the node is not running yet, or is not set up. Try again when it runs.';

function isCallName(name: string): name is AgentCallName {
  return Object.hasOwn(AGENT_CALLS, name);
}

/** The link over one channel. Says hello and begins to beat at once. */
class ChannelLink implements ParentLink {
  readonly counter = new BeatCounter();
  readonly #channel: ParentChannel;
  #handlers: Partial<AgentCallHandlers> = {};
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

  constructor(channel: ParentChannel, version: string) {
    this.#channel = channel;
    this.#send({ type: 'hello', protocol: LINK_PROTOCOL, version, pid: process.pid });
    channel.onMessage((message) => this.#receive(message));
    channel.onClose(() => this.#end('lost'));
    this.#beat();
    setInterval(() => this.#tick(), COUNT_MS).unref();
  }

  serve(handlers: Partial<AgentCallHandlers>): void {
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
    if (this.#untaken < MAX_UNTAKEN) this.#send(message);
  }

  #receive(raw: unknown): void {
    const parsed = toAgentSchema.safeParse(raw);
    // A message of a shape this version does not know cannot be answered; the parent's own limit ends its waiting.
    if (!parsed.success) return;
    this.#heardMs = performance.now();
    const message = parsed.data;
    if (message.type === 'stop') this.#end('asked');
    else if (message.type === 'token') this.#token.resolve(message.token);
    else if (message.type === 'call') void this.#answer(message);
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
    if (this.#calls > MAX_CALLS) throw refusal('Too many calls at a time; try again in a moment.', 'transient');
    if (!isCallName(name)) throw refusal('This version of the agent does not know what was asked of it.', 'permanent');
    const parsed = AGENT_CALLS[name].params.safeParse(params);
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

/**
 * Opens the link to the parent and says hello; null for a process without a parent that listens. Call it before anything
 * else: hello is what tells the parent that the agent is there.
 */
export function openParentLink(options: { version: string }): ParentLink | null {
  const channel = findParentChannel();
  return channel === null ? null : new ChannelLink(channel, options.version);
}
