import { Admission } from './admission.ts';
import {
  costOf,
  type EncodedRecord,
  encodeRecord,
  type LogBatch,
  packBatch,
  type StoredLogRecord,
  type WrittenRecord,
} from './log-encoding.ts';
import type { FromLogThread } from './log-messages.ts';

/** What the buffer needs. */
export interface LogBufferOptions {
  /** Longest time before a record is handed over. */
  handOverMs: number;
  /** Room for records that are not on disk yet. */
  memoryBytes: number;
  /** Gets each batch once, in order; it is kept here until `stored` says that it is on disk. */
  onBatch: (batch: LogBatch) => void;
  /** Told of records that are in the file now, in order. */
  onWritten?: (records: readonly StoredLogRecord[]) => void;
}

/** A batch this large is handed over at once. */
const BATCH_CHARACTERS = 262_144;
const BATCH_RECORDS = 2_048;

/** A batch that is not on disk yet. */
interface Unstored {
  batch: LogBatch;
  bytes: number;
  /** Kept only if somebody is told of written records. */
  records: readonly WrittenRecord[];
  encoded: readonly EncodedRecord[];
}

/** The node's records on their way to the thread that keeps them: encoded, packed into batches, and kept until they are on disk. */
export class LogBuffer {
  readonly #options: LogBufferOptions;
  readonly #admission: Admission;
  readonly #unstored: Unstored[] = [];
  #records: WrittenRecord[] = [];
  #encoded: EncodedRecord[] = [];
  #characters = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastNo = 0;

  constructor(options: LogBufferOptions) {
    this.#options = options;
    this.#admission = new Admission(options.memoryBytes);
  }

  /** Takes a record, or counts it where there is no room. Some microseconds. */
  add(record: WrittenRecord): void {
    const encoded = encodeRecord(record);
    const bytes = costOf(encoded);
    if (!this.#admission.admits(encoded.level, bytes)) return;
    this.#encoded.push(encoded);
    if (this.#options.onWritten) this.#records.push(record);
    this.#characters += bytes;
    if (this.#characters >= BATCH_CHARACTERS || this.#encoded.length >= BATCH_RECORDS) this.handOver();
    else this.#timer ??= setTimeout(() => this.handOver(), this.#options.handOverMs).unref();
  }

  /** Hands over what there is. */
  handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#encoded.length === 0 && !this.#admission.hasUnreported()) return;
    this.#lastNo += 1;
    const batch = packBatch(this.#lastNo, this.#encoded, this.#admission.takeUnreported());
    this.#unstored.push({ batch, bytes: this.#characters, records: this.#records, encoded: this.#encoded });
    this.#records = [];
    this.#encoded = [];
    this.#characters = 0;
    this.#options.onBatch(batch);
  }

  /** Number of the last batch that was handed over. */
  get lastNo(): number {
    return this.#lastNo;
  }

  /** Batches that are not on disk, oldest first: for a thread that begins in place of one that ended. */
  unstored(): LogBatch[] {
    return this.#unstored.map(({ batch }) => batch);
  }

  /** Every batch up to `upTo` is on disk; `batches` says where those are that came with this answer. */
  stored({ batches, upTo }: Pick<Extract<FromLogThread, { kind: 'stored' }>, 'batches' | 'upTo'>): void {
    const places = new Map(batches.map((batch) => [batch.no, batch]));
    while ((this.#unstored[0]?.batch.no ?? Number.POSITIVE_INFINITY) <= upTo) {
      const unstored = this.#unstored.shift();
      if (!unstored) break;
      this.#admission.release(unstored.bytes);
      const place = places.get(unstored.batch.no);
      if (place) this.#tellWritten(unstored, place);
    }
  }

  #tellWritten({ records, encoded }: Unstored, place: { firstSeq: number; refusedBelow: number }): void {
    const { onWritten } = this.#options;
    if (!onWritten) return;
    const kept = records.filter((_, n) => (encoded[n]?.level ?? 0) >= place.refusedBelow);
    if (kept.length > 0) onWritten(kept.map((record, n) => ({ ...record, seq: place.firstSeq + n })));
  }

  /** Bytes waiting, and drops by level since the start. */
  counts(): { bytes: number; dropped: readonly number[] } {
    return this.#admission.counts();
  }
}
