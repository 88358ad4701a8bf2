import type { ServedStorage } from '../../../cluster/served-storages.ts';
import { knownDirectories, nextQuiet } from '../../../db/queries/scan-hint.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import { compileSelection, type WalkSelection } from '../../../storage/ignore-patterns.ts';
import { directoryOf, pathKey } from '../../../storage/storage-path.ts';
import { settleAbsence } from './absence.ts';
import { isInScan, LookAgenda, MAX_LOOK, planRequest, type ScanRequest } from './hint-plan.ts';
import { HintWatch } from './hint-watch.ts';
import { type LookAt, type PassContext, type PassResult, runScanPass } from './scan-pass.ts';
import { growingThresholdS, rootsOf } from './scan-settings.ts';
import { createWake } from './wake.ts';

/** Hints of this span are one look: who writes a file touches its directory many times. */
const DEBOUNCE_MS = 300;
/** Looks may take a fifth of the time, however busy the storage is. */
const PAUSE_PER_LOOK = 4;
/** A look that could not be made is tried again after this. */
const AGAIN_MS = 5_000;
/** A quiet time ends by the database's clock; a look at the very instant could be too early. */
const AFTER_QUIET_MS = 30;
/** Files that stay not ready although their time is over (a folder that cannot be read) are looked at ever more rarely. */
const LEAST_OVERDUE_MS = 1_000;
const MOST_OVERDUE_MS = 60_000;
/** A pause is cut into these, so that the list is looked at again whatever a clock does. */
const MAX_PAUSE_MS = 60_000;

/** What looks between passes work with. */
export interface HintScanDeps {
  database: Database;
  leadership: Leadership;
  clock: Clock;
  log: Logger;
  storageId: string;
  /** Undefined once the storage is not scanned any more. */
  served(): ServedStorage | undefined;
  isHealthy(): boolean;
  /** The context of a pass over a part of the storage, once its root has proven to be the right one; null in doubt. */
  open(served: ServedStorage, look: LookAt): Promise<{ context: PassContext; confirmRoot: () => Promise<void> } | null>;
  /** Makes the next whole pass begin now. */
  requestPass(): void;
  /** Orders what follows from the index. */
  followUp(): Promise<void>;
}

/** Looks at single directories of one storage between passes: on hints, when a quiet time ends, and on demand. */
export class HintScan {
  readonly #deps: HintScanDeps;
  readonly #agenda = new LookAgenda();
  readonly #wake: ReturnType<typeof createWake>;
  readonly #watch: HintWatch;
  #deep: string[] = [];
  /** What is being looked at now, with all below. */
  #active: readonly string[] = [];
  #passAtMs = Number.POSITIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  #changed = 0;

