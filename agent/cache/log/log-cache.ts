import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { LOG_LEVELS, type LogSeverity } from '../../contract/index.ts';
import { LogBuffer } from './log-buffer.ts';
import type { LogBatch, StoredLogRecord, WrittenRecord } from './log-encoding.ts';
import {
  type FromLogThread,
  fromLogThreadSchema,
  type KeeperStatus,
  type LogFilter,
  type LogThreadData,
  type ShippingStatus,
  type ToLogThread,
} from './log-messages.ts';

/** The node's side of its log cache: takes records, hands them to the thread in batches, and tells when they are on disk. */

/** One look back. */
export interface LogLook {
  /** Oldest first. */
  records: StoredLogRecord[];
  /** Every wanted record from here on (up to the start of the look) is in `records`; null when nothing lies before. */
  reachedSeq: number | null;
}

/** A thread as the cache uses it. */
export type LogThread = Pick<Worker, 'postMessage' | 'unref' | 'terminate'> & EventEmitter;

/** Where records are shipped; `uri` is a secret. */
export interface ShippingTarget {
  uri: string;
  workerId: string;
  /** Name of this node. */
  node: string;
}

/** How the cache behaves. */
export interface LogCacheOptions {
  /** The SQLite file; its folder is made if missing. */
  path: string;
  /** Starts the log's thread. */
  startThread: (data: LogThreadData) => LogThread;
  /** Most bytes on disk, journal included; default 512 MB. */
  capBytes?: number;
  /** How long shipped records stay; default 30 days. */
  retentionMs?: number;
  /** Longest time before a record is handed to the disk; default 50 ms. */
  handOverMs?: number;
  /** Room for records that are not on disk yet, bytes; default 32 MB. */
  memoryBytes?: number;
  /** Told, in words for people, of trouble and of its end. What it logs may come back here. */
  onTold?: (level: LogSeverity, message: string, fields: Record<string, unknown>) => void;
  /** Told of records that are in the file now, in order. Must not log into this cache. */
  onWritten?: (records: readonly StoredLogRecord[]) => void;
}

/** How the cache stands. */
export interface LogCacheStatus {
  keeper: KeeperStatus;
  /** Null before the thread has said anything about it. */
  shipping: ShippingStatus | null;
  /** Records that memory had no room for since the start, by level. */
  dropped: readonly number[];
  waitingBytes: number;
}

/** The node's log on its disk. Nothing in it ever throws into a caller, and no caller waits for the disk unless it asks. */
export interface LogCache {
  sink: (record: WrittenRecord) => void;
  /** Resolves with true once all records so far are on disk; with false when they are not within the time. */
  flush(withinMs?: number): Promise<boolean>;
  lookBack(beforeSeq: number | null, limit: number, filter: LogFilter): Promise<LogLook>;
  /** Ships to a database from now on; null = no more. */
  shipTo(target: ShippingTarget | null): void;
  /** Whether jobs run: shipping then steps back. */
  setBusy(isBusy: boolean): void;
  status(): LogCacheStatus;
  /** Waits, without giving up the process's turn, until all is on disk or `withinMs` (default 2 s) is over; then ends. */
  close(withinMs?: number): void;
}

const LOOK_LIMIT_MS = 15_000;
/** Until a thread that ended is started again. */
const RESTART_MS = 1_000;

interface Look {
  resolve: (look: LogLook) => void;
  timer: NodeJS.Timeout;
}

const NO_LOOK: LogLook = { records: [], reachedSeq: null };
const NONE = LOG_LEVELS.map(() => 0);

class ThreadedLogCache implements LogCache {
  readonly #options: LogCacheOptions;
  readonly #buffer: LogBuffer;
  readonly #memory = new Int32Array(new SharedArrayBuffer(4));
  readonly #runId = randomUUID();
  readonly #looks = new Map<number, Look>();
  readonly #waiters = new Set<{ no: number; done: (isStored: boolean) => void }>();
  #thread: LogThread | null = null;
  #callId = 0;
  #target: ShippingTarget | null = null;
  #isBusy = false;
  #isClosed = false;
  #keeper: KeeperStatus = { store: 'file', bytes: 0, drops: { cap: NONE, memory: NONE } };
  #shipping: ShippingStatus | null = null;

  constructor(options: LogCacheOptions) {
    this.#options = options;
    const { handOverMs = 50, memoryBytes = 32_000_000, onWritten } = options;
    const onBatch = (batch: LogBatch) => this.#post({ kind: 'batch', ...batch });
    this.#buffer = new LogBuffer({ handOverMs, memoryBytes, onBatch, ...(onWritten && { onWritten }) });
    this.#begin();
  }

