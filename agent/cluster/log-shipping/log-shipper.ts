import type { ShippingTarget } from '../../cache/log/log-cache.ts';
import { calendarMs } from '../../cache/log/log-encoding.ts';
import type { ShippingStatus } from '../../cache/log/log-messages.ts';
import type { OutboxFile, StoredRow } from '../../cache/log/outbox-file.ts';
import { LOG_LEVELS, structureLogRecord } from '../../contract/index.ts';
import { createDatabase } from '../../db/database.ts';
import { claimOutbox, readOutbox, type ShippedRecord, shipRecords } from '../../db/queries/node-log.ts';
import { backoffMs } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coerceError, type IsgError } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Database } from '../../runtime/sql.ts';
import {
  FIRST_PACE,
  lowerLimits,
  NO_SHIP_LIMITS,
  nextPace,
  raiseLimits,
  type ShipLimits,
  type ShipPace,
} from './ship-pace.ts';

/** What shipping needs. */
export interface LogShipperOptions {
  /** Runs work on the cache's file; null when that is not possible now. */
  use: <T>(work: (file: OutboxFile) => T) => T | null;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Whether the node has other work for its processors. */
  isBusy: () => boolean;
  onStatus: (status: ShippingStatus) => void;
  /** Something to say once, in words for people. */
  onTold: (level: 'info' | 'warn', message: string, fields: Record<string, unknown>) => void;
  /** Opens the database; another one is for tests. */
  open?: (uri: string) => Database;
}

/** Between two looks for new records. */
const LOOK_MS = 1_000;
const RETRY = { baseMs: 1_000, capMs: 30_000 };
/** SQLSTATE classes (and a failed CHECK) that say something against a record, not against the connection or the tables. */
const RECORD_REFUSED = /^(22|54|23514)/;

const openDatabase = (uri: string): Database =>
  createDatabase({ uri, log: silentLogger, applicationName: 'isg-pro log', maxConnections: 1 });

/** The outbox as the database confirmed it. */
interface Held {
  outboxId: string;
  holder: string;
  watermark: number;
}

const GRAVEST = LOG_LEVELS.length - 1;

/** A record whose level and instant are such as the database takes: a damaged disk may have made others of them. */
function withinBounds(row: StoredRow): StoredRow {
  const level = Math.min(GRAVEST, Math.max(0, row.level));
  const atMs = calendarMs(row.atMs);
  return level === row.level && atMs === row.atMs ? row : { ...row, level, atMs };
}

function toShipped({ seq, atMs, level, message, fields: json }: StoredRow): ShippedRecord {
  const parsed: unknown = JSON.parse(json);
  const written = {
    level: LOG_LEVELS[level] ?? 'info',
    atMs,
    message,
    fields: typeof parsed === 'object' && parsed !== null ? { ...parsed } : {},
  } as const;
  const { role, job, storage, term, fields } = structureLogRecord(written, { node: null, worker: null });
  return { seq, atMs, level, message, role, job, storage, term, fields: JSON.stringify(fields) };
}

/** A record that the database does not take, as one that it does. */
function substitute({ seq, atMs, level, message }: ShippedRecord): ShippedRecord {
  const text = message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 1_000);
  const facts = { role: null, job: null, storage: null, term: null };
  return { seq, atMs, level, message: text, ...facts, fields: '{"substituted":true}' };
}

function safely(stored: StoredRow): ShippedRecord {
  const row = withinBounds(stored);
  try {
    return toShipped(row);
  } catch {
    // ignored because fields that are no JSON (a damaged file) must not hold up what comes behind them
    return substitute({ ...row, role: null, job: null, storage: null, term: null });
  }
}

/** Ships the outbox to one database until it is stopped (README.md). */
export class LogShipper {
  readonly #options: LogShipperOptions;
  readonly #target: ShippingTarget;
  readonly #stop = new AbortController();
  readonly #database: Database;
  #held: Held | null = null;
  #pace: ShipPace = FIRST_PACE;
  /** When the step that runs was to begin. */
  #dueMs: number;
  /** Fewer rows while a record that the database refuses is looked for. */
  #most = Number.POSITIVE_INFINITY;
  /** Lower after a batch that did not come through. */
  #limits: ShipLimits = NO_SHIP_LIMITS;
  #failures = 0;
  #told = '';
  #state: ShippingStatus['state'] = 'off';
  #shipped = 0;
  #running: Promise<void>;

  /** Begins at once. */
  constructor(target: ShippingTarget, options: LogShipperOptions) {
    this.#options = options;
    this.#target = target;
    this.#dueMs = options.clock.monotonicMs();
    this.#database = (options.open ?? openDatabase)(target.uri);
    this.#running = this.#run();
  }

