/**
 * Pieces of a file on their way from the thread that reads to the thread that computes MD5, in memory that both see. One
 * writer, one reader. Each waits only in `await…`, for a limited time, so that both hear a cancel.
 */

/** A piece is read at once. From 512 KiB on it falls out of the processor's own cache, and copying takes three times as long. */
export const PIECE_BYTES = 256 * 1024;
/** Slots of a ring, a power of two. The reader of the file is much faster than MD5: more than this would only lie in wait. */
const SLOTS = 4;

const PUBLISHED = 0;
const RELEASED = 1;
const ENDED = 2;
const LENGTHS = 3;
const HEADER_BYTES = 64;

/** How the writer ended: everything was published, or not. */
export type RingEnd = 'whole' | 'broken';

/** Memory for a ring, zeroed. */
export function createRingMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + SLOTS * PIECE_BYTES);
}

/**
 * One side's view of a ring. The counters only grow and may pass 2^31: only their difference counts. A slot belongs to the
 * writer until it is published and to the reader until it is released.
 */
export class DigestRing {
  readonly #header: Int32Array;
  readonly #slots: Buffer[];

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.#slots = Array.from({ length: SLOTS }, (_, slot) =>
      Buffer.from(memory, HEADER_BYTES + slot * PIECE_BYTES, PIECE_BYTES),
    );
  }

  /** Writer: the slot to fill next; null while all are full. */
  free(): Buffer | null {
    const published = Atomics.load(this.#header, PUBLISHED);
    const filled = (published - Atomics.load(this.#header, RELEASED)) | 0;
    return filled >= SLOTS ? null : this.#slot(published);
  }

  /** Writer: gives the slot that `free` named to the reader; `length` bytes of it count. */
  publish(length: number): void {
    const published = Atomics.load(this.#header, PUBLISHED);
    this.#header[LENGTHS + (published & (SLOTS - 1))] = length;
    this.#step(PUBLISHED);
  }

  /** Writer: nothing more comes. */
  end(how: RingEnd): void {
    Atomics.store(this.#header, ENDED, how === 'whole' ? 1 : 2);
    // Wakes a reader that waits for a piece.
    Atomics.notify(this.#header, PUBLISHED);
  }

  /** Writer: returns when a slot may be free, at the latest after `timeoutMs`. Blocks the thread. */
  awaitFree(timeoutMs: number): void {
    const released = Atomics.load(this.#header, RELEASED);
    if (this.free() === null) Atomics.wait(this.#header, RELEASED, released, timeoutMs);
  }

  /** Reader: the oldest piece; null while there is none. */
  filled(): Buffer | null {
    const released = Atomics.load(this.#header, RELEASED);
    if (Atomics.load(this.#header, PUBLISHED) === released) return null;
    const length = this.#header[LENGTHS + (released & (SLOTS - 1))] ?? 0;
    const slot = this.#slot(released);
    return length === slot.length ? slot : slot.subarray(0, length);
  }

  /** Reader: gives the slot of the oldest piece back. */
  release(): void {
    this.#step(RELEASED);
  }

  /** Reader: how the writer ended, once it has and nothing is left to read; else null. */
  ended(): RingEnd | null {
    const how = Atomics.load(this.#header, ENDED);
    if (how === 0 || this.filled() !== null) return null;
    return how === 1 ? 'whole' : 'broken';
  }

  /** Reader: returns when a piece may be there, or the writer has ended, at the latest after `timeoutMs`. Blocks the thread. */
  awaitFilled(timeoutMs: number): void {
    const published = Atomics.load(this.#header, PUBLISHED);
    const isIdle = published === Atomics.load(this.#header, RELEASED) && Atomics.load(this.#header, ENDED) === 0;
    if (isIdle) Atomics.wait(this.#header, PUBLISHED, published, timeoutMs);
  }

  #slot(count: number): Buffer {
    const slot = this.#slots[count & (SLOTS - 1)];
    if (!slot) throw new Error('a ring without slots');
    return slot;
  }

  #step(counter: number): void {
    Atomics.add(this.#header, counter, 1);
    Atomics.notify(this.#header, counter);
  }
}
