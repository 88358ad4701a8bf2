/**
 * A lane: the storage processes that serve one kind of call. Started on demand, kept for the next call, ended when idle,
 * replaced when they die, and not replaced while too many killed ones have not died.
 */
import { IsgError } from '../runtime/errors.ts';
import { type CallHandling, cancellationError } from './storage-call.ts';
import type { Operation, RequestOf, ResultOf } from './storage-messages.ts';
import type { StorageProcess } from './storage-process.ts';

/** Shape of a lane. */
export interface LaneOptions {
  /** Calls wait, first come first served, when all are taken. */
  maxProcesses: number;
  callsPerProcess: number;
  /** An idle process ends after this; null = it stays. */
  idleMs: number | null;
  /** No process is started while this many killed ones of this lane have not died. */
  maxAbandoned: number;
  start: () => StorageProcess;
}

interface Waiter {
  begin: () => void;
  fail: (error: IsgError) => void;
}

/** Killed processes normally die in milliseconds; those still there after this are stuck. */
const DEATH_WAIT_MS = 500;
/** How often a call that waits for its turn shows life. */
const SIGN_MS = 10_000;

function stoppedError(): IsgError {
  return new IsgError('stopped', 'The node is stopping; the call was not finished.', { retry: 'transient' });
}

function tooManyAbandoned(count: number): IsgError {
  return new IsgError(
    'storage-hung',
    `${count} processes are stuck on this storage, so no further one is started until one of them ends. Its mount hangs: check the file server and the network.`,
    { retry: 'transient' },
  );
}

async function settledWithin(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

/** A lane of storage processes; starts nothing until the first call. */
export class ProcessLane {
  readonly #options: LaneOptions;
  readonly #live = new Set<StorageProcess>();
  /** Ending or killed, but not gone for the kernel. */
  readonly #leaving = new Set<StorageProcess>();
  readonly #idleTimers = new Map<StorageProcess, NodeJS.Timeout>();
  readonly #waiters: Waiter[] = [];
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /**
   * Runs one operation in a process of this lane. Rejects with `storage-hung` while too many are abandoned, with
   * `stopped` after `stop`, with the caller's reason when the signal fires (also while waiting for a process).
   */
  async run<O extends Operation>(operation: O, request: RequestOf<O>, handling: CallHandling): Promise<ResultOf<O>> {
    for (;;) {
      if (this.#stopped) throw stoppedError();
      if (handling.signal?.aborted) throw cancellationError(handling.signal);
      const process = this.#findFree();
      if (process === 'full') await this.#turn(handling);
      else if (process === 'abandoned') await this.#awaitDeath();
      else return await this.#runIn(process, operation, { request, handling });
    }
  }

  /** Whether a process of this lane has started: only then is its silence the storage's. */
  get isReady(): boolean {
    return [...this.#live].some((process) => process.isReady);
  }

  /** Kills all processes of this lane, those on their way out too; their calls reject with `error`. */
  killAll(error: IsgError): void {
    for (const process of [...this.#live, ...this.#leaving]) process.kill(error);
    this.#sweep();
    this.#admit();
  }

  /** Kills all processes and refuses calls from now on; resolves when they are gone, or after `waitMs` (abandoned). */
  async stop(waitMs: number): Promise<void> {
    this.#stopped = true;
    this.killAll(stoppedError());
    while (this.#waiters.length > 0) this.#waiters[0]?.fail(stoppedError());
    await settledWithin(Promise.all([...this.#leaving].map((process) => process.ended)), waitMs);
  }

  async #runIn<O extends Operation>(
    process: StorageProcess,
    operation: O,
    call: { request: RequestOf<O>; handling: CallHandling },
  ): Promise<ResultOf<O>> {
    clearTimeout(this.#idleTimers.get(process));
    this.#idleTimers.delete(process);
    try {
      return await process.run(operation, call.request, call.handling);
    } finally {
      this.#release(process);
    }
  }

  /** An idle process, a new one, or the least busy with room; `full` when all are taken, `abandoned` when none may be started now. */
  #findFree(): StorageProcess | 'full' | 'abandoned' {
    this.#sweep();
    const [least] = [...this.#live].toSorted((one, other) => one.callsInFlight - other.callsInFlight);
    if (least?.callsInFlight === 0) return least;
    const { maxProcesses, maxAbandoned, callsPerProcess } = this.#options;
    const isBelowMost = this.#live.size < maxProcesses;
    if (isBelowMost && this.#leaving.size < maxAbandoned) {
      const process = this.#options.start();
      this.#live.add(process);
      void process.ended.then(() => this.#sweep());
      return process;
    }
    if (least && least.callsInFlight < callsPerProcess) return least;
    return isBelowMost ? 'abandoned' : 'full';
  }

  /** Moves processes that end from the living to the leaving, until they are gone. */
  #sweep(): void {
    for (const process of this.#live) {
      if (!process.isEnding) continue;
      this.#live.delete(process);
      clearTimeout(this.#idleTimers.get(process));
      this.#idleTimers.delete(process);
      this.#leaving.add(process);
      void process.ended.then(() => {
        this.#leaving.delete(process);
        this.#admit();
      });
    }
  }

  #release(process: StorageProcess): void {
    const { idleMs } = this.#options;
    if (!process.isEnding && process.callsInFlight === 0 && idleMs !== null) {
      const retire = () => {
        process.retire();
        this.#sweep();
      };
      clearTimeout(this.#idleTimers.get(process));
      this.#idleTimers.set(process, setTimeout(retire, idleMs).unref());
    }
    this.#admit();
  }

  #admit(): void {
    this.#waiters[0]?.begin();
  }

  /** Waits until a process may be free; meanwhile the caller gets signs of life, for the calls before it have watches of their own. */
  #turn({ signal, onProgress }: CallHandling): Promise<void> {
    return new Promise((resolve, reject) => {
      const signs = setInterval(() => onProgress?.(0), SIGN_MS).unref();
      const leave = (settle: () => void) => {
        clearInterval(signs);
        signal?.removeEventListener('abort', onAbort);
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        settle();
      };
      const waiter: Waiter = { begin: () => leave(resolve), fail: (error) => leave(() => reject(error)) };
      const onAbort = () => signal && waiter.fail(cancellationError(signal));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Waits for one of the leaving to be gone; throws when they prove to be stuck. */
  async #awaitDeath(): Promise<void> {
    const count = this.#leaving.size;
    await settledWithin(Promise.race([...this.#leaving].map((process) => process.ended)), DEATH_WAIT_MS);
    if (this.#leaving.size < this.#options.maxAbandoned) return;
    // Whoever waits behind this call is to be told the same.
    this.#admit();
    throw tooManyAbandoned(count);
  }
}
