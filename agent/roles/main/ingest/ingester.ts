import type { ServedStorage } from '../../../cluster/served-storages.ts';
import type { IngestRow } from '../../../db/queries/ingest.ts';
import { dueFiles, failIngest, postponeIngest } from '../../../db/queries/ingest.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { CreateOnce } from '../../../iconik/creation/create-once.ts';
import type { Leadership, LeaderWork } from '../../../leader/leadership.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { ErrorRecord, IsgError } from '../../../runtime/errors.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import type { EnqueueJobs } from '../scan/checksum-orders.ts';
import type { Wake } from '../scan/wake.ts';
import { createWake } from '../scan/wake.ts';
import type { TranscoderProfiles } from '../transcoders/transcoder-profiles.ts';
import type { IngestContext, KnownCollections } from './ingest-context.ts';
import { MAX_INGEST_ATTEMPTS, planIngestFailure } from './ingest-failure-plan.ts';
import { forgetDeletedAsset, ingestFile } from './ingest-steps.ts';
import { IngestTally } from './ingest-tally.ts';

/** Files ingested at once: each waits for iconik most of the time. */
const LANES = 8;
/** Rows fetched at once. */
const FETCH = 64;
/** How often rows are looked for when nothing is due. */
const POLL_MS = 500;
/** Warnings remembered as said; beyond it some are said again. */
const MOST_SAID = 10_000;
/** How long a row is left alone when not even its failure could be stored. */
const UNRECORDED_PAUSE_MS = 2000;

/** What ingest needs. */
export interface IngestDependencies {
  database: Database;
  api: IconikApi;
  createOnce: CreateOnce;
  enqueueJobs: EnqueueJobs;
  transcoders: TranscoderProfiles;
  clock: Clock;
  log: Logger;
  /** The storages as last read from iconik; files of others wait. */
  storages(): readonly (Pick<ServedStorage, 'storage'> & Partial<Pick<ServedStorage, 'access'>>)[];
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Ingest under one leadership. */
class Ingester {
  private readonly deps: IngestDependencies;
  private readonly leadership: Leadership;
  private readonly wake: Wake;
  private readonly lanes = new Map<string, Promise<void>>();
  /** Contents being ingested: two files of one content must not race for their asset. */
  private readonly contents = new Set<string>();
  private readonly collections: KnownCollections = new Map();
  private readonly said = new Set<string>();
  private readonly tally = new IngestTally();

  constructor(deps: IngestDependencies, leadership: Leadership) {
    this.deps = deps;
    this.leadership = leadership;
    this.wake = createWake(deps.clock);
  }

  async run(): Promise<void> {
    const { signal } = this.leadership;
    while (!signal.aborted) {
      const started = await this.fillLanes().catch((thrown: unknown) => {
        this.deps.log.warn('files to be ingested could not be read; trying again', { error: coerceError(thrown) });
        return 0;
      });
      this.say();
      // A lane that ends rings; while lanes are free and nothing is due, the poll decides.
      if (started === 0 || this.lanes.size >= LANES) await this.wake.wait(POLL_MS, signal);
    }
    await Promise.all(this.lanes.values());
    this.say(true);
  }

  private say(isEnd = false): void {
    const { term } = this.leadership;
    for (const { level, message, fields } of this.tally.due(this.deps.clock.monotonicMs(), isEnd))
      this.deps.log[level](message, { ...fields, term });
  }

