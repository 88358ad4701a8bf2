import type { ServedStorage } from '../../../cluster/served-storages.ts';
import { hasPresentFiles } from '../../../db/queries/storage-file.ts';
import {
  hasPlacedMarker,
  recordMarkerPlaced,
  recordScan,
  recordScanProblem,
  recordScanProgress,
} from '../../../db/queries/storage-root.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership, LeaderWork } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError, IsgError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import { filePriority } from '../priority-plan.ts';
import { settleAbsence } from './absence.ts';
import type { EnqueueJobs } from './checksum-orders.ts';
import { orderChecksums, settleStuckChecksums } from './checksum-orders.ts';
import { createExclusive } from './exclusive.ts';
import type { ScanRequest } from './hint-plan.ts';
import { HintScan } from './hint-scan.ts';
import { reportMissing } from './missing-report.ts';
import { badPatterns } from './pattern-report.ts';
import type { RootMemory } from './root-verdict.ts';
import { judgeRoot } from './root-verdict.ts';
import { type LookAt, type PassContext, type PassResult, runScanPass } from './scan-pass.ts';
import { isScanned, scanIntervalMs } from './scan-settings.ts';
import { createWake, type Wake } from './wake.ts';

/** A root that does not answer within this is not scanned; the health check says why. */
const PROBE_TIMEOUT_MS = 10_000;
/** How often the list of storages is looked at. */
const SUPERVISE_MS = 1000;
/** How often rows are looked for that wait for a checksum in vain: it reads all rows in `hashing`. */
const STUCK_CHECK_MS = 60_000;
/** How often it is written how far a pass is; one that is over sooner says nothing. */
const PROGRESS_EVERY_MS = 2000;

/** What scanning needs. */
export interface ScanDependencies {
  database: Database;
  api: { storages: Pick<IconikApi['storages'], 'patchFileAt'> };
  clock: Clock;
  log: Logger;
  /** The storages as last read from iconik; asked before each pass, so that changed settings apply to the next one. */
  storages(): readonly ServedStorage[];
  /** What the health monitor says now; an unhealthy storage is not scanned and nothing of it goes missing. */
  isStorageHealthy(storageId: string): boolean;
  /** `scanner_concurrency_value` as it applies now. */
  scannerConcurrency(): number;
  enqueueJobs: EnqueueJobs;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** The scan as leader work, and its doorbell. */
export interface ScanWork extends LeaderWork {
  /**
   * Looks at a storage now, or at the part of it that is named. What is asked for while nothing leads here makes the first
   * pass of the next leadership begin at once, as it does anyway.
   */
  requestScan(storageId: string, request?: ScanRequest): void;
}

/** Scans of one storage under one leadership. */
class StorageScan {
  private readonly deps: ScanDependencies;
  private readonly leadership: Leadership;
  private readonly storageId: string;
  private readonly log: Logger;
  private lastStuckCheckMs = Number.NEGATIVE_INFINITY;
  private lastProblem: string | null = null;
  private readonly exclusive = createExclusive();
  private readonly saidPatterns = new Set<string>();
  private readonly wake: Wake;
  readonly hints: HintScan;

  constructor(deps: ScanDependencies, leadership: Leadership, { storageId, wake }: { storageId: string; wake: Wake }) {
    this.deps = deps;
    this.leadership = leadership;
    this.storageId = storageId;
    this.log = deps.log.child({ storageId, term: leadership.term });
    this.wake = wake;
    this.hints = new HintScan({
      ...deps,
      leadership,
      log: this.log,
      storageId,
      served: () => this.served(),
      isHealthy: () => deps.isStorageHealthy(storageId),
      open: (served, look) => this.openLook(served, look),
      requestPass: () => wake.now(),
      followUp: () => this.followUp(),
    });
  }