  constructor(deps: HintScanDeps) {
    this.#deps = deps;
    this.#wake = createWake(deps.clock);
    this.#watch = new HintWatch({
      ...deps,
      onHint: (directories) => this.#lookSoon(directories),
      // What happened between the listing of a directory and its watch, nobody has told.
      onWatching: () => deps.requestPass(),
    });
  }

  /** Takes what is asked for by hand. Answers false when that is a matter for a whole pass. */
  request(request: ScanRequest): boolean {
    const served = this.#deps.served();
    if (!served) return false;
    const { isWhole, deep, shallow, outside } = planRequest(request, rootsOf(served));
    if (outside.length > 0) {
      this.#deps.log.warn('a scan was asked for outside of the scan directories; that part is left out', { outside });
    }
    if (isWhole) return false;
    const isNew = (path: string) =>
      !this.#deep.includes(path) && !(request.ignoreAlreadyActive && this.#active.includes(path));
    this.#deep.push(...deep.filter(isNew));
    this.#agenda.add(shallow, this.#deps.clock.monotonicMs());
    this.#wake.now();
    return true;
  }

  /** Learns from a pass over the whole storage; the first one begins the watching. */
  async passEnded(result: Pick<PassResult, 'touched'>): Promise<void> {
    await this.#watch.noteActive(result.touched);
    await this.#watch.begin();
    await this.#planQuiet();
    this.#wake.now();
  }

  /** Looks until the signal fires. Rejects only when the leadership is lost. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = this.#watch.run(signal);
    try {
      while (!signal.aborted) {
        await this.#wake.wait(this.#pauseMs(), signal);
        if (!signal.aborted) await this.#tryRound();
      }
    } finally {
      await watching;
    }
  }

  #pauseMs(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    const dueMs = this.#deep.length > 0 ? nowMs : Math.min(this.#agenda.nextMs(), this.#passAtMs);
    return Math.min(MAX_PAUSE_MS, Math.max(1, Math.max(dueMs, this.#notBeforeMs) - nowMs));
  }

  #lookSoon(directories: readonly string[]): void {
    this.#agenda.add(directories, this.#deps.clock.monotonicMs() + DEBOUNCE_MS);
    this.#wake.now();
  }

  async #tryRound(): Promise<void> {
    const { clock, log, leadership } = this.#deps;
    const startedMs = clock.monotonicMs();
    if (startedMs < this.#notBeforeMs) return;
    if (this.#passAtMs <= startedMs) this.#leaveToPass();
    const deep = this.#deep.shift();
    const shallow = this.#agenda.take(startedMs);
    if (deep === undefined && shallow.length === 0) return;
    try {
      if (shallow.length > MAX_LOOK) this.#leaveToPass();
      else if (shallow.length > 0) await this.#look({ directories: shallow, isDeep: false });
      if (deep !== undefined) await this.#look({ directories: [deep], isDeep: true });
      await this.#planQuiet();
      await this.#deps.followUp();
    } catch (thrown) {
      const error = coerceError(thrown);
      if (leadership.signal.aborted || error.code === 'leadership-lost') throw error;
      // The next pass finds the same, and says what is wrong with the storage.
      log.debug('a look between scans failed', { error });
      this.#agenda.add(shallow, clock.monotonicMs() + AGAIN_MS);
    }
    const nowMs = clock.monotonicMs();
    this.#notBeforeMs = nowMs + Math.max(DEBOUNCE_MS, PAUSE_PER_LOOK * (nowMs - startedMs));
  }

  #leaveToPass(): void {
    this.#passAtMs = Number.POSITIVE_INFINITY;
    this.#agenda.clear();
    this.#deps.requestPass();
  }

  /** Files that looks found new or changed since the last call; the scan's sentence tells of them. */
  takeChanged(): number {
    const changed = this.#changed;
    this.#changed = 0;
    return changed;
  }

  async #look(look: LookAt): Promise<void> {
    const { clock } = this.#deps;
    const served = this.#deps.served();
    if (!served) return;
    const directories = lookedAt(served, look.directories);
    if (directories.length === 0) return;
    const opened = this.#deps.isHealthy() ? await this.#deps.open(served, { ...look, directories }) : null;
    if (!opened) {
      this.#agenda.add(directories, clock.monotonicMs() + AGAIN_MS);
      return;
    }
    const { context, confirmRoot } = opened;
    this.#active = look.isDeep ? directories : [];
    try {
      const result = await runScanPass(context);
      await settleAbsence(context, result, confirmRoot, look.isDeep ? undefined : []);
      await this.#settleUnlisted(opened, directories, result);
      const found = look.isDeep ? [] : await this.#newDirectories(result.named);
      const below =
        found.length > 0 ? await runScanPass({ ...context, look: { directories: found, isDeep: true } }) : null;
      this.#changed += result.changed + (below?.changed ?? 0);
      await this.#watch.noteActive([...result.touched, ...found, ...(below?.listed ?? [])]);
    } finally {
      this.#active = [];
    }
  }

  /** Those that could not be listed may be gone: their parents tell. */
  async #settleUnlisted(
    { context, confirmRoot }: { context: PassContext; confirmRoot: () => Promise<void> },
    directories: readonly string[],
    result: PassResult,
  ): Promise<void> {
    const served = this.#deps.served();
    const unlisted = directories.filter((path) => path !== '' && result.known.get(pathKey(path)) === 'unreadable');
    if (!served || unlisted.length === 0) return;
    const parents = lookedAt(served, [...new Set(unlisted.map(directoryOf))]);
    if (parents.length === 0) return;
    const above = await runScanPass({ ...context, look: { directories: parents, isDeep: false } });
    await settleAbsence(context, above, confirmRoot, unlisted.map(pathKey));
    this.#watch.forget(unlisted);
  }

  async #newDirectories(named: readonly string[]): Promise<string[]> {
    if (named.length === 0) return [];
    const keys = named.map(pathKey);
    const known = new Set(await knownDirectories(this.#deps.database, this.#deps.storageId, keys));
    return named.filter((path) => !known.has(pathKey(path)));
  }

  /** Puts what waits to be quiet on the list, each for the instant at which it is; when too much waits, a whole pass. */
  async #planQuiet(): Promise<void> {
    const { database, storageId, clock } = this.#deps;
    const served = this.#deps.served();
    if (!served) return;
    const waiting = await nextQuiet(database, storageId, growingThresholdS(served.storage), MAX_LOOK + 1);
    const nowMs = clock.monotonicMs();
    const last = waiting[MAX_LOOK];
    this.#passAtMs = last ? nowMs + afterMs(last.dueMs) : Number.POSITIVE_INFINITY;
    if (last) return;
    for (const { directory, dueMs } of waiting) this.#agenda.add([directory], nowMs + afterMs(dueMs));
  }
}

/** How long to wait for a quiet time that ends in `dueMs`; one that is over and did not help is waited for ever longer. */
function afterMs(dueMs: number): number {
  if (dueMs >= 0) return dueMs + AFTER_QUIET_MS;
  return Math.min(MOST_OVERDUE_MS, Math.max(LEAST_OVERDUE_MS, -dueMs / 2));
}

/** What a storage's scan leaves out. */
function selectionOf({ storage }: ServedStorage): WalkSelection {
  const { scan_ignore: ignore = [], scan_include: include = [] } = storage.settings;
  return compileSelection({ ignore, include }, { ignoreCase: process.platform === 'win32' }).selection;
}

/** Those of some directories that a pass would look at. */
function lookedAt(served: ServedStorage, directories: readonly string[]): string[] {
  const roots = rootsOf(served);
  const selection = selectionOf(served);
  const isLeftOut = (path: string) => {
    for (let at = path; at !== ''; at = directoryOf(at)) if (selection.skipsDirectory(at)) return true;
    return false;
  };
  return directories.filter((path) => isInScan(path, roots) && !isLeftOut(path));
}
