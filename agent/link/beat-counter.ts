/** Turns of the main loop in shared memory: written by the main thread only, read by the beat thread. */
export class BeatCounter {
  readonly memory: SharedArrayBuffer;
  readonly #cell: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cell = new Int32Array(memory);
  }

  /** Counts one turn and answers the new number. */
  count(): number {
    return Atomics.add(this.#cell, 0, 1) + 1;
  }

  value(): number {
    return Atomics.load(this.#cell, 0);
  }
}
