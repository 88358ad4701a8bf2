import type { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type BackoffShape, backoffMs } from '../../runtime/backoff.ts';
import { systemClock, systemSleepLedger } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { PulseMemory } from './pulse-memory.ts';
import { type FromThread, fromThreadSchema, type ThreadData, type ToThread } from './pulse-messages.ts';
import { LOOK_MS, observeTurns, type Stillness, THREAD_PATIENCE_MS } from './pulse-plan.ts';

/** A message that is answered, before it has its number. */
type CallOf<T> = T extends { callId: number } ? Omit<T, 'callId'> : never;
/** What can be asked of the thread. */
export type Call = CallOf<ToThread>;

/** Told of the thread's life. */
export interface ThreadListener {
  /** A thread has begun and knows nothing yet. */
  up(): void;
  /** It is gone and nothing is renewed until the next `up`. */
  down(why: string): void;
  message(message: FromThread): void;
}

/** Until a thread that ended is started again; longer each time while it does not stay. */
const RESTART: BackoffShape = { baseMs: 500, capMs: 10_000 };
/** A thread that has lived for this long did not fail at its start. */
const STEADY_MS = 30_000;
/** A thread that has not come up after so many turns of the main loop (15 s while it turns freely) is replaced. */
const READY_TURNS = 15_000 / LOOK_MS;
/** What is asked of the thread is answered within this, or the thread hangs. */
const CALL_LIMIT_MS = 8_000;
/** How long an orderly end may take. */
const CLOSE_LIMIT_MS = 3_000;

/** A thread as its host uses it. */
export type HostedThread = Pick<Worker, 'postMessage' | 'unref' | 'terminate'> & EventEmitter;

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: IsgError) => void;
  timer: NodeJS.Timeout;
}

function unanswered(why: string): IsgError {
  return new IsgError('database-unreachable', `The database was not asked: ${why}. Trying again helps.`, {
    retry: 'transient',
  });
}

