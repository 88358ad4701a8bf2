import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../../../agent/contract/index.ts';
import { createReportWork } from '../../../../agent/roles/main/report/report-work.ts';
import { createTelemetry } from '../../../../agent/roles/main/report/telemetry.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { createWorkbench, type Workbench } from '../workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await createWorkbench();
});
afterEach(async () => {
  const { violations, answerFaults } = bench.standIn.state();
  await bench.close();
  expect(violations).toEqual([]);
  expect(answerFaults).toEqual([]);
});

let health: CheckResult | null = null;
let isLast = false;
let status: 'LIVE' | 'WARNING' = 'LIVE';
const node = {
  version: '1',
  hostName: 'host',
  hostInfo: 'Linux',
  startStatus: 'SUCCESS',
  startStatusMessage: '',
  status: () => status,
} as const;
const reportWork = (storageIds: string[] = [bench.storageId]) =>
  createReportWork({
    iconik: bench.iconik,
    database: bench.database,
    clock: systemClock,
    log: bench.log,
    random: () => 0,
    storages: () => storageIds.map((id) => ({ id, scans: true })),
    storageHealth: () => health,
    node,
    isLast: () => isLast,
    linesAbout: () => ({ log: Array.from({ length: 60 }, (_, at) => `line ${at} ${'x'.repeat(2500)}`), error: [] }),
    intervalMs: 20,
  });
const report = () => bench.standIn.records.reports.get(bench.storageId);
const storage = () => bench.standIn.records.storages.get(bench.storageId);
const calls = (part: string) =>
  Object.entries(bench.standIn.state().calls).find(([call]) => call.includes(part))?.[1] ?? 0;

