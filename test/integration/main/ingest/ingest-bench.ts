import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createIntentStore } from '../../../../agent/db/queries/intent.ts';
import { enqueueJobs } from '../../../../agent/db/queries/job.ts';
import type { IconikApi, Storage } from '../../../../agent/iconik/api.ts';
import { createCreateOnce } from '../../../../agent/iconik/creation/intended-creation.ts';
import { createIconikApi, type IconikClient } from '../../../../agent/iconik/iconik-client.ts';
import { createIngestWork } from '../../../../agent/roles/main/ingest/ingester.ts';
import { createTranscoderProfiles } from '../../../../agent/roles/main/transcoders/transcoder-profiles.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { type Logger, silentLogger } from '../../../../agent/runtime/logger.ts';
import type { Database } from '../../../../agent/runtime/sql.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { createStandIn, type StandIn } from '../../../stand-in/stand-in.ts';
import type { Row } from '../../../stand-in/state/table.ts';
import { createTestDatabase } from '../../../support/postgres.ts';
import { takeOver, until } from '../scan/leading.ts';

/** Long enough for the stand-in to answer, short enough to wait for. */
const DEADLINE_MS = 400;
const SETTLE_MS = 200;

const rowOfIndex = z.object({
  path: z.string(),
  state: z.string(),
  asset_id: z.string().nullable(),
  iconik_file_id: z.string().nullable(),
  attempts: z.number(),
  error: z.unknown(),
});
const jobRow = z.object({
  kind: z.string(),
  dedupe_key: z.string(),
  profile: z.string(),
  payload: z.looseObject({ path: z.string() }),
});

export const md5Of = (content: string): string => createHash('md5').update(content).digest('hex');

/** An index in a database of its own, ingested into a stand-in of iconik. */
export class IngestBench {
  readonly database: Database;
  readonly standIn: StandIn;
  readonly api: IconikClient;
  readonly storage: Storage;
  /** The account's cloud storage for files. */
  readonly cloudId: string;
  private readonly end: () => Promise<void>;

  private constructor(parts: {
    database: Database;
    standIn: StandIn;
    api: IconikClient;
    storage: Storage;
    cloudId: string;
    end: () => Promise<void>;
  }) {
    this.database = parts.database;
    this.standIn = parts.standIn;
    this.api = parts.api;
    this.storage = parts.storage;
    this.cloudId = parts.cloudId;
    this.end = parts.end;
  }

  static async create(): Promise<IngestBench> {
    const created = await createTestDatabase();
    const { database } = created;
    const dataDir = await mkdtemp(join(tmpdir(), 'isg-ingest-'));
    const standIn = await createStandIn({ dataDir });
    const account = standIn.seed({
      storages: [{ name: 'NAS', mountPoint: '/nowhere' }],
      gateways: [{ name: 'one', roles: ['MAIN'] }],
    });
    const api = createIconikApi({
      baseUrl: standIn.url,
      appId: standIn.appId,
      authToken: standIn.authToken,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      requestsPerSecond: 10_000,
      callTimeoutMs: 5000,
    });
    const storage = await api.storages.get(account.storageIds[0] ?? '');
    const end = async () => {
      await api.close();
      await standIn.close();
      await created.drop();
      await rm(dataDir, { recursive: true, force: true });
    };
    return new IngestBench({ database, standIn, api, storage, cloudId: account.cloud.filesId, end });
  }

  close(): Promise<void> {
    return this.end();
  }