/** The entry: TypeScript from source, JavaScript when built; the tree is kept by the build. */
function entryUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./thread/pulse-thread-main${extension}`, import.meta.url);
}

const startWorker = (workerData: ThreadData): HostedThread =>
  new Worker(entryUrl(), { workerData, execArgv: [], stdin: false });

/** Runs the renewal thread, sees to it that it lives, and starts it again when it does not. */
export class ThreadHost {
  readonly memory = new PulseMemory();
  readonly #data: Omit<ThreadData, 'memory' | 'sleepLedger'>;
  readonly #log: Logger;
  readonly #startThread: (data: ThreadData) => HostedThread;
  readonly #listeners: ThreadListener[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #worker: HostedThread | null = null;
  /** Turns since the thread was begun that is not up yet. */
  #turnsWaited = 0;
  #isUp = false;
  #isStopped = false;
  #nextCallId = 1;
  #turning: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #thread: Stillness | null = null;
  #begunMs = 0;
  #failures = 0;

  /** `startThread` begins a thread with the data it needs; another one is for tests. */
  constructor(
    data: Omit<ThreadData, 'memory' | 'sleepLedger'>,
    log: Logger,
    startThread: (data: ThreadData) => HostedThread = startWorker,
  ) {
    this.#data = data;
    this.#log = log;
    this.#startThread = startThread;
  }

  listen(listener: ThreadListener): void {
    this.#listeners.push(listener);
  }

  start(): void {
    if (this.#worker || this.#isStopped) return;
    this.#turning ??= setInterval(() => this.#turn(), LOOK_MS).unref();
    this.#begin();
  }

  /** Tells the thread something; while there is none it is lost, and told again by `up`. */
  post(message: Exclude<ToThread, { callId: number }>): void {
    if (this.#isUp) this.#worker?.postMessage(message);
  }

  /** Asks the thread something. Throws what it throws, and `database-unreachable` when it does not answer. */
  call(call: Call): Promise<unknown> {
    const worker = this.#worker;
    if (!this.#isUp || !worker) return Promise.reject(unanswered('the renewal thread is just being started'));
    const callId = this.#nextCallId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#take({ kind: 'failed', callId, error: noAnswer }), CALL_LIMIT_MS).unref();
      this.#waiting.set(callId, { resolve, reject, timer });
      worker.postMessage({ ...call, callId });
    });
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    clearTimeout(this.#restart);
    const closed = this.call({ kind: 'close' }).catch(() => {
      // Gone or hung: it is ended below.
    });
    this.#isStopped = true;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      closed,
      new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_LIMIT_MS);
      }),
    ]);
    clearTimeout(timer);
    clearInterval(this.#turning);
    await this.#worker?.terminate();
  }

  // The main loop shows that it lives, and looks whether the thread does.
  #turn(): void {
    this.memory.countLoopTurn();
    if (this.#isUp) this.#watch();
    else this.#awaitReady();
  }

  #watch(): void {
    this.#thread = observeTurns(this.#thread, this.memory.threadTurns(), systemClock.monotonicMs());
    if (this.#thread.stoodMs < THREAD_PATIENCE_MS) return;
    this.#thread = null;
    void this.#worker?.terminate();
  }

  // Counted in turns: time in which the main loop was blocked says nothing about the thread.
  #awaitReady(): void {
    this.#turnsWaited += 1;
    if (this.#turnsWaited < READY_TURNS) return;
    this.#turnsWaited = 0;
    void this.#worker?.terminate();
  }

  #begin(): void {
    const { uri, self, times, beatMs } = this.#data;
    const memory = { memory: this.memory.buffer, sleepLedger: systemSleepLedger.memory };
    const workerData: ThreadData = { uri, self, times, beatMs, ...memory };
    this.#begunMs = systemClock.monotonicMs();
    this.#turnsWaited = 0;
    const worker = this.#startThread(workerData);
    let why = 'it ended by itself';
    worker.on('message', (message: unknown) => this.#receive(message));
    worker.on('error', (error: unknown) => {
      why = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => this.#ended(why));
    this.#worker = worker;
  }

  // Once it runs, the thread alone keeps no process alive.
  #begun(): void {
    this.#isUp = true;
    this.#worker?.unref();
  }

  #ended(why: string): void {
    this.#worker = null;
    this.#isUp = false;
    this.#thread = null;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(unanswered('the renewal thread has ended'));
    }
    this.#waiting.clear();
    if (this.#isStopped) return;
    this.#log.error('The thread that renews leases has ended; this node does not lead until a new one runs', {
      error: why,
    });
    for (const listener of this.#listeners) listener.down(why);
    this.#failures = systemClock.monotonicMs() - this.#begunMs > STEADY_MS ? 1 : this.#failures + 1;
    // Nobody else fails in step with this thread: no jitter.
    const pauseMs = backoffMs(this.#failures, RESTART, () => 1);
    this.#restart = setTimeout(() => this.#begin(), pauseMs).unref();
  }

  // One bad number must end neither the thread nor the agent.
  #receive(message: unknown): void {
    const { success, data, error } = fromThreadSchema.safeParse(message);
    if (success) this.#take(data);
    else this.#log.error('A message of the renewal thread makes no sense and is left out', { error: error.message });
  }

  #take(message: FromThread): void {
    if (message.kind === 'log') this.#log[message.level](message.message, message.fields);
    else if (message.kind === 'answer' || message.kind === 'failed') this.#settle(message);
    else {
      if (message.kind === 'ready') this.#begun();
      for (const listener of this.#listeners) {
        if (message.kind === 'ready') listener.up();
        else listener.message(message);
      }
    }
  }

  #settle(message: Extract<FromThread, { callId: number }>): void {
    const waiting = this.#waiting.get(message.callId);
    if (!waiting) return;
    this.#waiting.delete(message.callId);
    clearTimeout(waiting.timer);
    if (message.kind === 'answer') waiting.resolve(message.value);
    else waiting.reject(new IsgError(message.error.code, message.error.message, { retry: message.error.retry }));
  }
}

const noAnswer = {
  code: 'database-unreachable',
  message: 'The database did not answer in time.',
  retry: 'transient',
} as const;