describe('the report of a storage', () => {
  it('counts the index and the jobs, and fits the published schema', async () => {
    await bench.knownFile({ path: 'a.mov' });
    await bench.knownFile({ path: 'b.mov', state: 'missing' });
    await bench.knownFile({ path: 'c.mov', state: 'ready' });
    await bench.knownFile({ path: 'd.mov', state: 'empty' });
    await bench.knownFile({ path: 'e.mov', state: 'skipped' });
    const exported = `UPDATE storage_file SET error = '{"code":"exported"}' WHERE state = 'skipped'`;
    await bench.database.execute(exported, []);
    await bench.database.execute(
      `INSERT INTO storage_root (storage_id, files, folders, skipped, last_scan_seconds, last_scan_ended_at)
       VALUES ($1, 3, 2, 7, 12, '2026-07-01T10:00:00Z')`,
      [bench.storageId],
    );
    await bench.database.execute(
      `INSERT INTO job (role, kind, storage_id, payload, dedupe_key) VALUES ('TRANSCODE', 'transcode', $1, '{}', 'k'),
         ('TRANSFER', 'upload', $1, '{}', 'upload'), ('TRANSFER', 'relay-upload', $1, '{}', 'relay'),
         ('TRANSFER', 'relay-download', $1, '{}', 'second leg')`,
      [bench.storageId],
    );
    health = { check: `storage:${bench.storageId}`, status: 'ok', reason: '', remedy: '' };
    await bench.runUntil(reportWork(), () => report() !== undefined && storage()?.scanner_status === 'ACTIVE');
    expect(report()).toMatchObject({
      status: 'LIVE',
      total_files_number: 4,
      exported_files_number: 1,
      skipped_files_number: 7,
      total_folders_number: 2,
      scanned_files_number: 3,
      ingested_files_number: 1,
      missing_files_number: 1,
      await_checksum_files_number: 1,
      empty_files_number: 1,
      waiting_transcode_jobs_number: 1,
      ingested_files_uploads_number: 2,
      last_scan_time: 12,
    });
    expect(storage()).toMatchObject({ status: 'ACTIVE', last_scanned: '2026-07-01T10:00:00.000000+00:00' });
    expect(bench.standIn.records.gatewayStatuses.get(bench.storageId)).toBe('LIVE');
  });

  it('tells why a file was refused, how many sidecars cannot be used, and an honest status', async () => {
    await bench.knownFile({ path: 'bad.mov' });
    await bench.database.execute(
      `UPDATE storage_file SET state = 'faulty', error = '{"message": "The sidecar is no XML."}'`,
      [],
    );
    await bench.knownFile({ path: 'clip.xml' });
    await bench.database.execute(
      `UPDATE storage_file SET error = '{"code": "sidecar-invalid", "message": "It is no XML."}' WHERE state <> 'faulty'`,
      [],
    );
    health = { check: 'x', status: 'ok', reason: '', remedy: '' };
    status = 'WARNING';
    await bench.runUntil(reportWork(), () => report() !== undefined);
    status = 'LIVE';
    expect(report()).toMatchObject({
      status: 'WARNING',
      faulty_files_number: 1,
      error_log_lines: [
        'Sidecars that cannot be used until they are corrected: 1. Each is named once.',
        'Not ingested: bad.mov: The sidecar is no XML.',
      ],
    });
  });

  it('ends with STOPPED when nobody can lead after this node, and without a last word else', async () => {
    const told = () => bench.standIn.records.gatewayStatuses.get(bench.storageId);
    health = { check: 'x', status: 'ok', reason: '', remedy: '' };
    await bench.runUntil(reportWork(), () => told() === 'LIVE');
    expect(told()).toBe('LIVE');
    isLast = true;
    await bench.runUntil(reportWork(), () => storage()?.scanner_status === 'ACTIVE');
    isLast = false;
    expect(told()).toBe('STOPPED');
    expect(storage()?.scanner_status).toBe('INACTIVE');
  });

  it('is sent when something changed, and the standing of the storage only then', async () => {
    health = { check: 'x', status: 'ok', reason: '', remedy: '' };
    await bench.runUntil(reportWork(), async () => {
      if (storage()?.scanner_status === 'ACTIVE' && health?.status === 'ok') {
        const [reports, patches] = [calls('gateway/report/'), calls('PATCH /API/files/v1/storages/{storage_id}/')];
        expect([reports, patches]).toEqual([1, 1]);
        health = { check: 'x', status: 'failing', reason: 'It is not mounted.', remedy: 'Mount it.' };
      }
      return storage()?.status === 'FAILING';
    });
    expect(storage()).toMatchObject({ scanner_status: 'FAILING', status_message: 'It is not mounted. Mount it.' });
  });

  it('does not wait for a storage that iconik refuses', async () => {
    await bench.runUntil(
      reportWork(['00000000-0000-4000-8000-00000000dead', bench.storageId]),
      () => report() !== undefined,
    );
  });
});

describe('telemetry', () => {
  it('fits the published schema and ends with STOPPED', async () => {
    const [gateway] = bench.standIn.records.gateways.all();
    const workerId = '00000000-0000-4000-8000-000000000001';
    const telemetry = createTelemetry({
      iconik: bench.iconik,
      clock: systemClock,
      log: bench.log,
      storageGatewayId: String(gateway?.id),
      workerId,
      version: '1',
      host: { name: 'host', ip: '10.0.0.1', info: 'Linux' },
      start: { status: 'SUCCESS', message: '', atMs: Date.now() },
      nodeStatus: () => 'LIVE',
      isLeader: () => true,
      lines: () => ['line'],
      errorLines: () => ['error'],
    });
    const told = () => bench.standIn.records.telemetry.get(workerId);
    await telemetry.start();
    await expect.poll(() => told()?.status, { timeout: 10_000, interval: 20 }).toBe('LIVE');
    expect(told()).toMatchObject({ is_leader: true, log_lines: ['line'] });
    await telemetry.stop();
    expect(told()).toMatchObject({ status: 'STOPPED', is_leader: false });
  });
});
