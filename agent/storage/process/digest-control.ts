import { cancelled } from './cancellation.ts';

const STOP = 0;
const NEXT = 1;
/** In units of 8 bytes. */
const DONE = 1;

/** What the threads of a digest and the process's main thread share while it runs: stop, progress, next file of a list. */
export class DigestControl {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #counters: BigInt64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, 2);
    this.#counters = new BigInt64Array(memory);
  }

  /** Asks the threads to stop; wakes one that pauses. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1);
    Atomics.notify(this.#words, STOP);
  }

  /** Throws `cancelled` once a stop was asked for. */
  assertGoing(): void {
    if (Atomics.load(this.#words, STOP) !== 0) throw cancelled();
  }

  /** Sleeps, at most until a stop is asked for. Blocks the thread. */
  pause(ms: number): void {
    if (ms > 0) Atomics.wait(this.#words, STOP, 0, ms);
  }

  /** The number of the next file of a list that no thread has taken. */
  takeNext(): number {
    return Atomics.add(this.#words, NEXT, 1);
  }

  addDone(bytes: number): void {
    Atomics.add(this.#counters, DONE, BigInt(bytes));
  }

  /** Bytes read so far, by all threads. */
  get doneBytes(): number {
    return Number(Atomics.load(this.#counters, DONE));
  }
}