  /** Passes, and looks between them, until the leadership ends or the storage is not scanned any more. */
  async run(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.leadership.signal, over.signal]);
    const parts = [this.passes(signal), this.hints.run(signal)].map((part) => part.finally(() => over.abort()));
    const ends = await Promise.allSettled(parts);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  private async passes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const served = this.served();
      if (served === undefined) return;
      await this.tryPass(served);
      await this.wake.wait(scanIntervalMs(served.storage), signal);
    }
  }

  private context(served: ServedStorage): PassContext {
    return {
      database: this.deps.database,
      leadership: this.leadership,
      storage: served.storage,
      access: served.access,
      walkers: this.deps.scannerConcurrency(),
      exclusive: this.exclusive,
    };
  }

  private async openLook(served: ServedStorage, look: LookAt) {
    const memory = await this.openRoot(served);
    if (memory === null) return null;
    return { context: { ...this.context(served), look }, confirmRoot: () => this.confirmRoot(served, memory) };
  }

  private served(): ServedStorage | undefined {
    return this.deps.storages().find((served) => served.storage.id === this.storageId && isScanned(served));
  }

  private async tryPass(served: ServedStorage): Promise<void> {
    const isHealthy = this.deps.isStorageHealthy(this.storageId);
    for (const step of isHealthy ? [() => this.pass(served), () => this.followUp()] : [() => this.followUp()]) {
      try {
        await step();
      } catch (thrown) {
        const error = coerceError(thrown);
        if (this.leadership.signal.aborted || error.code === 'leadership-lost') throw error;
        await this.reportProblem(error.message);
      }
    }
  }

  private async pass(served: ServedStorage): Promise<void> {
    const { clock } = this.deps;
    const startedMs = clock.monotonicMs();
    this.reportPatterns(served);
    const memory = await this.openRoot(served);
    if (memory === null) return;
    const progress = this.progressSince(startedMs);
    const context = { ...this.context(served), onProgress: progress.take };
    const result = await runScanPass(context).finally(progress.settled);
    const missing = await settleAbsence(context, result, () => this.confirmRoot(served, memory));
    await this.recordPass(result, missing, (clock.monotonicMs() - startedMs) / 1000);
    await this.hints.passEnded(result);
  }

  /** Writes now and then how far a pass is, one write at a time; nobody waits for it, and a failure means nothing. */
  private progressSince(startedMs: number) {
    const { database, clock } = this.deps;
    let toldMs = startedMs;
    let writing: Promise<unknown> = Promise.resolve();
    return {
      take: (files: number) => {
        if (clock.monotonicMs() - toldMs < PROGRESS_EVERY_MS || this.leadership.signal.aborted) return;
        toldMs = clock.monotonicMs();
        writing = writing
          .then(() => recordScanProgress(database, this.leadership, this.storageId, files))
          // Whoever writes rows learns of the same trouble.
          .catch(() => undefined);
      },
      settled: () => writing.then(() => undefined),
    };
  }

  /** Each pattern that does not compile is said once, with the setting that holds it. */
  private reportPatterns({ storage }: ServedStorage): void {
    const bad = badPatterns(storage.settings);
    for (const { setting, pattern, reason } of bad) {
      const said = `${setting} ${pattern}`;
      if (this.saidPatterns.has(said)) continue;
      this.saidPatterns.add(said);
      const words = `The pattern ${JSON.stringify(pattern)} in ${setting} does not compile and is left out (${reason}). Correct it in the settings of the storage.`;
      this.log.warn(words, { setting, pattern, badPatterns: bad.length });
    }
  }

  /** Makes sure that the root is the storage's own, and marked; null when there is doubt (which is then recorded). */
  private async openRoot({ storage, access }: ServedStorage): Promise<RootMemory | null> {
    const { database } = this.deps;
    const memory: RootMemory = {
      placedMarker: await hasPlacedMarker(database, storage.id),
      hasPresentFiles: await hasPresentFiles(database, storage.id),
    };
    const probe = await access.probe({ testWrite: false, timeoutMs: PROBE_TIMEOUT_MS });
    const verdict = judgeRoot(probe, memory);
    if (verdict.kind === 'doubtful') {
      await this.reportProblem(verdict.problem);
      return null;
    }
    if (memory.placedMarker || probe.kind === 'unreachable') return memory;
    // An empty root gets no marker: it may be a mount point without its mount. The marker comes before its record: after a
    // crash between the two the next pass finds it and records it, while the other order would doubt a good root for ever.
    const mayPlace = storage.settings.write === true && !probe.empty;
    if (probe.marker === 'right' || (mayPlace && (await this.tryPlaceMarker(access)))) {
      await recordMarkerPlaced(database, this.leadership, storage.id);
      memory.placedMarker = true;
    }
    return memory;
  }

  private async tryPlaceMarker(access: ServedStorage['access']): Promise<boolean> {
    try {
      this.leadership.assertTrusted();
      await access.placeMarker();
      return true;
    } catch (thrown) {
      const error = coerceError(thrown);
      if (this.leadership.signal.aborted || error.code === 'leadership-lost') throw error;
      this.log.warn(
        'the identity marker could not be written; an unmounted share is recognised only by an empty root',
        {
          error,
        },
      );
      return false;
    }
  }

  private async confirmRoot({ access }: ServedStorage, memory: RootMemory): Promise<void> {
    const probe = await access.probe({ testWrite: false, timeoutMs: PROBE_TIMEOUT_MS });
    const verdict = judgeRoot(probe, memory);
    const isHealthy = this.deps.isStorageHealthy(this.storageId);
    if (verdict.kind === 'genuine' && isHealthy) return;
    const why = verdict.kind === 'doubtful' ? verdict.problem : 'The storage became unhealthy during the scan.';
    throw new IsgError('storage-unavailable', why, { retry: 'transient', fields: { storageId: this.storageId } });
  }

  private async recordPass(result: PassResult, missing: number, seconds: number): Promise<void> {
    const { summary } = result;
    await recordScan(this.deps.database, this.leadership, this.storageId, {
      files: summary.files,
      folders: summary.directories,
      skipped: summary.skipped + result.skipped,
      seconds,
      problem: result.unreadable,
    });
    if (result.unreadable !== null && result.unreadable !== this.lastProblem) this.log.warn(result.unreadable);
    this.lastProblem = result.unreadable;
    const { files } = summary;
    const between = this.hints.takeChanged();
    // A pass with nothing new is no news.
    const level = result.changed + between + missing > 0 ? 'info' : 'debug';
    const rounded = Math.round(seconds * 1000) / 1000;
    const words = `Storage scanned: ${files} files, ${result.changed} new or changed, ${between} more between scans, ${missing} missing, in ${rounded} s.`;
    this.log[level](words, { files, changed: result.changed, between, missing, seconds: rounded });
  }

  /** What follows from the index, whether or not a pass was possible. */
  private async followUp(): Promise<void> {
    const { database, api, clock, enqueueJobs, random } = this.deps;
    const { leadership, storageId, log } = this;
    const settings = this.served()?.storage.settings ?? {};
    const priorityOf = (path: string) => filePriority(path, settings);
    const orders = { database, leadership, storageId, enqueueJobs, priorityOf };
    if (clock.monotonicMs() - this.lastStuckCheckMs >= STUCK_CHECK_MS) {
      const freed = await settleStuckChecksums(orders);
      if (freed > 0) log.warn('files waited for checksum jobs that had ended', { freed });
      this.lastStuckCheckMs = clock.monotonicMs();
    }
    await this.exclusive(() => orderChecksums(orders));
    const served = this.served();
    if (!served) return;
    const isRootRight = async () => this.deps.isStorageHealthy(storageId) && (await this.openRoot(served)) !== null;
    await reportMissing({ database, api, leadership, storageId, access: served.access, isRootRight, log, random });
  }

  private async reportProblem(problem: string): Promise<void> {
    if (problem === this.lastProblem) return;
    this.lastProblem = problem;
    this.log.warn(problem);
    try {
      await recordScanProblem(this.deps.database, this.leadership, this.storageId, problem);
    } catch (thrown) {
      const error = coerceError(thrown);
      if (error.code === 'leadership-lost') throw error;
      // The database is away as well; the health check says so. The next pass tries again.
      this.lastProblem = null;
    }
  }
}

