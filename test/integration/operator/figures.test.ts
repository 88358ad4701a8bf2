import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clusterFigures, storageFiguresOfAll, throughputMinutes } from '../../../agent/db/queries/operator-figures.ts';
import { FigureReader } from '../../../agent/operator/figures.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const WORKER = '11111111-1111-4111-8111-111111111111';

describe('the figures of a cluster', () => {
  it('of an empty database are empty', async () => {
    expect(await clusterFigures(test.database)).toEqual({
      queued: {},
      running_by_worker: {},
      last_seen_ms: {},
      started_ms: {},
      last_failures: [],
      history: [],
      failed_jobs: 0,
    });
    expect(await storageFiguresOfAll(test.database)).toEqual([]);
    expect(await throughputMinutes(test.database, 60)).toEqual([]);
  });

  it('count queue depth by role, leases by worker, and name the last failure of each role', async () => {
    await test.database.execute(
      `INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles, availability_status)
       VALUES ($1, 'g', $1, 'node-a', 'h', 'm', 'b', '1', '{}', 'available')`,
      [WORKER],
    );
    await test.database.execute(
      `INSERT INTO job (role, kind, payload, dedupe_key, state, leased_worker, error, finished_at) VALUES
       ('CHECKSUM', 'checksum', '{}', 'a', 'queued', NULL, NULL, NULL),
       ('CHECKSUM', 'checksum', '{}', 'b', 'queued', NULL, NULL, NULL),
       ('TRANSFER', 'upload', '{}', 'c', 'leased', $1, NULL, NULL),
       ('TRANSFER', 'upload', '{}', 'd', 'failed', NULL, '{"message":"older"}', now() - interval '1 hour'),
       ('TRANSFER', 'upload', '{}', 'e', 'failed', NULL, '{"message":"newer"}', now())`,
      [WORKER],
    );
    const figures = await clusterFigures(test.database);
    expect(figures).toMatchObject({
      queued: { CHECKSUM: 2 },
      running_by_worker: { [WORKER]: 1 },
      last_failures: [{ role: 'TRANSFER', message: 'newer' }],
    });
    expect(Math.abs((figures.last_seen_ms[WORKER] ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(Math.abs((figures.started_ms[WORKER] ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('count the failed jobs of 24 hours, at most 100 a role', async () => {
    await test.database.execute(
      `INSERT INTO job (role, kind, payload, dedupe_key, state, finished_at)
       SELECT 'TRANSFER', 'upload', '{}', 'many-' || n, 'failed', now() FROM generate_series(1, 130) n
       UNION ALL VALUES
       ('CHECKSUM', 'checksum', '{}'::jsonb, 'new', 'failed', now()),
       ('CHECKSUM', 'checksum', '{}', 'old', 'failed', now() - interval '25 hours'),
       ('CHECKSUM', 'checksum', '{}', 'well', 'done', now())`,
      [],
    );
    expect((await clusterFigures(test.database)).failed_jobs).toBe(101);
  });

  it('tell the leaderships of 24 hours, newest first, long-ended ones left out', async () => {
    await test.database.execute(
      `INSERT INTO leader_history (term, run_id, worker_id, name, why, started_at, ended_at, end_why) VALUES
       (1, $1, $1, 'node-a', 'x', now() - interval '3 days', now() - interval '2 days', 'y'),
       (2, $1, $1, 'node-b', 'x', now() - interval '2 days', now() - interval '1 hour', 'the lease was released'),
       (3, $1, $1, 'node-a', 'x', now() - interval '1 hour', NULL, NULL)`,
      [WORKER],
    );
    const { history } = await clusterFigures(test.database);
    expect(history.map(({ term, ended_ms }) => [term, ended_ms === null])).toEqual([
      [3, true],
      [2, false],
    ]);
  });

  it('count what got done by minute and role, with bytes where a job tells its size', async () => {
    await test.database.execute(
      `INSERT INTO job (role, kind, payload, result, dedupe_key, state, finished_at) VALUES
       ('CHECKSUM', 'checksum', '{"sizeBytes": 100}', NULL, 'a', 'done', now()),
       ('CHECKSUM', 'checksum', '{"sizeBytes": 100}', '{"sizeBytes": 50}', 'b', 'done', now()),
       ('TRANSCODE', 'transcode', '{"sizeBytes": "many"}', '{}', 'c', 'done', now()),
       ('TRANSFER', 'upload', '{"sizeBytes": 7}', NULL, 'd', 'failed', now()),
       ('TRANSFER', 'upload', '{"sizeBytes": 7}', NULL, 'e', 'done', now() - interval '2 hours')`,
      [],
    );
    const minutes = await throughputMinutes(test.database, 60);
    expect(minutes.map(({ role, jobs, bytes }) => [role, jobs, bytes])).toEqual([
      ['CHECKSUM', 2, 150],
      ['TRANSCODE', 1, 0],
    ]);
    expect((minutes[0]?.minute_ms ?? 1) % 60_000).toBe(0);
  });

  it('count files by state with the last scan of each storage, also of one without files', async () => {
    await test.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state)
       SELECT 's1', n::text, n::text, '', 1, 1, '1', CASE WHEN n < 3 THEN 'missing' ELSE 'ingested' END FROM generate_series(1, 5) n`,
      [],
    );
    await test.database.execute(
      `INSERT INTO storage_root (storage_id, folders, last_scan_seconds, last_scan_ended_at, problem)
       VALUES ('s2', 4, 12, '2026-07-01T10:00:00Z', 'It is away.')`,
      [],
    );
    expect(
      (await storageFiguresOfAll(test.database)).toSorted((a, b) => a.storage_id.localeCompare(b.storage_id)),
    ).toEqual([
      {
        storage_id: 's1',
        files: { missing: 2, ingested: 3 },
        folders: 0,
        last_scan_ended_ms: null,
        last_scan_seconds: null,
        root_files: 0,
        scan_files: null,
        problem: null,
      },
      {
        storage_id: 's2',
        files: {},
        folders: 4,
        last_scan_ended_ms: Date.parse('2026-07-01T10:00:00Z'),
        last_scan_seconds: 12,
        root_files: 0,
        scan_files: null,
        problem: 'It is away.',
      },
    ]);
  });
});

describe('the reader of figures', () => {
  it('keeps the last figures when the database is away', async () => {
    let isAway = false;
    let reads = 0;
    const database: typeof test.database = {
      ...test.database,
      query: (...args) => {
        reads += 1;
        return isAway ? Promise.reject(new Error('away')) : test.database.query(...args);
      },
    };
    const reader = new FigureReader({ database, clock: systemClock, log: silentLogger, onRead: () => undefined });
    reader.start();
    await expect.poll(() => reader.current().cluster).not.toBeNull();
    isAway = true;
    const before = reads;
    reader.hurry();
    await expect.poll(() => reads).toBeGreaterThan(before);
    expect(reader.current().cluster).not.toBeNull();
    await reader.stop();
  });
});