  /** Puts a file into the index as scan and checksum leave it. */
  async addHashed(path: string, content: string, storageId = this.storage.id): Promise<void> {
    const directory = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    await this.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, md5, xxh128)
       VALUES ($1, $2, $2, $3, $4, 1700000000000000000, '1', 'hashed', $5, $5)
       ON CONFLICT (storage_id, path_key) DO UPDATE SET size_bytes = excluded.size_bytes, md5 = excluded.md5,
         state = 'hashed', error = NULL, mtime_ns = storage_file.mtime_ns + 1`,
      [storageId, path, directory, content.length, md5Of(content)],
    );
  }

  /** Forgets all files and all that the stand-in made of them, so that one bench serves many tests. */
  async reset(): Promise<void> {
    for (const table of ['storage_file', 'intent', 'intent_stray', 'job']) {
      await this.database.execute(`DELETE FROM ${table}`, []);
    }
    const { assets, formats, fileSets, files, history, collections } = this.standIn.records;
    for (const table of [assets, formats, fileSets, files, history, collections]) {
      for (const row of table.all()) table.remove(row.id);
    }
    for (const name of Object.keys(this.storage.settings))
      delete (this.storage.settings as Record<string, unknown>)[name];
  }

  /** The file is gone: what a scan makes of its row after proof. */
  async markMissing(path: string): Promise<void> {
    await this.database.execute("UPDATE storage_file SET state = 'missing' WHERE path_key = $1", [path]);
  }

  createOnce(database: Database) {
    const intents = createIntentStore(database);
    return createCreateOnce({
      intents,
      clock: systemClock,
      settleMs: SETTLE_MS,
      deadlineMs: DEADLINE_MS,
      log: silentLogger,
    });
  }

  /**
   * Ingests under a new term until no row is left to do, or until `stopWhen` resolves: then the process is as good as dead
   * (the next term begins at once, whatever the old one still has in hand).
   */
  async run(
    over: {
      api?: IconikApi;
      database?: Database;
      stopWhen?: Promise<void>;
      storages?: Storage[];
      access?: StorageAccess;
      log?: Logger;
      /** Ends the run; default: no row is left to do. */
      isEnough?: () => Promise<boolean>;
    } = {},
  ): Promise<void> {
    const leadership = await takeOver(this.database);
    const database = over.database ?? this.database;
    const work = createIngestWork({
      database,
      api: over.api ?? this.api,
      createOnce: this.createOnce(database),
      enqueueJobs,
      transcoders: createTranscoderProfiles({
        iconik: over.api ?? this.api,
        clock: systemClock,
        log: silentLogger,
      }),
      clock: systemClock,
      log: over.log ?? silentLogger,
      storages: () =>
        (over.storages ?? [this.storage]).map((storage) => ({ storage, ...(over.access && { access: over.access }) })),
      random: () => 0.05,
    });
    let isDead = false;
    const died = over.stopWhen?.then(() => {
      isDead = true;
    });
    const running = work.run(leadership);
    const idle = until('all files were ingested', async () => isDead || (await (over.isEnough?.() ?? this.isIdle())));
    await Promise.race(died === undefined ? [idle] : [idle, died]);
    if (isDead) {
      // What hangs for ever in a dead process must not hang the test.
      void running.catch(() => undefined);
      await takeOver(this.database);
      leadership.end();
      return;
    }
    leadership.end();
    await running;
  }

  private async isIdle(): Promise<boolean> {
    const open = await this.database.execute("SELECT 1 FROM storage_file WHERE state IN ('hashed', 'ingesting')", []);
    return open === 0;
  }

  rows(): Promise<z.infer<typeof rowOfIndex>[]> {
    return this.database.query(
      'SELECT path, state, asset_id, iconik_file_id, attempts, error FROM storage_file ORDER BY path_key',
      [],
      rowOfIndex,
    );
  }

  async jobs(): Promise<{ kind: string; key: string; profile: string; path: string }[]> {
    const rows = await this.database.query(
      'SELECT kind, dedupe_key, profile, payload FROM job ORDER BY job_id',
      [],
      jobRow,
    );
    return rows.map((row) => ({ kind: row.kind, key: row.dedupe_key, profile: row.profile, path: row.payload.path }));
  }

  /** Id of the storage's transcoder of this type. */
  transcoderId(type: string): string {
    return this.standIn.records.transcoders.where({ storage_id: this.storage.id, type })[0]?.id ?? 'none';
  }

  /** Records of the stand-in, as `kind: what it is called`. */
  records(): { assets: string[]; formats: number; fileSets: string[]; files: string[] } {
    const { assets, formats, fileSets, files } = this.standIn.records;
    const pathOf = (row: Row) => [row.directory_path, row.name].filter((part) => part !== '').join('/');
    return {
      assets: assets
        .all()
        .map((row) => String(row.title))
        .sort(),
      formats: formats.all().length,
      fileSets: fileSets
        .all()
        .map((row) => String(row.name))
        .sort(),
      files: files
        .all()
        .map((row) => `${pathOf(row)} ${String(row.status)} ${String(row.checksum)}`)
        .sort(),
    };
  }

  expectNoViolation(): void {
    const { violations } = this.standIn.state();
    if (violations.length > 0) throw new Error(`the published API was broken: ${JSON.stringify(violations, null, 1)}`);
  }
}
