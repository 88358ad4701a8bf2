import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { enqueueJobs } from '../../../../agent/db/queries/job.ts';
import type { FileStorageSettings, Storage } from '../../../../agent/iconik/api.ts';
import { createScanWork, type ScanDependencies, type ScanWork } from '../../../../agent/roles/main/scan/scanner.ts';
import { type ChildGuard, createChildGuard } from '../../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import type { Database } from '../../../../agent/runtime/sql.ts';
import { createStorageAccess } from '../../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { createTestDatabase } from '../../../support/postgres.ts';
import { type TestLeadership, takeOver, until } from './leading.ts';

export const STORAGE_ID = '11111111-1111-4111-8111-111111111111';

const indexRow = z.object({ path: z.string(), state: z.string(), md5: z.string().nullable(), error: z.unknown() });

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
}

/** One storage in a folder of its own, its index in a database of its own, and scans under terms that the test ends. */
export class ScanBench {
  readonly database: Database;
  readonly folder: string;
  readonly storage: Storage;
  /** Bodies that iconik was sent; `patchFails` makes it refuse them. */
  readonly patches: Record<string, unknown>[] = [];
  patchFails = false;
  isHealthy = true;
  access: StorageAccess;
  private readonly drop: () => Promise<void>;
  private readonly guard: ChildGuard;

  private constructor(parts: { database: Database; drop: () => Promise<void>; folder: string; guard: ChildGuard }) {
    this.database = parts.database;
    this.drop = parts.drop;
    this.folder = parts.folder;
    this.guard = parts.guard;
    this.access = this.openAccess();
    const settings: FileStorageSettings = {
      scan: true,
      read: true,
      write: true,
      scan_interval_seconds: 3600,
      growing_files_threshold: 0,
    };
    this.storage = {
      id: STORAGE_ID,
      name: 'NAS',
      method: 'FILE',
      purpose: 'FILES',
      status: 'ACTIVE',
      settings,
      date_modified: null,
    };
  }

  static async create(): Promise<ScanBench> {
    const created = await createTestDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'isg-scan-'));
    return new ScanBench({
      database: created.database,
      drop: () => created.drop(),
      folder,
      guard: await createChildGuard(),
    });
  }

  openAccess(): StorageAccess {
    const { folder, guard } = this;
    return createStorageAccess({ storageId: STORAGE_ID, mountPoint: folder, guard, log: silentLogger });
  }

  async close(): Promise<void> {
    await this.access.stop();
    await this.guard.stop();
    await this.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  work(over: Partial<ScanDependencies> = {}): ScanWork {
    return createScanWork({
      database: this.database,
      api: {
        storages: {
          patchFileAt: async (_id, body) => {
            if (this.patchFails) throw new Error('iconik is away');
            this.patches.push(body);
          },
        },
      },
      clock: systemClock,
      log: silentLogger,
      storages: () => [{ storage: this.storage, access: this.access }],
      isStorageHealthy: () => this.isHealthy,
      scannerConcurrency: () => 2,
      enqueueJobs,
      random: () => 0,
      ...over,
    });
  }

  /** One whole pass and what follows from it, under a new term. */
  async scan(over: Partial<ScanDependencies> = {}): Promise<TestLeadership> {
    const leadership = await takeOver(this.database);
    let isPassOver = false;
    // The pause after the first pass is the signal that the pass is over; nothing looks between passes meanwhile.
    const clock = {
      ...systemClock,
      sleep: async (ms: number, signal?: AbortSignal) => {
        if (ms >= 3_600_000) isPassOver = true;
        await systemClock.sleep(60_000, signal);
      },
    };
    const unwatched: StorageAccess = { ...this.access, watch: (_options, _onHint, signal) => ended(signal) };
    const storages = () => [{ storage: this.storage, access: unwatched }];
    const running = this.work({ clock, storages, ...over }).run(leadership);
    await until('the pass ended', () => Promise.resolve(isPassOver));
    leadership.end();
    await running;
    return leadership;
  }

  async index(): Promise<Record<string, string>> {
    const rows = await this.rows();
    return Object.fromEntries(rows.map((row) => [row.path, row.state]));
  }

  rows(): Promise<z.infer<typeof indexRow>[]> {
    return this.database.query('SELECT path, state, md5, error FROM storage_file ORDER BY path_key', [], indexRow);
  }

  async jobs(): Promise<unknown[]> {
    const row = z.object({ payload: z.unknown() });
    const rows = await this.database.query('SELECT payload FROM job ORDER BY job_id', [], row);
    return rows.map((job) => job.payload);
  }

  async problem(): Promise<string | null> {
    const row = z.object({ problem: z.string().nullable() });
    return (await this.database.query('SELECT problem FROM storage_root', [], row))[0]?.problem ?? null;
  }

  /** Sets all rows to a state, with digests and iconik ids, as ingest would leave them. */
  async pretendIngested(): Promise<void> {
    await this.database.execute(
      `UPDATE storage_file SET state = 'ingested', md5 = md5(path), xxh128 = md5(path), asset_id = 'a-' || path,
         version_id = 'v', format_id = 'f', file_set_id = 's', iconik_file_id = 'r-' || path WHERE state <> 'empty'`,
      [],
    );
  }
}
