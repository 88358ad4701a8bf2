import {
  type ClusterFigures,
  clusterFigures,
  type MinuteRow,
  type StorageFigures,
  storageFiguresOfAll,
  throughputMinutes,
} from '../db/queries/operator-figures.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sql } from '../runtime/sql.ts';

/** What the database says of the cluster, as last read. */
export interface Figures {
  /** Null before the first answer. */
  cluster: ClusterFigures | null;
  /** Workers whose running jobs `cluster` counts in full, with the standing for which that holds (`standingKey`). */
  countedFor?: ReadonlyMap<string, string>;
  storages: ReadonlyMap<string, StorageFigures>;
  /** Last hour, oldest first. */
  throughput: readonly MinuteRow[];
}

/** A worker as far as it decides whether it takes jobs. */
export interface Standing {
  worker_id: string;
  run_id: string;
  availability_status: string;
}

/** The same text for as long as a worker stands the same. */
export const standingKey = ({ run_id, availability_status }: Standing): string => `${run_id} ${availability_status}`;

/** What the reader of figures needs. */
export interface FigureReaderOptions {
  /** Connections of its own: a slow count must hold up no work. */
  database: Sql;
  clock: Clock;
  log: Logger;
  /** Told after each answer. */
  onRead: () => void;
}

/** Shortest pauses between two reads of a kind. */
const PACE_MS = { cluster: 2_000, throughput: 5_000, storages: 5_000 };
/** A statement that claims jobs gives up after so long: one that was on its way when a worker came to rest has ended. */
const CLAIM_MS = 2_000;
/** A read that takes long is made rarer, so that it takes at most a twentieth of one connection's time. */
const SHARE = 20;
const HOUR_MINUTES = 60;
/** Minutes that may still change: a job's end is stamped before it is committed. */
const OPEN_MINUTES = 2;
/** The whole hour is read anew this often, in case a late commit was missed. */
const WHOLE_HOUR_EVERY_MS = 5 * 60_000;

type Kind = keyof typeof PACE_MS;

/** Reads figures in the background, each kind at its own pace; failures keep the last ones. */
export class FigureReader {
  readonly #options: FigureReaderOptions;
  readonly #life = new AbortController();
  #figures: Figures = { cluster: null, storages: new Map(), throughput: [] };
  #loops: Promise<void>[] = [];
  #wholeHourMs = Number.NEGATIVE_INFINITY;
  #hurry: AbortController | null = null;
  /** How each worker stands, and since when this reader has known it, monotonic. */
  #standings = new Map<string, { key: string; sinceMs: number }>();
  #trouble = '';

  constructor(options: FigureReaderOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#loops.length > 0 || this.#life.signal.aborted) return;
    this.#loops = [
      this.#loop('cluster', () => this.#readCluster()),
      this.#loop('throughput', () => this.#readThroughput()),
      this.#loop('storages', () => this.#readStorages()),
    ];
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await Promise.all(this.#loops);
  }

  current(): Figures {
    return this.#figures;
  }

  /** Reads the cluster's figures at once: a leadership has changed. */
  hurry(): void {
    this.#hurry?.abort();
  }

  async #loop(kind: Kind, read: () => Promise<void>): Promise<void> {
    const { clock, onRead } = this.#options;
    while (!this.#life.signal.aborted) {
      const startedMs = clock.monotonicMs();
      await this.#guarded(read);
      onRead();
      const pauseMs = Math.max(PACE_MS[kind], (clock.monotonicMs() - startedMs) * SHARE);
      const hurry = new AbortController();
      if (kind === 'cluster') this.#hurry = hurry;
      await clock.sleep(pauseMs, AbortSignal.any([this.#life.signal, hurry.signal])).catch(() => {});
    }
  }

  async #guarded(read: () => Promise<void>): Promise<void> {
    try {
      await read();
      this.#trouble = '';
    } catch (thrown) {
      const { message, retry } = coerceError(thrown);
      if (message !== this.#trouble && !this.#life.signal.aborted) {
        // That the database is away is said elsewhere; what it refuses for good is not.
        const level = retry === 'permanent' ? 'warn' : 'debug';
        this.#options.log[level]('The figures of the cluster could not be read; the last ones stay', {
          error: message,
        });
      }
      this.#trouble = message;
    }
  }

  /** Tells how the workers stand now: what is counted a moment later holds for it. */
  observe(members: readonly Standing[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    const earlier = this.#standings;
    this.#standings = new Map(
      members.map((member) => {
        const known = earlier.get(member.worker_id);
        const key = standingKey(member);
        return [member.worker_id, known?.key === key ? known : { key, sinceMs: nowMs }];
      }),
    );
  }

  async #readCluster(): Promise<void> {
    const settledMs = this.#options.clock.monotonicMs() - CLAIM_MS;
    const settled = [...this.#standings].filter(([, { sinceMs }]) => sinceMs <= settledMs);
    const cluster = await clusterFigures(this.#options.database);
    const countedFor = new Map(settled.map(([workerId, { key }]) => [workerId, key]));
    this.#figures = { ...this.#figures, cluster, countedFor };
  }

  async #readStorages(): Promise<void> {
    const rows = await storageFiguresOfAll(this.#options.database);
    this.#figures = { ...this.#figures, storages: new Map(rows.map((row) => [row.storage_id, row])) };
  }

  async #readThroughput(): Promise<void> {
    const { clock, database } = this.#options;
    const nowMs = clock.monotonicMs();
    const isWhole = nowMs - this.#wholeHourMs >= WHOLE_HOUR_EVERY_MS;
    const rows = await throughputMinutes(database, isWhole ? HOUR_MINUTES : OPEN_MINUTES);
    if (isWhole) this.#wholeHourMs = nowMs;
    this.#figures = { ...this.#figures, throughput: mergeMinutes(isWhole ? [] : this.#figures.throughput, rows) };
  }
}

/** Earlier minutes with the fresh figures in place of their older ones; the last hour only. */
export function mergeMinutes(earlier: readonly MinuteRow[], fresh: readonly MinuteRow[]): MinuteRow[] {
  const byKey = new Map([...earlier, ...fresh].map((row) => [`${row.minute_ms} ${row.role}`, row]));
  const rows = [...byKey.values()].sort((a, b) => a.minute_ms - b.minute_ms);
  const newestMs = rows.at(-1)?.minute_ms ?? 0;
  return rows.filter((row) => row.minute_ms > newestMs - HOUR_MINUTES * 60_000);
}
