import { createServer, type Server, type Socket } from 'node:net';
import type { AgentCallHandlers, LogLine, NodeSnapshot, ServiceCallHandlers } from '../contract/index.ts';
import { systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { BeatCounter } from './beat-counter.ts';
import { ChannelLink } from './channel-link.ts';
import { type CutOff, clientChannel } from './client-channel.ts';
import type { ParentLink, StopCause } from './parent-link.ts';
import { listenAt } from './service-place.ts';

/** Connections at a time: a tray application each. */
const MOST_CLIENTS = 12;
/** A client speaks first, and soon: on Windows everybody may open the pipe for reading alone (README). */
const GREETING_LIMIT_MS = 5_000;
/** A place that cannot be listened on now may be free or mended later; the node works meanwhile. */
const LISTEN_AGAIN_MS = 15_000;

/** The same thing about clients is said at most this often. */
const SAY_AGAIN_MS = 10_000;

const CUT_OFF_WORDS: Record<CutOff, string> = {
  'too-long': 'it sent a message longer than any the service knows',
  'no-json': 'it sent what is no message',
  'too-much': 'it sent too much within a second',
  'not-read': 'it did not read what it had asked for',
};

/**
 * The link of an agent that runs as a system service: any number of desktop applications come and go, and none of them is its
 * parent. Each hears what a parent would and may make the same calls; none can stop the agent, hand it a token, make it wait, or
 * make it grow beyond the bounds of `client-channel.ts`.
 */
export class ServiceLink implements ParentLink {
  readonly counter = new BeatCounter();
  readonly #version: string;
  readonly #clients = new Map<Socket, ChannelLink>();
  /** Connected, and not heard yet. */
  readonly #strangers = new Set<Socket>();
  readonly #server: Server;
  #handlers: Partial<AgentCallHandlers> = {};
  #own: Partial<ServiceCallHandlers> = {};
  #redact: (text: string) => string = (text) => text;
  #snapshot: NodeSnapshot | null = null;
  #log: Logger | null = null;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #saidMs = new Map<string, number>();
  #onStop: ((cause: StopCause) => void) | null = null;

  constructor(options: { version: string }) {
    this.#version = options.version;
    this.#server = createServer((socket) => this.#onConnection(socket));
  }

  /** Listens from now on; tries again later when that is not possible, and says why. Call it under the data folder's lock. */
  async listen(path: string, log: Logger): Promise<void> {
    this.#log = log;
    try {
      await listenAt(this.#server, path);
      this.#server.on('error', (thrown) => log.warn('A connection with the service failed', { error: thrown.message }));
      log.info('The service can be reached by the desktop application', { path });
    } catch (thrown) {
      log.error(coerceError(thrown).message);
      if (this.#isClosed) return;
      this.#again = setTimeout(() => void this.listen(path, log), LISTEN_AGAIN_MS).unref();
    }
  }

  /** Handlers of the service's own calls, whatever the node can answer now. */
  serveOwn(handlers: ServiceCallHandlers): void {
    this.#own = handlers;
    this.#serveAll();
  }

  serve(handlers: Partial<AgentCallHandlers>): void {
    this.#handlers = handlers;
    this.#serveAll();
  }

  beatRarely(): void {
    // Every client hears beats of its own; a hang is seen by the guard's thread (hang-guard.ts).
  }

  redactBy(redact: (text: string) => string): void {
    this.#redact = redact;
    for (const link of this.#clients.values()) link.redactBy(redact);
  }

  sendSnapshot(snapshot: NodeSnapshot): void {
    this.#snapshot = snapshot;
    for (const link of this.#clients.values()) link.sendSnapshot(snapshot);
  }

  sendLog(lines: readonly LogLine[]): void {
    for (const link of this.#clients.values()) link.sendLog(lines);
  }

  /** No client hands a service its token. */
  async token(): Promise<null> {
    return null;
  }

  onStop(listener: (cause: StopCause) => void): void {
    this.#onStop = listener;
  }

  onSilence(): void {
    // Silent clients are cut off; the node has nothing to say of them.
  }

  hasClients(): boolean {
    return this.#clients.size > 0;
  }

  /** Ends the agent in order, to be started anew by its supervisor. */
  restart(): void {
    this.#onStop?.('restart');
  }

  async goodbye(code: number, reason: string): Promise<void> {
    await Promise.all([...this.#clients.values()].map((link) => link.goodbye(code, reason)));
    this.close();
  }

  /** Cuts all off and takes the socket away. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#server.close();
    for (const socket of [...this.#strangers, ...this.#clients.keys()]) socket.destroy();
  }

  #serveAll(): void {
    for (const link of this.#clients.values()) link.serve({ ...this.#handlers, ...this.#own });
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#clients.size + this.#strangers.size >= MOST_CLIENTS) {
      socket.destroy();
      return;
    }
    this.#strangers.add(socket);
    const tooLate = setTimeout(() => socket.destroy(), GREETING_LIMIT_MS).unref();
    socket.once('close', () => {
      clearTimeout(tooLate);
      this.#strangers.delete(socket);
      this.#clients.get(socket)?.close();
      if (this.#clients.delete(socket)) this.#say('info', 'A desktop application has gone; the service goes on');
    });
    const channel = clientChannel(socket, {
      onHeard: () => {
        if (!this.#strangers.delete(socket)) return;
        clearTimeout(tooLate);
        this.#welcome(socket, channel);
      },
      onCutOff: (why) => this.#say('warn', `A client of the service was cut off: ${CUT_OFF_WORDS[why]}`),
    });
  }

  #welcome(socket: Socket, channel: ReturnType<typeof clientChannel>): void {
    const link = new ChannelLink({ channel, version: this.#version, isClient: true });
    this.#clients.set(socket, link);
    link.redactBy(this.#redact);
    link.serve({ ...this.#handlers, ...this.#own });
    link.onSilence(() => socket.destroy());
    if (this.#snapshot !== null) link.sendSnapshot(this.#snapshot);
    this.#say('info', 'A desktop application has connected');
  }

  // Whoever may connect may do so again and again; the log is not theirs to fill.
  #say(level: 'info' | 'warn', words: string): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - (this.#saidMs.get(words) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_MS) return;
    this.#saidMs.set(words, nowMs);
    this.#log?.[level](words);
  }
}