  private async fillLanes(): Promise<number> {
    const free = LANES - this.lanes.size;
    const storages = new Map(this.deps.storages().map((served) => [served.storage.id, served]));
    if (free <= 0 || storages.size === 0) return 0;
    const rows = await dueFiles(this.deps.database, [...storages.keys()], {
      exceptContents: [...this.contents],
      limit: FETCH,
    });
    let started = 0;
    for (const row of rows) {
      const served = storages.get(row.storageId);
      const key = `${row.storageId}\0${row.pathKey}`;
      if (started >= free || served === undefined || this.lanes.has(key) || this.contents.has(row.md5)) continue;
      const { database, api, createOnce, enqueueJobs, transcoders, log } = this.deps;
      const { leadership, collections } = this;
      const sayOnce: IngestContext['sayOnce'] = (...words) => this.sayOnce(...words);
      const { storage, access = null } = served;
      this.contents.add(row.md5);
      const lane = this.ingestOne(
        {
          database,
          api,
          createOnce,
          enqueueJobs,
          transcoders,
          leadership,
          storage,
          access,
          log,
          collections,
          sayOnce,
        },
        row,
      );
      this.lanes.set(
        key,
        lane.finally(() => this.endLane(key, row.md5)),
      );
      started += 1;
    }
    return started;
  }

  private sayOnce(key: string, message: string, fields: Record<string, unknown>): void {
    if (this.said.has(key)) return;
    if (this.said.size >= MOST_SAID) this.said.clear();
    this.said.add(key);
    this.deps.log.warn(message, fields);
  }

  private endLane(key: string, md5: string): void {
    this.lanes.delete(key);
    this.contents.delete(md5);
    this.wake.now();
  }

  private async ingestOne(context: IngestContext, row: IngestRow): Promise<void> {
    let current = row;
    try {
      const end = await ingestFile(context, row, (progress) => {
        current = progress;
      });
      this.tally.ended(row.storageId, end, this.deps.clock.monotonicMs());
      this.deps.log.debug(`file ${end}`, { storageId: row.storageId, path: row.path, term: this.leadership.term });
    } catch (thrown) {
      await this.settleFailure(context, current, coerceError(thrown));
    }
  }

  private tellPostponed(row: IngestRow, error: ErrorRecord | null, fields: Record<string, unknown>): void {
    if (error === null) return;
    // A file that waits for its sidecar says so once, however long it waits, and however many others do.
    if (error.code !== 'sidecar-awaited') {
      // While iconik is away every file fails for the same reason: one is named, the others are counted.
      const isFirst = this.tally.failed(row.storageId, error.code, this.deps.clock.monotonicMs());
      this.deps.log[isFirst ? 'warn' : 'debug']('A file could not be ingested yet; it is tried again.', fields);
    } else if (row.attempts < MAX_INGEST_ATTEMPTS - 1)
      this.sayOnce(`${row.storageId} ${row.path} ${error.message}`, error.message, fields);
  }

  /** Stores what became of a failed row; never throws. */
  private async settleFailure(context: IngestContext, row: IngestRow, error: IsgError): Promise<void> {
    const { leadership } = this;
    // What a dying leader saw says nothing of the file; its successor goes on from the row.
    if (leadership.signal.aborted || error.code === 'leadership-lost') return;
    try {
      if (error.code === 'iconik-not-found' && (await forgetDeletedAsset(context, row))) return;
      const failure = planIngestFailure(error, row.attempts, this.deps.random);
      const { attempts } = failure;
      const fields = { storageId: row.storageId, path: row.path, attempts, error };
      if (failure.kind === 'faulty') {
        this.deps.log.error('a file could not be ingested and was set aside', fields);
        await failIngest(context.database, leadership, row, failure);
      } else {
        this.tellPostponed(row, failure.error, fields);
        await postponeIngest(context.database, leadership, row, failure);
      }
    } catch (thrown) {
      this.deps.log.warn('a failed ingest could not be recorded; the file is tried again', {
        error: coerceError(thrown),
      });
      await this.deps.clock.sleep(UNRECORDED_PAUSE_MS, leadership.signal).catch(() => undefined);
    }
  }
}

/**
 * Ingest as leader work (design 7): files whose digests are known become asset, format ORIGINAL, file set and closed file in
 * iconik, each created at most once whoever dies when; then the work that the storage asks for is ordered, once for an
 * asset. Resolves once all files in work have settled after the leadership ended.
 */
export function createIngestWork(deps: IngestDependencies): LeaderWork {
  return { name: 'ingest', run: (leadership) => new Ingester(deps, leadership).run() };
}
