import {
  type FromAgent,
  fromAgentSchema,
  type LinkAnswer,
  type LinkParams,
  type SERVICE_CALLS,
} from '../../agent/contract/index.ts';
import type { AgentState } from '../../preload/contract/app-state.ts';
import { createCallTable } from './agent-calls.ts';
import { type AgentHost, type AgentHostOptions, createAgentHost } from './agent-host.ts';
import { connectService, type ServiceConnection } from './service-adapter.ts';
import type { ServicePlace } from './service-installed.ts';
import {
  type Failure,
  initialService,
  nextService,
  type ServiceCommand,
  type ServiceEvent,
  type ServiceState,
} from './service-state.ts';
import { serviceAgentState } from './service-words.ts';
import { handOver } from './shared-messages.ts';
import { createTicker } from './ticker.ts';

/** What a node's host is made of: an agent's, and the place of a service that may run the node instead. */
export interface NodeHostOptions extends AgentHostOptions {
  service: ServicePlace;
  /** Of this application. */
  version: string;
}

type ServiceCallName = keyof typeof SERVICE_CALLS;

/** The node of this machine, whoever runs its agent: this application, or a system service that it attaches to. */
export interface NodeHost extends AgentHost {
  /** Whether a service runs the node, or should; then config.ini is the service's. */
  isService(): boolean;
  /** Calls that only a service answers; rejects like `call`. */
  askService<Name extends ServiceCallName>(name: Name, params: LinkParams<Name>): Promise<LinkAnswer<Name>>;
}

/** A host that runs and looks for nothing yet. */
export function createNodeHost(options: NodeHostOptions): NodeHost {
  return new Host(options);
}

/** The desktop application tells a service once a second that it is there. */
const BEAT_MS = 1_000;
const SHORTEST_WAIT_MS = 50;
const monotonicMs = () => performance.now();