  readonly sink = (record: WrittenRecord): void => {
    if (!this.#isClosed) this.#buffer.add(record);
  };

  #begin(): void {
    const { path, startThread, capBytes = 512_000_000, retentionMs = 30 * 86_400_000 } = this.#options;
    const data = { path, runId: this.#runId, capBytes, retentionMs, memory: this.#memory.buffer };
    const thread = startThread(data);
    thread.on('message', (message: unknown) => this.#receive(message));
    let why = 'it ended by itself';
    thread.on('error', (error: unknown) => {
      why = error instanceof Error ? error.message : String(error);
    });
    thread.on('exit', () => this.#ended(why));
    thread.unref();
    this.#thread = thread;
    for (const batch of this.#buffer.unstored()) this.#post({ kind: 'batch', ...batch });
    if (this.#target) this.#post({ kind: 'ship', target: this.#target });
    if (this.#isBusy) this.#post({ kind: 'busy', isBusy: true });
  }

  #ended(why: string): void {
    this.#thread = null;
    for (const [callId] of this.#looks) this.#looked(callId, NO_LOOK);
    if (this.#isClosed) return;
    this.#options.onTold?.('error', 'The thread that keeps the log has ended; it is started again.', { error: why });
    setTimeout(() => {
      if (!this.#isClosed) this.#begin();
    }, RESTART_MS).unref();
  }

  #post(message: ToLogThread): void {
    this.#thread?.postMessage(message);
  }

  #receive(message: unknown): void {
    const { success, data } = fromLogThreadSchema.safeParse(message);
    if (success) this.#take(data);
    else
      this.#options.onTold?.('error', 'A message of the thread that keeps the log makes no sense and is left out.', {});
  }

  #take(message: FromLogThread): void {
    if (message.kind === 'stored') {
      this.#buffer.stored(message);
      for (const waiter of this.#waiters) if (waiter.no <= message.upTo) waiter.done(true);
    } else if (message.kind === 'told') this.#options.onTold?.(message.level, message.message, message.fields);
    else if (message.kind === 'keeper') this.#keeper = message.status;
    else if (message.kind === 'shipping') this.#shipping = message.status;
    else if (message.kind === 'looked') {
      const records = message.rows.map(toRecord);
      this.#looked(message.callId, { records, reachedSeq: message.reachedSeq });
    }
  }

  #looked(callId: number, look: LogLook): void {
    const waiting = this.#looks.get(callId);
    if (!waiting) return;
    this.#looks.delete(callId);
    clearTimeout(waiting.timer);
    waiting.resolve(look);
  }

  flush(withinMs = 5_000): Promise<boolean> {
    this.#buffer.handOver();
    const no = this.#buffer.lastNo;
    if (Atomics.load(this.#memory, 0) >= no) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter = {
        no,
        done: (isStored: boolean) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(isStored);
        },
      };
      const timer = setTimeout(() => waiter.done(false), withinMs);
      this.#waiters.add(waiter);
    });
  }

  lookBack(beforeSeq: number | null, limit: number, filter: LogFilter): Promise<LogLook> {
    this.#buffer.handOver();
    if (!this.#thread || this.#isClosed) return Promise.resolve(NO_LOOK);
    this.#callId += 1;
    const callId = this.#callId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#looked(callId, NO_LOOK), LOOK_LIMIT_MS);
      this.#looks.set(callId, { resolve, timer });
      this.#post({ kind: 'look-back', callId, beforeSeq, limit, filter });
    });
  }

  shipTo(target: ShippingTarget | null): void {
    this.#target = target;
    this.#post({ kind: 'ship', target });
  }

  setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#post({ kind: 'busy', isBusy });
  }

  status(): LogCacheStatus {
    const { bytes, dropped } = this.#buffer.counts();
    return { keeper: this.#keeper, shipping: this.#shipping, dropped, waitingBytes: bytes };
  }

  close(withinMs = 2_000): void {
    if (this.#isClosed) return;
    this.#buffer.handOver();
    this.#isClosed = true;
    this.#post({ kind: 'close' });
    const endsAtMs = performance.now() + withinMs;
    for (
      let stored = Atomics.load(this.#memory, 0);
      stored < this.#buffer.lastNo;
      stored = Atomics.load(this.#memory, 0)
    ) {
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0 || !this.#thread) break;
      Atomics.wait(this.#memory, 0, stored, leftMs);
    }
    for (const [callId] of this.#looks) this.#looked(callId, NO_LOOK);
    for (const waiter of this.#waiters) waiter.done(Atomics.load(this.#memory, 0) >= waiter.no);
  }
}

function parseFields(json: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    // ignored because what a damaged disk left of them is better shown than nothing
    return { unreadable: json };
  }
}

function toRecord(row: { seq: number; atMs: number; level: number; message: string; fields: string }): StoredLogRecord {
  const fields = parseFields(row.fields);
  return { seq: row.seq, atMs: row.atMs, level: LOG_LEVELS[row.level] ?? 'info', message: row.message, fields };
}

/** Begins the log's thread, which opens (or makes) the cache (README.md). */
export function createLogCache(options: LogCacheOptions): LogCache {
  return new ThreadedLogCache(options);
}
