import type { CheckResult } from '../../../contract/index.ts';
import { foldFileCounts, storageFigures } from '../../../db/queries/report.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership, LeaderWork } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { FailureLog } from '../queues/failure-log.ts';
import { createFailureLog } from '../queues/failure-log.ts';
import { runStorageLoops } from '../queues/storage-loops.ts';
import type { ReportingNode, StorageStatus } from './storage-report.ts';
import { reportBody, storageStatus } from './storage-report.ts';

/** What reporting needs. */
export interface ReportDeps {
  iconik: Pick<IconikApi, 'storages'>;
  database: Sql;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
  /** The storages of the cluster now, with the setting `scan`. */
  storages(): readonly { id: string; scans: boolean }[];
  /** Verdict of the health check of a storage; null when there is none yet. */
  storageHealth(storageId: string): CheckResult | null;
  node: ReportingNode;
  /** Whether nobody leads once this node does not: then the storages' gateway is STOPPED. */
  isLast(): boolean;
  /** The newest log lines about a storage or about no storage, oldest first. */
  linesAbout(storageId: string): { log: readonly string[]; error: readonly string[] };
  /** Shortest time between two reports, milliseconds; default 5000. */
  intervalMs?: number;
  /** Longest time without a report, milliseconds; default 30 000. */
  anywayMs?: number;
}

const INTERVAL_MS = 5000;
const ANYWAY_MS = 30_000;
/** How long the end of a leadership waits for the last word. */
const LAST_WORD_MS = 1500;
/** Counting a large index may take long: at most one part in twenty of the time goes into it. */
const COUNTING_SHARE = 20;

/** Makes the work that reports each storage's figures and standing to iconik. One bad storage delays no other. */
export function createReportWork(deps: ReportDeps): LeaderWork {
  const log = deps.log.child({ role: 'MAIN', work: 'report' });
  const intervalMs = deps.intervalMs ?? INTERVAL_MS;
  return {
    name: 'report',
    run(leadership) {
      const failures = createFailureLog(log);
      return runStorageLoops({
        leadership,
        clock: deps.clock,
        storageIds: () => deps.storages().map((storage) => storage.id),
        onCrash: (storageId, thrown) =>
          failures.failed(`loop ${storageId}`, 'The report loop of a storage broke', thrown),
        async loop(storageId, signal) {
          const reporter = new StorageReporter(deps, failures, storageId, leadership);
          while (!signal.aborted) {
            const countingMs = await reporter.round(signal);
            const waitMs = Math.max(intervalMs, countingMs * COUNTING_SHARE) * (0.9 + deps.random() / 5);
            await deps.clock.sleep(waitMs, signal).catch(() => undefined);
          }
          if (deps.isLast()) await reporter.sayStopped();
        },
      });
    },
  };
}

/** What was told last, and when. */
interface Told {
  text: string;
  atMs: number;
}

/** Reports one storage during one leadership. */
class StorageReporter {
  readonly #deps: ReportDeps;
  readonly #failures: FailureLog;
  readonly #storageId: string;
  readonly #leadership: Leadership;
  #report: Told | null = null;
  #status: Told | null = null;
  #lastScanned: string | undefined;

  constructor(deps: ReportDeps, failures: FailureLog, storageId: string, leadership: Leadership) {
    this.#deps = deps;
    this.#failures = failures;
    this.#storageId = storageId;
    this.#leadership = leadership;
  }

  /** Tells what has changed; answers how long the counting took, milliseconds. Never throws. */
  async round(signal: AbortSignal): Promise<number> {
    const { clock } = this.#deps;
    const beganMs = clock.monotonicMs();
    let countedMs = beganMs;
    await this.#quietly('figures', signal, async () => {
      const figures = await storageFigures(this.#deps.database, this.#storageId);
      countedMs = clock.monotonicMs();
      const health = this.#deps.storageHealth(this.#storageId);
      const body = reportBody(figures, this.#deps.node, { health, ...this.#deps.linesAbout(this.#storageId) });
      const scans = this.#deps.storages().find((storage) => storage.id === this.#storageId)?.scans ?? false;
      const status = storageStatus(figures, { health, scans });
      await this.#quietly('report', signal, () => this.#sendReport(body, signal));
      await this.#quietly('storage status', signal, () => this.#sendStatus(status, signal));
      await foldFileCounts(this.#deps.database, this.#storageId);
    });
    return countedMs - beganMs;
  }

  /**
   * Tells that the gateway of the storage works no more. The leadership is over; a word that comes late, after a next one
   * has begun, lasts until that one's report, 5 s later.
   */
  async sayStopped(): Promise<void> {
    const { iconik } = this.#deps;
    const signal = AbortSignal.timeout(LAST_WORD_MS);
    await Promise.allSettled([
      iconik.storages.putGatewayStatus(this.#storageId, 'STOPPED', { signal }),
      iconik.storages.patch(this.#storageId, { scanner_status: 'INACTIVE' }, { signal }),
    ]);
  }

  async #sendReport(body: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    // Log lines alone are no reason to report: they would make every report a changed one. Errors are.
    const { log_lines: _log, ...facts } = body;
    const text = JSON.stringify(facts);
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#report?.text === text && nowMs - this.#report.atMs < (this.#deps.anywayMs ?? ANYWAY_MS)) return;
    this.#leadership.assertTrusted();
    await this.#deps.iconik.storages.putReport(this.#storageId, body, { signal });
    this.#leadership.assertTrusted();
    await this.#deps.iconik.storages.putGatewayStatus(this.#storageId, String(body.status), { signal });
    this.#report = { text, atMs: nowMs };
  }

  async #sendStatus(status: StorageStatus, signal: AbortSignal): Promise<void> {
    const { last_scanned: lastScanned, ...standing } = status;
    const text = JSON.stringify(standing);
    const nowMs = this.#deps.clock.monotonicMs();
    const sameStanding = this.#status?.text === text;
    if (sameStanding && this.#lastScanned === lastScanned) return;
    // A storage scanned every few seconds would else cost one PATCH per scan.
    if (sameStanding && this.#status && nowMs - this.#status.atMs < (this.#deps.anywayMs ?? ANYWAY_MS)) return;
    this.#leadership.assertTrusted();
    await this.#deps.iconik.storages.patch(this.#storageId, { ...status }, { signal });
    this.#status = { text, atMs: nowMs };
    this.#lastScanned = lastScanned;
  }

  async #quietly(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (signal.aborted) return;
    const key = `${what} ${this.#storageId}`;
    try {
      await work();
      this.#failures.worked(key);
    } catch (thrown) {
      if (signal.aborted || coerceError(thrown).code === 'leadership-lost') return;
      this.#failures.failed(key, `The ${what} of storage ${this.#storageId} cannot be reported`, thrown);
    }
  }
}