/** Performs the commands of `nextService` and feeds events back; decides nothing itself. */
class Host implements NodeHost {
  readonly #options: NodeHostOptions;
  readonly #own: AgentHost;
  #state: ServiceState = initialService;
  #connection: ServiceConnection | null = null;
  /** Number of the connection; what earlier ones still tell is not heard. */
  #number = 0;
  #isStopped = false;
  #goodbye = '';
  #published = '';
  #beatMs = Number.NEGATIVE_INFINITY;
  readonly #calls = createCallTable((message) => {
    if (this.#state.situation.at !== 'attached' || this.#connection === null) return false;
    this.#connection.send(message);
    return true;
  });
  readonly #ticker = createTicker({
    waitMs: () => this.#waitMs(),
    onTick: (nowMs, mainWasLate) => this.#onTick(nowMs, mainWasLate),
  });

  constructor(options: NodeHostOptions) {
    this.#options = options;
    this.#own = createAgentHost({
      ...options,
      onState: (state) => this.#isOwn() && options.onState(state),
      onSnapshot: (snapshot) => this.#isOwn() && options.onSnapshot(snapshot),
    });
  }

  start(): void {
    this.#isStopped = false;
    if (this.#isOwn()) this.#own.start();
    else this.#dispatch({ kind: 'tick', nowMs: monotonicMs(), mainWasLate: false });
    this.#ticker.start();
  }

  restart(): void {
    this.#dispatch({ kind: 'restart-asked', nowMs: monotonicMs() });
  }

  // A service goes on without us.
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#ticker.stop();
    this.#disconnect();
    await this.#own.stop();
  }

  configChanged(): void {
    if (this.#isOwn()) this.#own.configChanged();
  }

  resumed(): void {
    this.#own.resumed();
    this.#dispatch({ kind: 'tick', nowMs: monotonicMs(), mainWasLate: true });
  }

  state(): AgentState {
    // Looking takes milliseconds: no news of its own.
    if (this.#isOwn() || this.#state.situation.at === 'looking') return this.#own.state();
    return serviceAgentState(this.#state, {
      wallOffsetMs: Date.now() - monotonicMs(),
      platform: process.platform,
      version: this.#options.version,
      goodbye: this.#goodbye,
    });
  }

  call: AgentHost['call'] = (name, params, options = {}) =>
    this.#isOwn() ? this.#own.call(name, params, options) : this.#calls.call(name, params, options.limitMs);

  isService(): boolean {
    return !this.#isOwn() && this.#state.situation.at !== 'looking';
  }

  askService<Name extends ServiceCallName>(name: Name, params: LinkParams<Name>): Promise<LinkAnswer<Name>> {
    return this.#calls.call(name, params);
  }

  #isOwn(): boolean {
    return this.#state.situation.at === 'own';
  }

  #dispatch(event: ServiceEvent): void {
    if (this.#isStopped) return;
    const before = this.#state;
    const { state, commands } = nextService(before, event);
    this.#state = state;
    for (const command of commands) this.#perform(command);
    if (state.situation.at !== before.situation.at)
      this.#options.log.info(`Node ${state.situation.at}`, { from: before.situation.at, why: event.kind });
    this.#publish();
  }

  #publish(): void {
    if (this.#isOwn() || this.#state.situation.at === 'looking') {
      this.#published = '';
      return;
    }
    const state = this.state();
    // Wall and monotonic clock drift; a millisecond of that is no news.
    const { sinceMs: _, nextStartMs, ...rest } = state;
    const text = JSON.stringify([rest, nextStartMs === null, this.#state.sinceMs]);
    if (text === this.#published) return;
    this.#published = text;
    this.#options.onState(state);
  }

  #perform(command: ServiceCommand): void {
    switch (command) {
      case 'connect':
        this.#connect();
        break;
      case 'disconnect':
        this.#disconnect();
        break;
      case 'start-own':
        this.#own.start();
        this.#options.onState(this.#own.state());
        break;
      case 'stop-own':
        void this.#own.stop();
        break;
      case 'restart-own':
        this.#own.restart();
        break;
      case 'ask-restart':
        void this.askService('service.restart', {}).catch((thrown: unknown) =>
          this.#options.log.warn('The service did not start anew', { error: String(thrown) }),
        );
    }
  }

  #connect(): void {
    this.#number += 1;
    const number = this.#number;
    const isCurrent = () => number === this.#number && !this.#isStopped;
    const { service } = this.#options;
    if (service.isFreeForAll && !service.isInstalled()) {
      // As a failure over the socket would be told: after what is under way.
      setImmediate(() => isCurrent() && this.#onFailed('absent'));
      return;
    }
    this.#connection = connectService(service.socketPath, {
      message: (value) => isCurrent() && this.#onMessage(value),
      failed: (why) => isCurrent() && this.#onFailed(why),
      lost: () => {
        if (!isCurrent()) return;
        this.#connection = null;
        this.#dispatch({ kind: 'lost', nowMs: monotonicMs() });
        this.#calls.onEnd();
      },
    });
  }

  #disconnect(): void {
    this.#number += 1;
    this.#connection?.close();
    this.#connection = null;
    this.#calls.onEnd();
  }

  #onFailed(why: Failure): void {
    this.#connection = null;
    const isInstalled = this.#options.service.isInstalled();
    this.#dispatch({ kind: 'failed', why, isInstalled, nowMs: monotonicMs() });
  }

  #waitMs(): number {
    const { nextMs } = this.#state;
    return nextMs === null ? BEAT_MS : Math.max(SHORTEST_WAIT_MS, nextMs - monotonicMs());
  }

  #onTick(nowMs: number, mainWasLate: boolean): void {
    this.#dispatch({ kind: 'tick', nowMs, mainWasLate });
    if (this.#state.situation.at !== 'attached' || nowMs - this.#beatMs < BEAT_MS / 2) return;
    this.#beatMs = nowMs;
    this.#connection?.send({ type: 'beat' });
  }

  #onMessage(value: unknown): void {
    this.#dispatch({ kind: 'heard', nowMs: monotonicMs() });
    const parsed = fromAgentSchema.safeParse(value);
    if (parsed.success) this.#onParsed(parsed.data);
    else this.#options.log.warn('The service sent a message that cannot be read');
  }

  #onParsed(message: FromAgent): void {
    switch (message.type) {
      case 'hello':
        this.#goodbye = '';
        this.#dispatch({ kind: 'hello', protocol: message.protocol, version: message.version, nowMs: monotonicMs() });
        break;
      case 'goodbye':
        this.#goodbye = message.reason;
        break;
      default:
        handOver(message, this.#options, this.#calls);
    }
  }
}
