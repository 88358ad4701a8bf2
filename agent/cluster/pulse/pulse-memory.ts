/** Cells, each a 64-bit integer; 0 = nothing yet. */
const LOOP_TURNS = 0;
const THREAD_TURNS = 1;
const LEAD_TERM = 2;
const CONFIRMED_TERM = 3;
const CONFIRMED_US = 4;
const REFUSED_TERM = 5;
const BEAT_US = 6;
const CELLS = 7;

const toMicroseconds = (ms: number): bigint => BigInt(Math.floor(ms * 1_000));

/**
 * What main loop and renewal thread tell each other without waiting for each other. Each cell has one writer. Times are
 * monotonic milliseconds of the clock that both share (`systemSleepLedger`), rounded down: never too late.
 */
export class PulseMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(CELLS * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#cells = new BigInt64Array(buffer);
  }

  /** Main loop: it has turned once more. */
  countLoopTurn(): void {
    Atomics.add(this.#cells, LOOP_TURNS, 1n);
  }

  loopTurns(): number {
    return this.#read(LOOP_TURNS);
  }

  /** Thread: it has turned once more. */
  countThreadTurn(): void {
    Atomics.add(this.#cells, THREAD_TURNS, 1n);
  }

  threadTurns(): number {
    return this.#read(THREAD_TURNS);
  }

  /** Main loop: the term whose lease is to be renewed; 0 for none. */
  setLeadTerm(term: number): void {
    Atomics.store(this.#cells, LEAD_TERM, BigInt(term));
  }

  leadTerm(): number {
    return this.#read(LEAD_TERM);
  }

  /** Thread: a renewal of this term begun at `startedMs` was confirmed; an older one than known changes nothing. */
  confirmLease(term: number, startedMs: number): void {
    const startedUs = toMicroseconds(startedMs);
    const isSameTerm = this.#read(CONFIRMED_TERM) === term;
    if (isSameTerm && Atomics.load(this.#cells, CONFIRMED_US) >= startedUs) return;
    // The term last: a reader that sees it finds a time of this term, or a newer one.
    if (!isSameTerm) Atomics.store(this.#cells, CONFIRMED_TERM, 0n);
    Atomics.store(this.#cells, CONFIRMED_US, startedUs);
    Atomics.store(this.#cells, CONFIRMED_TERM, BigInt(term));
  }

  /** Start of the last confirmed renewal of this term, or null. */
  confirmedMs(term: number): number | null {
    if (this.#read(CONFIRMED_TERM) !== term) return null;
    return this.#read(CONFIRMED_US) / 1_000;
  }

  /** Thread: the lease of this term is another's, or was released. */
  refuse(term: number): void {
    Atomics.store(this.#cells, REFUSED_TERM, BigInt(term));
  }

  isRefused(term: number): boolean {
    return this.#read(REFUSED_TERM) === term;
  }

  /** Thread: a heartbeat begun at `startedMs` was confirmed. */
  confirmBeat(startedMs: number): void {
    const startedUs = toMicroseconds(startedMs);
    if (Atomics.load(this.#cells, BEAT_US) < startedUs) Atomics.store(this.#cells, BEAT_US, startedUs);
  }

  /** Start of the last confirmed heartbeat, or minus infinity. */
  beatMs(): number {
    return this.#read(BEAT_US) / 1_000 || Number.NEGATIVE_INFINITY;
  }

  #read(cell: number): number {
    return Number(Atomics.load(this.#cells, cell));
  }
}
