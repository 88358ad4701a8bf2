import type {
  AgentAnswer,
  AgentCallName,
  AgentParams,
  FromAgent,
  LogLine,
  NodeSnapshot,
  ToAgent,
} from '../../agent/contract/index.ts';
import { fromAgentSchema } from '../../agent/contract/index.ts';
import type { AgentState } from '../../preload/contract/app-state.ts';
import { createCallTable } from './agent-calls.ts';
import type { AgentProcess, SpawnAgent } from './agent-process.ts';
import { type BeatSocket, openBeatSocket } from './beat-socket.ts';
import { childEnvironment } from './child-environment.ts';
import type { HostCommand, HostEvent, HostState, RunEnd } from './host-situation.ts';
import { hasChild, initialHost, nextHost, waitToJudge } from './host-state.ts';
import { agentStateOf } from './host-words.ts';
import type { KeptToken } from './kept-token.ts';
import { createRunOutput, type RunOutput } from './run-output.ts';
import { handOver } from './shared-messages.ts';
import { createTicker } from './ticker.ts';

/** Main tells the agent that it is there at ticks at least this far apart. */
const BEAT_MS = 1_000;

/** Where the host writes its own log. */
export interface HostLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** What the host is made of. */
export interface AgentHostOptions {
  /** `utilityProcessAdapter`, or `nodeAdapter(path)`. */
  spawn: SpawnAgent;
  /** The agent's entry file. */
  entry: string;
  configPath: string;
  dataDir: string;
  /** For the socket of the beat thread; `os.tmpdir()`. */
  temporaryFolder: string;
  /** Main's own environment; the agent gets the allowed part of it. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The token that is kept for the agent; it goes over the link, never into its arguments or environment. */
  keptToken?: KeptToken;
  log: HostLog;
  /** At each change. */
  onState(state: AgentState): void;
  onSnapshot(snapshot: NodeSnapshot): void;
  onLogLines(lines: LogLine[]): void;
  /** What the agent writes to its standard output and error, for the text log; bounded in rate. */
  onOutput(stream: 'stdout' | 'stderr', line: string): void;
}

/** The supervised agent. */
export interface AgentHost {
  /** Keeps an agent running from now on. Asked by a person: neither waits nor counts earlier failures. */
  start(): void;
  /** Ends the agent orderly and starts it anew; starts it when none runs. */
  restart(): void;
  /** Ends the agent and keeps it ended; resolves when its process is gone. Twice, or before `start`, is fine. */
  stop(): Promise<void>;
  /** config.ini was changed: an agent that could not run because of it is tried again. A running one is left alone. */
  configChanged(): void;
  /** The machine slept until now; the silence in between means nothing. */
  resumed(): void;
  state(): AgentState;
  /** Rejects with `AgentCallError`: refused by the agent, not running, ended meanwhile, or no answer within the limit. */
  call<Name extends AgentCallName>(
    name: Name,
    params: AgentParams<Name>,
    options?: { limitMs?: number },
  ): Promise<AgentAnswer<Name>>;
}

/** A host that runs no agent yet. */
export function createAgentHost(options: AgentHostOptions): AgentHost {
  return new Host(options);
}

const monotonicMs = () => performance.now();

