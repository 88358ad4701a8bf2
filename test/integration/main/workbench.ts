import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import type { Leadership, LeaderWork } from '../../../agent/leader/leadership.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { createLogger, type Logger, type LogRecord } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import { createTestDatabase } from '../../support/postgres.ts';

/** A leadership that the test ends by hand. */
export interface TestLeadership extends Leadership {
  end(): void;
}

/** What one file of the index looks like to a test; the rest is filled in. */
export interface IndexedFile {
  path: string;
  state?: string;
  sizeBytes?: number;
  mtimeNs?: string;
}

/** Real database, stand-in iconik, one storage, and the means to lead. */
export interface Workbench {
  database: Database;
  databaseUri: string;
  standIn: StandIn;
  iconik: IconikClient;
  log: Logger;
  logged: LogRecord[];
  storageId: string;
  cloudId: string;
  folder: string;
  /** Begins a new term in the database and answers its leadership; an earlier one is not told. */
  lead(runId?: string): Promise<TestLeadership>;
  /** Runs leader work until `condition` holds, then ends the leadership and waits for the work. */
  runUntil(work: LeaderWork, condition: () => boolean | Promise<boolean>): Promise<void>;
  /** A file that iconik and the index both know; answers its ids. */
  knownFile(file: IndexedFile): Promise<{ fileId: string; fileSetId: string; assetId: string }>;
  rows<T>(text: string, row: z.ZodType<T>, values?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/** MD5 that every file of a workbench claims to have. */
const MD5 = '9e107d9d372bb6826bd81d3542a419d6';

/** Makes a workbench (about 0.3 s). */
export async function createWorkbench(): Promise<Workbench> {
  const folder = mkdtempSync(join(tmpdir(), 'isg-pro-main-'));
  const testDatabase = await createTestDatabase();
  const { database } = testDatabase;
  const standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  const mountPoint = join(folder, 'mount');
  const account = standIn.seed({
    storages: [{ name: 'NAS', mountPoint }],
    gateways: [{ name: 'node', roles: ['MAIN'] }],
  });
  const [storageId = ''] = account.storageIds;
  const logged: LogRecord[] = [];
  const log = createLogger([(record) => logged.push(record)], Date.now);
  const iconik = createIconikApi({
    baseUrl: standIn.url,
    appId: standIn.appId,
    authToken: standIn.authToken,
    clock: systemClock,
    random: Math.random,
    log,
    requestsPerSecond: 500,
  });
  let term = 0;
  const lead = async (runId: string = randomUUID()): Promise<TestLeadership> => {
    term += 1;
    await database.execute('UPDATE leader_term SET term = $1, run_id = $2, why = $3', [term, runId, 'test']);
    const ended = new AbortController();
    return { term, runId, signal: ended.signal, assertTrusted: () => {}, end: () => ended.abort(new Error('ended')) };
  };
  return {
    database,
    databaseUri: testDatabase.uri,
    standIn,
    iconik,
    log,
    logged,
    storageId,
    cloudId: account.cloud.filesId,
    folder,
    lead,
    async runUntil(work, condition) {
      const leadership = await lead();
      const running = work.run(leadership);
      try {
        await expect.poll(condition, { timeout: 15_000, interval: 20 }).toBe(true);
      } finally {
        leadership.end();
        await running;
      }
    },
    knownFile: (file) => insertKnownFile({ database, standIn, storageId }, file),
    rows: (text, row, values = []) => database.query(text, values, row),
    async close() {
      await iconik.close();
      await standIn.close();
      await testDatabase.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function insertKnownFile(
  bench: Pick<Workbench, 'database' | 'standIn' | 'storageId'>,
  file: IndexedFile,
): Promise<{ fileId: string; fileSetId: string; assetId: string }> {
  const { records } = bench.standIn;
  const [assetId, versionId, formatId, fileSetId, fileId] = Array.from({ length: 5 }, () => randomUUID());
  const slash = file.path.lastIndexOf('/');
  const directory = slash === -1 ? '' : file.path.slice(0, slash);
  const name = file.path.slice(slash + 1);
  const common = { asset_id: assetId, version_id: versionId, format_id: formatId, storage_id: bench.storageId };
  records.assets.insert({ id: String(assetId), title: name, status: 'ACTIVE', versions: [{ id: versionId }] });
  records.formats.insert({ ...common, id: String(formatId), name: 'ORIGINAL', status: 'ACTIVE' });
  records.fileSets.insert({
    ...common,
    id: String(fileSetId),
    name,
    base_dir: directory,
    component_ids: [],
    status: 'ACTIVE',
  });
  records.files.insert({
    ...common,
    id: String(fileId),
    file_set_id: fileSetId,
    name,
    original_name: name,
    directory_path: directory,
    type: 'FILE',
    status: 'CLOSED',
    size: file.sizeBytes ?? 5,
    checksum: MD5,
  });
  await bench.database.execute(
    `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, md5,
       asset_id, version_id, format_id, file_set_id, iconik_file_id)
     VALUES ($1, $2, $2, $3, $4, $5, '1', $6, $7, $8, $9, $10, $11, $12)`,
    [
      bench.storageId,
      file.path,
      directory,
      file.sizeBytes ?? 5,
      file.mtimeNs ?? '1700000000000000000',
      file.state ?? 'ingested',
      MD5,
      assetId,
      versionId,
      formatId,
      fileSetId,
      fileId,
    ],
  );
  return { fileId: String(fileId), fileSetId: String(fileSetId), assetId: String(assetId) };
}

/** A row of `job` as tests look at it. */
export const jobRow = z.object({
  job_id: z.string(),
  role: z.string(),
  kind: z.string(),
  state: z.string(),
  profile: z.string(),
  priority: z.number(),
  cancel_requested: z.boolean(),
  payload: z.record(z.string(), z.unknown()),
  error: z.looseObject({ message: z.string() }).nullable(),
  origin_record_id: z.string().nullable(),
  origin_iconik_job_id: z.string().nullable(),
});
/** All jobs, oldest first. */
export const JOBS = `SELECT job_id::text, role, kind, state, profile, priority, cancel_requested, payload, error,
  origin_record_id, origin_iconik_job_id FROM job ORDER BY job_id`;