  /** Resolves once nothing runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#database.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#options;
    while (!signal.aborted) {
      const waitMs = await this.#step();
      this.#dueMs = clock.monotonicMs() + waitMs;
      this.#report();
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {});
    }
    this.#state = 'off';
    this.#report();
  }

  /** One batch; answers how long to wait before the next. Never throws. */
  async #step(): Promise<number> {
    try {
      const waitMs = await this.#shipSome();
      if (this.#failures > 0 && this.#told !== '') this.#options.onTold('info', 'The log is shipped again', {});
      this.#failures = 0;
      this.#told = '';
      return waitMs;
    } catch (thrown) {
      if (this.#stop.signal.aborted) return 0;
      return this.#failed(coerceError(thrown));
    }
  }

  async #shipSome(): Promise<number> {
    const identity = this.#options.use((file) => file.identity());
    if (!identity) return LOOK_MS;
    const isHeld =
      this.#held?.outboxId === identity.outboxId &&
      this.#held.holder === identity.nextHolder &&
      identity.claimFrom === null;
    const held = isHeld && this.#held ? this.#held : await this.#claim();
    if (!held) return LOOK_MS;
    const limit = Math.min(this.#pace.rows, this.#most, this.#limits.rows);
    const rows = this.#options.use((file) => {
      const read = file.readAfter(held.watermark, limit, this.#limits.bytes);
      file.noteSent(read);
      return read;
    });
    if (!rows) return LOOK_MS;
    this.#state = rows.length === 0 ? 'caught-up' : 'shipping';
    if (rows.length === 0) return LOOK_MS;
    const beganMs = this.#options.clock.monotonicMs();
    await this.#ship(held, rows.map(safely));
    const endedMs = this.#options.clock.monotonicMs();
    const times = { tookMs: endedMs - beganMs, sinceDueMs: endedMs - this.#dueMs };
    this.#pace = nextPace({ rows: rows.length, ...times, isBusy: this.#options.isBusy() });
    // What came while this was shipped waits for the next look: no row by row.
    return (rows.at(-1)?.seq ?? 0) >= identity.nextSeq - 1 ? LOOK_MS : this.#pace.pauseMs;
  }

  async #ship(held: Held, records: readonly ShippedRecord[]): Promise<void> {
    let isMoved: boolean;
    try {
      isMoved = await shipRecords(this.#database, held, records);
    } catch (thrown) {
      const [first] = records;
      if (!isRefused(thrown) || !first) {
        this.#limits = lowerLimits(this.#limits, records.length);
        throw thrown;
      }
      if (records.length > 1) {
        this.#most = Math.max(1, Math.floor(records.length / 2));
        return;
      }
      isMoved = await shipRecords(this.#database, held, [substitute(first)]);
    }
    const last = records.at(-1);
    if (isMoved && last) {
      this.#most = Number.POSITIVE_INFINITY;
      this.#limits = raiseLimits(this.#limits);
      this.#shipped += records.length;
      this.#moveTo(held, last.seq);
    } else await this.#look(held);
  }

  #moveTo(held: Held, watermark: number): void {
    this.#held = { ...held, watermark };
    this.#options.use((file) => {
      if (file.identity().outboxId === held.outboxId) file.setShipped(watermark);
    });
  }

  /** Asks to be the one who ships; null when the outbox had to be left to somebody else, and a new one begun. */
  async #claim(): Promise<Held | null> {
    const { use } = this.#options;
    const identity = use((file) => {
      file.renewHolder();
      return { ...file.identity() };
    });
    if (!identity) return null;
    const { outboxId, holder, nextHolder, shippedSeq, nextSeq, claimFrom } = identity;
    const lastSeq = claimFrom ?? nextSeq - 1;
    const { workerId, node } = this.#target;
    const claim = { outboxId, workerId, node, holder, nextHolder, shippedSeq, lastSeq };
    const watermark = await claimOutbox(this.#database, claim);
    if (watermark === null) {
      const other = await readOutbox(this.#database, outboxId);
      this.#leave(outboxId, Math.min(other?.watermark ?? shippedSeq, lastSeq));
      return null;
    }
    use((file) => {
      if (file.identity().outboxId === outboxId) file.confirmClaim(watermark);
    });
    this.#held = { outboxId, holder: nextHolder, watermark };
    return this.#held;
  }

  /** Finds out what has become of an outbox that did not move, or whose move was not answered. */
  async #look(held: Held): Promise<void> {
    const now = await readOutbox(this.#database, held.outboxId);
    // Both also where a database fell back behind the connection (a standby that was late took over): its watermark is the truth.
    if (now?.holder === held.holder) this.#moveTo(held, now.watermark);
    else if (now) this.#leave(held.outboxId, Math.min(now.watermark, held.watermark));
    // The database does not know the outbox any more (it was made anew): it is told of it again.
    else this.#held = null;
  }

  #leave(outboxId: string, shippedSeq: number): void {
    this.#held = null;
    this.#options.use((file) => {
      if (file.identity().outboxId !== outboxId) return;
      file.renewOutbox(shippedSeq);
      const fields = { outboxId: file.identity().outboxId, formerOutboxId: outboxId, shippedSeq };
      this.#options.onTold(
        'warn',
        'The log cache is a copy or was rolled back, or the database lost its latest changes: the log of this node goes on under a new outbox. A few records around that time may be in the database twice.',
        fields,
      );
    });
  }

  async #failed(error: IsgError): Promise<number> {
    this.#failures += 1;
    this.#state = 'waiting';
    // Said to be held until the database is asked: what was not answered may have happened.
    this.#held = null;
    if (this.#told !== error.code) {
      this.#told = error.code;
      const words = `The log is not shipped to the database for now; it is kept on this node and shipped later. ${error.message}`;
      this.#options.onTold('warn', words, { code: error.code });
    }
    return backoffMs(this.#failures, RETRY, this.#options.random) + RETRY.baseMs / 2;
  }

  #report(): void {
    const identity = this.#options.use((file) => file.identity());
    if (!identity) return;
    const { outboxId, shippedSeq, nextSeq } = identity;
    this.#options.onStatus({ state: this.#state, outboxId, shippedSeq, lastSeq: nextSeq - 1, shipped: this.#shipped });
  }
}

function isRefused(thrown: unknown): boolean {
  const { sqlState } = coerceError(thrown).fields;
  return typeof sqlState === 'string' && RECORD_REFUSED.test(sqlState);
}