/** Performs the commands of `nextHost` and feeds events back; decides nothing itself. */
class Host implements AgentHost {
  readonly #options: AgentHostOptions;
  #state: HostState = initialHost;
  /** Events that wait for the one being handled. */
  readonly #events: HostEvent[] = [];
  /** Number of the current run; what earlier runs still tell is not heard. */
  #run = 0;
  #child: AgentProcess | null = null;
  #output: RunOutput | null = null;
  #beatSocket: BeatSocket | null = null;
  #lastCounter = '';
  /** Wall clock minus monotonic clock when the present state began, so that its times stand still. */
  #wallOffsetMs = Date.now() - monotonicMs();
  #published = '';
  readonly #ticker = createTicker({
    waitMs: () => waitToJudge(this.#state, monotonicMs()),
    onTick: (nowMs, mainWasLate) => this.#onTick(nowMs, mainWasLate),
  });
  #beatMs = Number.NEGATIVE_INFINITY;
  #wake: NodeJS.Timeout | null = null;
  #whenStopped: (() => void)[] = [];
  readonly #calls = createCallTable((message) => this.#sendCall(message));

  constructor(options: AgentHostOptions) {
    this.#options = options;
  }

  start(): void {
    this.#dispatch({ kind: 'start-asked', nowMs: monotonicMs() });
  }

  restart(): void {
    this.#dispatch({ kind: 'restart-asked', nowMs: monotonicMs() });
  }

  async stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#whenStopped.push(resolve));
    this.#dispatch({ kind: 'stop-asked', nowMs: monotonicMs() });
    this.#settleStops();
    await stopped;
  }

  configChanged(): void {
    this.#dispatch({ kind: 'config-changed', nowMs: monotonicMs() });
  }

  resumed(): void {
    this.#dispatch({ kind: 'tick', nowMs: monotonicMs(), mainWasLate: true });
  }

  state(): AgentState {
    const lastWords = this.#output?.lastWords() ?? [];
    return agentStateOf(this.#state, { wallOffsetMs: this.#wallOffsetMs, lastWords });
  }

  call<Name extends AgentCallName>(name: Name, params: AgentParams<Name>, options: { limitMs?: number } = {}) {
    return this.#calls.call(name, params, options.limitMs);
  }

  #sendCall(message: ToAgent): boolean {
    if (this.#child === null || (this.#state.state !== 'running' && this.#state.state !== 'unresponsive')) return false;
    this.#child.send(message);
    return true;
  }

  // The one road between states. Events that come up while commands are performed wait their turn.
  #dispatch(event: HostEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    for (let next = this.#events[0]; next !== undefined; next = this.#events[0]) {
      const before = this.#state;
      const step = nextHost(before, next);
      this.#state = step.state;
      if (step.state.state !== before.state) this.#entered(before, next);
      for (const command of step.commands) this.#perform(command);
      this.#events.shift();
    }
  }

  #entered(before: HostState, event: HostEvent): void {
    this.#wallOffsetMs = Date.now() - event.nowMs;
    if (this.#wake !== null) clearTimeout(this.#wake);
    if (hasChild(this.#state.state)) this.#ticker.start();
    else this.#ticker.stop();
    this.#logMove(before, event);
    this.#publish();
    this.#settleStops();
  }

  #logMove(before: HostState, event: HostEvent): void {
    const { state, reason } = this.state();
    const durationMs = before.sinceMs === 0 ? 0 : Math.round(event.nowMs - before.sinceMs);
    const fields = { from: before.state, to: state, why: event.kind, durationMs };
    const words = `Agent ${state}${reason === '' ? '' : `: ${reason}`}`;
    if (state === 'unresponsive' || state === 'backing-off' || state === 'gave-up-for-now')
      this.#options.log.warn(words, fields);
    else this.#options.log.info(words, fields);
  }

  #publish(): void {
    const state = this.state();
    const text = JSON.stringify(state);
    if (text === this.#published) return;
    this.#published = text;
    this.#options.onState(state);
  }

  #settleStops(): void {
    if (this.#state.state !== 'stopped' || this.#whenStopped.length === 0) return;
    this.#beatSocket?.close();
    this.#beatSocket = null;
    for (const resolve of this.#whenStopped.splice(0)) resolve();
  }

  #perform(command: HostCommand): void {
    switch (command.kind) {
      case 'spawn':
        this.#spawn();
        break;
      case 'ask-stop':
        this.#child?.send({ type: 'stop' });
        break;
      case 'terminate':
        this.#child?.terminate();
        break;
      case 'kill':
        this.#child?.kill();
        break;
      case 'wake':
        this.#wake = setTimeout(() => this.#onWake(command.atMs), Math.max(1, command.atMs - monotonicMs()));
    }
  }

  // A timer may fire a fraction of a millisecond early by the monotonic clock.
  #onWake(atMs: number): void {
    this.#dispatch({ kind: 'tick', nowMs: Math.max(atMs, monotonicMs()), mainWasLate: false });
  }

  #onTick(nowMs: number, mainWasLate: boolean): void {
    this.#dispatch({ kind: 'tick', nowMs, mainWasLate });
    if (nowMs - this.#beatMs < BEAT_MS) return;
    this.#beatMs = nowMs;
    this.#child?.send({ type: 'beat' });
  }

  #spawn(): void {
    this.#run += 1;
    const run = this.#run;
    const isCurrent = () => run === this.#run;
    const output = createRunOutput((stream, line) => this.#options.onOutput(stream, line));
    this.#output = output;
    this.#lastCounter = '';
    try {
      this.#child = this.#options.spawn(this.#request(), {
        message: (value) => isCurrent() && this.#onMessage(value),
        output: (stream, chunk) => output.push(stream, chunk),
        exited: (end) => isCurrent() && this.#onExited(end),
        silent: () => {
          output.end();
          // The last words often come after the exit, and belong to its reason.
          if (isCurrent()) this.#publish();
        },
      });
    } catch (thrown) {
      this.#onExited({ code: null, signal: null, isCodeCertain: true, startError: messageOf(thrown) });
    }
  }

  #onExited(end: RunEnd): void {
    this.#child = null;
    this.#dispatch({ kind: 'exited', end, random: Math.random(), nowMs: monotonicMs() });
    this.#calls.onEnd();
  }

  #request() {
    const { entry, configPath, dataDir, environment } = this.#options;
    const socket = this.#openBeatSocket();
    const args = ['--config', configPath, '--data-dir', dataDir];
    if (socket !== null) args.push('--beat-socket', socket.path);
    if (this.#options.keptToken?.has()) args.push('--token-by-parent');
    return { entry, args, env: childEnvironment(environment, process.platform) };
  }

  #sendToken(): void {
    const { keptToken, log } = this.#options;
    if (!keptToken?.has()) return;
    const token = keptToken.read();
    if (token === null) log.warn("The token in the system's key store cannot be read; the agent starts without one");
    this.#child?.send({ type: 'token', token });
  }

  #openBeatSocket(): BeatSocket | null {
    const failed = (error: unknown) =>
      this.#options.log.warn('The beats of the agent cannot be heard; a hung agent is noticed by its messages only', {
        error: messageOf(error),
      });
    try {
      this.#beatSocket ??= openBeatSocket({
        temporaryFolder: this.#options.temporaryFolder,
        platform: process.platform,
        runOf: () => this.#run,
        onBeat: (run, counter) => run === this.#run && this.#onThreadBeat(counter),
        onClosed: (run) => run === this.#run && this.#dispatch({ kind: 'thread-lost', nowMs: monotonicMs() }),
        onFailure: failed,
      });
    } catch (thrown) {
      failed(thrown);
    }
    return this.#beatSocket;
  }

  #onThreadBeat(counter: string): void {
    const hasMoved = counter !== this.#lastCounter;
    this.#lastCounter = counter;
    this.#dispatch({ kind: 'beat-thread', nowMs: monotonicMs() });
    if (hasMoved) this.#dispatch({ kind: 'beat-loop', nowMs: monotonicMs() });
  }

  #onMessage(value: unknown): void {
    // Whatever it says, the main loop said it.
    this.#dispatch({ kind: 'beat-loop', nowMs: monotonicMs() });
    const parsed = fromAgentSchema.safeParse(value);
    if (parsed.success) this.#onParsed(parsed.data);
    else this.#options.log.warn('The agent sent a message that cannot be read', { type: typeOf(value) });
  }

  #onParsed(message: FromAgent): void {
    const nowMs = monotonicMs();
    switch (message.type) {
      case 'hello':
        this.#options.log.info('Agent ready', { version: message.version, pid: message.pid });
        this.#dispatch({ kind: 'hello', protocol: message.protocol, nowMs });
        this.#sendToken();
        break;
      case 'goodbye':
        this.#dispatch({ kind: 'goodbye', code: message.code, reason: message.reason, nowMs });
        this.#publish();
        break;
      default:
        handOver(message, this.#options, this.#calls);
    }
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function typeOf(value: unknown): string {
  return typeof value === 'object' && value !== null && 'type' in value
    ? String(value.type).slice(0, 40)
    : typeof value;
}