/** Runs one scan per storage until the leadership ends; a storage that is added joins within a second. */
async function superviseScans(
  deps: ScanDependencies,
  leadership: Leadership,
  { wakeOf, hintsOf }: { wakeOf: (storageId: string) => Wake; hintsOf: Map<string, HintScan> },
): Promise<void> {
  const running = new Map<string, Promise<void>>();
  const pause = createWake(deps.clock);
  while (!leadership.signal.aborted) {
    for (const served of deps.storages().filter(isScanned)) {
      const { id } = served.storage;
      if (running.has(id)) continue;
      const storageScan = new StorageScan(deps, leadership, { storageId: id, wake: wakeOf(id) });
      hintsOf.set(id, storageScan.hints);
      const scan = storageScan
        .run()
        .catch((thrown: unknown) => {
          const error = coerceError(thrown);
          // With the leadership its scans end, as they should; an error of that moment is no news.
          const level = leadership.signal.aborted || error.code === 'leadership-lost' ? 'debug' : 'warn';
          const fields = { storageId: id, term: leadership.term, error };
          deps.log[level]('The scan of a storage failed; it begins again.', fields);
        })
        .finally(() => {
          running.delete(id);
          if (hintsOf.get(id) === storageScan.hints) hintsOf.delete(id);
        });
      running.set(id, scan);
    }
    await pause.wait(SUPERVISE_MS, leadership.signal);
  }
  await Promise.all(running.values());
}

/**
 * Scanning as leader work (design 7): each storage with `scan` and `read` is walked every `scan_interval_seconds`, the index
 * follows, quiet files are ordered to be hashed, missing ones are told to iconik. Every write is fenced; a pass that
 * fails is reported in `storage_root.problem` and repeated. Resolves once all walks have ended after the leadership did.
 */
export function createScanWork(deps: ScanDependencies): ScanWork {
  const wakes = new Map<string, Wake>();
  const hintsOf = new Map<string, HintScan>();
  const wakeOf = (storageId: string): Wake => {
    const wake = wakes.get(storageId) ?? createWake(deps.clock);
    wakes.set(storageId, wake);
    return wake;
  };
  return {
    name: 'scan',
    run: (leadership) => superviseScans(deps, leadership, { wakeOf, hintsOf }),
    requestScan: (storageId, request) => {
      const isTaken = request !== undefined && hintsOf.get(storageId)?.request(request) === true;
      if (!isTaken) wakeOf(storageId).now();
    },
  };
}
