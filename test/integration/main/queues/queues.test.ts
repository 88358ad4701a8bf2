import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  cancelRecordJobs,
  endedRecords,
  forgetOrigins,
  markSettled,
  prioritiseRecordJobs,
} from '../../../../agent/db/queries/job-origin.ts';
import { GATEWAY_EVENT_TYPES, QUEUES } from '../../../../agent/roles/main/queues/gateway-event-table.ts';
import { createQueueWork } from '../../../../agent/roles/main/queues/queue-work.ts';
import { createSettleWork } from '../../../../agent/roles/main/queues/settle.ts';
import { createTranscoderProfiles } from '../../../../agent/roles/main/transcoders/transcoder-profiles.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { createWorkbench, JOBS, jobRow, type Workbench } from '../workbench.ts';

let bench: Workbench;
/** True in a test that makes the stand-in answer what iconik has not published. */
let answersUnpublished = false;
beforeEach(async () => {
  answersUnpublished = false;
  bench = await createWorkbench();
});
afterEach(async () => {
  const { violations, answerFaults } = bench.standIn.state();
  await bench.close();
  expect(violations).toEqual([]);
  if (!answersUnpublished) expect(answerFaults).toEqual([]);
});

const queueWork = (change: { reconcileIntervalMs?: number; storageIds?: () => readonly string[] } = {}) =>
  createQueueWork({
    iconik: bench.iconik,
    transcoders: createTranscoderProfiles({ iconik: bench.iconik, clock: systemClock, log: bench.log }),
    database: bench.database,
    clock: systemClock,
    log: bench.log,
    storageIds: () => [bench.storageId],
    storage: () => null,
    restart: () => {},
    random: Math.random,
    pollIntervalMs: 20,
    forgetMs: 0,
    ...change,
  });
const settleWork = (change: { settleMs?: number } = {}) =>
  createSettleWork({
    iconik: bench.iconik,
    database: bench.database,
    clock: systemClock,
    log: bench.log,
    random: () => 0,
    intervalMs: 20,
    progressIntervalMs: 20,
    ...change,
  });

const jobs = () => bench.rows(JOBS, jobRow);
const countOf = async (text: string) => Number((await bench.rows(text, z.object({ n: z.number() })))[0]?.n);
const openOrigins = () => countOf('SELECT count(*)::int AS n FROM job_origin WHERE settled_at IS NULL');
const origins = () => countOf('SELECT count(*)::int AS n FROM job_origin');
const endJobs = (state: string, error: object | null = null) =>
  bench.database.execute(
    "UPDATE job SET state = $1, error = $2::jsonb, finished_at = now() WHERE state IN ('queued', 'leased')",
    [state, error === null ? null : JSON.stringify(error)],
  );
const iconikJob = (jobId: string) => bench.standIn.records.jobs.get(jobId);
const noEvents = () => bench.standIn.records.events.all().length === 0;

/** One order of each queue for known files. */
async function orderEverything() {
  const up = await bench.knownFile({ path: 'a/up.mov' });
  const gone = await bench.knownFile({ path: 'a/gone.mov' });
  const clip = await bench.knownFile({ path: 'a/clip.mov' });
  const { standIn, storageId, cloudId } = bench;
  return {
    upload: standIn.orderUpload({ fileSetId: up.fileSetId, destinationStorageId: cloudId }),
    download: standIn.orderDownload({ fileSetId: clip.fileSetId, storageId, directoryPath: 'in' }),
    deletion: standIn.orderDelete({ fileId: gone.fileId }),
    transcode: standIn.orderTranscode({ fileId: clip.fileId }),
  };
}

describe('the four queues', () => {
  it('become jobs, are told to iconik when they end, and leave nothing behind', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4 && noEvents());
    const made = new Map((await jobs()).map((job) => [job.kind, job]));
    expect(made.get('upload')).toMatchObject({
      role: 'TRANSFER',
      origin_record_id: orders.upload.recordId,
      origin_iconik_job_id: orders.upload.jobId,
      payload: { path: 'a/up.mov', sizeBytes: 5, mtimeNs: '1700000000000000000', destinationStorageId: bench.cloudId },
    });
    expect(made.get('download')).toMatchObject({ role: 'TRANSFER', payload: { destinationDirectoryPath: 'in' } });
    expect(made.get('delete')).toMatchObject({ role: 'MAIN', payload: { path: 'a/gone.mov', keepSource: false } });
    expect(made.get('transcode')).toMatchObject({
      role: 'TRANSCODE',
      profile: bench.standIn.records.transcoders.where({ storage_id: bench.storageId, type: 'FFMPEG' })[0]?.id,
      payload: { path: 'a/clip.mov', wantProxy: true },
    });

    await endJobs('done');
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 0);
    for (const { jobId } of Object.values(orders)) {
      expect(iconikJob(jobId)).toMatchObject({ status: 'FINISHED', progress: 100 });
    }
    const ended = bench.standIn.state().ended.map((end) => `${end.queue} ${end.outcome}`);
    expect(ended.toSorted()).toEqual([
      'deletions removed',
      'transcode removed',
      'transfers_from completed',
      'transfers_to completed',
    ]);

    await bench.runUntil(queueWork({ reconcileIntervalMs: 20 }), async () => (await origins()) === 0);
    expect(await jobs()).toHaveLength(4);
  });

  it('deliver a record twice and get one job, also when the settled record is still listed', async () => {
    await orderEverything();
    const listed = async () => (await jobs()).length === 4 && noEvents();
    await bench.runUntil(queueWork(), listed);
    await bench.runUntil(queueWork(), listed);
    await endJobs('done');
    // Settled, but iconik still shows the record: a list that lags behind its own deletions.
    await bench.database.execute('UPDATE job_origin SET settled_at = now()', []);
    const { storageId } = bench;
    bench.standIn.records.events.insert({
      id: '00000000-0000-4000-8000-000000000001',
      storage_id: storageId,
      type: 'UPLOAD',
      data: {},
      date_created: new Date().toISOString(),
    });
    await bench.runUntil(queueWork({ reconcileIntervalMs: 20 }), noEvents);
    expect(await jobs()).toHaveLength(4);
    expect(await origins()).toBe(4);
  });

  it('tell failures with their reason, and cancellations as aborted', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await bench.database.execute("UPDATE job SET state = 'cancelled', finished_at = now() WHERE kind = 'download'", []);
    await endJobs('failed', { code: 'disk-full', message: 'The disk is full.', retry: 'permanent' });
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 0);
    expect(iconikJob(orders.upload.jobId)).toMatchObject({ status: 'FAILED', error_message: 'The disk is full.' });
    expect(iconikJob(orders.download.jobId)).toMatchObject({ status: 'ABORTED' });
    const transfers = bench.standIn.state().ended.filter((end) => end.queue.startsWith('transfers'));
    expect(transfers.map((end) => end.outcome)).toEqual(['failed', 'failed']);
  });

  it('show users why an order cannot be carried out', async () => {
    const lost = await bench.knownFile({ path: 'lost.mov', state: 'missing' });
    const unknown = await bench.knownFile({ path: 'unknown.mov' });
    await bench.database.execute("DELETE FROM storage_file WHERE path = 'unknown.mov'", []);
    await bench.database.execute('INSERT INTO storage_root (storage_id, last_scan_ended_at) VALUES ($1, now())', [
      bench.storageId,
    ]);
    const orders = [lost, unknown].map(({ fileSetId }) =>
      bench.standIn.orderUpload({ fileSetId, destinationStorageId: bench.cloudId }),
    );
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 2);
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 0);
    expect(orders.map(({ jobId }) => iconikJob(jobId)?.status)).toEqual(['FAILED', 'FAILED']);
    expect(iconikJob(orders[0]?.jobId ?? '')?.error_message).toMatch(/lost.mov is missing/);
    expect(iconikJob(orders[1]?.jobId ?? '')?.error_message).toMatch(/no file unknown.mov/);
  });

  it('hold an upload back until the first scan has ended, then find the file by its path', async () => {
    const file = await bench.knownFile({ path: 'a/old.mov' });
    await bench.database.execute('UPDATE storage_file SET file_set_id = NULL, state = $1', ['hashing']);
    bench.standIn.orderUpload({ fileSetId: file.fileSetId, destinationStorageId: bench.cloudId });
    await bench.runUntil(queueWork(), () => bench.logged.some((record) => /waits/.test(record.message)) && noEvents());
    expect(await jobs()).toEqual([]);
    await bench.database.execute('UPDATE storage_file SET state = $1', ['ingested']);
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 1);
    expect((await jobs())[0]).toMatchObject({ state: 'queued', payload: { path: 'a/old.mov', fileId: file.fileId } });
  });
});

describe('events', () => {
  it('of every type, of unknown types and with strange data are acknowledged', async () => {
    answersUnpublished = true;
    const { events } = bench.standIn.records;
    const types = [...GATEWAY_EVENT_TYPES, 'SOMETHING_NEW', 'UPLOAD_ABORT'];
    types.forEach((type, at) => {
      const id = `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`;
      events.insert({
        id,
        storage_id: bench.storageId,
        type,
        data: { job_id: 7, id: [] },
        date_created: new Date().toISOString(),
      });
    });
    const work = queueWork();
    await bench.runUntil(work, noEvents);
    expect(work.ignoredEvents().get('SOMETHING_NEW')).toBe(1);
    expect(work.ignoredEvents().get('UPLOAD_ABORT')).toBe(2);
    expect(bench.logged.filter((record) => /SOMETHING_NEW/.test(record.message))).toHaveLength(1);
  });

  it('cancel and re-prioritise the jobs that they name, and no other', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4 && noEvents());
    const { standIn, storageId } = bench;
    const event = (type: string, data: object, at: number) =>
      standIn.records.events.insert({
        id: `00000000-0000-4000-8000-00000000000${at}`,
        storage_id: storageId,
        type,
        data,
        date_created: new Date().toISOString(),
      });
    event('UPLOAD_ABORT', { transfer_id: orders.upload.recordId }, 1);
    event('TRANSCODE_CHANGE_PRIORITY', { job_id: orders.transcode.jobId, priority: 9 }, 2);
    event('ABORT_JOBS_BULK', { job_ids: [orders.deletion.jobId] }, 3);
    event('DOWNLOAD_ABORT', { record_id: orders.upload.recordId }, 4);
    await bench.runUntil(queueWork(), noEvents);
    const after = Object.fromEntries((await jobs()).map((job) => [job.kind, [job.cancel_requested, job.priority]]));
    expect(after).toEqual({ upload: [true, 5], download: [false, 5], delete: [true, 5], transcode: [false, 9] });
  });

  it('stay with iconik until their effect is committed', async () => {
    await orderEverything();
    bench.standIn.setFaults({ status: { rate: 1, code: 403 }, only: { pathIncludes: '/deletions/' } });
    const onlyDelete = () => bench.standIn.records.events.all().every((event) => event.type === 'DELETE');
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 3 && onlyDelete());
    expect(bench.standIn.records.events.all()).toHaveLength(1);
    bench.standIn.setFaults({});
    await bench.runUntil(queueWork(), noEvents);
    expect(await jobs()).toHaveLength(4);
  });

  it('of one storage do not wait for another that iconik refuses', async () => {
    await orderEverything();
    const refused = '00000000-0000-4000-8000-00000000dead';
    await bench.runUntil(
      queueWork({ storageIds: () => [refused, bench.storageId] }),
      async () => (await jobs()).length === 4,
    );
    const warnings = bench.logged.filter((record) => record.level === 'warn' && record.message.includes(refused));
    expect(new Set(warnings.map((record) => record.message)).size).toBe(warnings.length);
  });
});

describe('fencing', () => {
  it('lets an old term add nothing and acknowledge nothing', async () => {
    await orderEverything();
    const old = await bench.lead();
    await bench.lead();
    const running = queueWork().run(old);
    const listed = () => bench.standIn.state().calls['GET /API/transcode/v1/storages/{storage_id}/transcode/'] ?? 0;
    await expect.poll(listed, { timeout: 10_000, interval: 20 }).toBeGreaterThan(0);
    await expect.poll(() => bench.standIn.state().requestCount, { timeout: 10_000, interval: 20 }).toBeGreaterThan(12);
    old.end();
    await running;
    expect(await jobs()).toEqual([]);
    expect(await origins()).toBe(0);
    expect(bench.standIn.records.events.all()).toHaveLength(4);
  });

  it('lets an old term cancel, re-prioritise, settle and forget nothing', async () => {
    await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await bench.database.execute("UPDATE job SET state = 'done' WHERE kind = 'download'", []);
    const old = await bench.lead();
    await bench.lead();
    const before = [await jobs(), await openOrigins()];
    const recordIds = (await jobs()).map((job) => job.origin_record_id ?? '');
    const everything = { kinds: QUEUES, recordIds, iconikJobIds: [] };
    const { database } = bench;
    const lost = { code: 'leadership-lost' };
    await expect(cancelRecordJobs(database, old, everything)).rejects.toMatchObject(lost);
    await expect(prioritiseRecordJobs(database, old, everything, 9)).rejects.toMatchObject(lost);
    await expect(markSettled(database, old, (await endedRecords(database)).records)).rejects.toMatchObject(lost);
    expect([await jobs(), await openOrigins()]).toEqual(before);
    await database.execute('UPDATE job_origin SET settled_at = now()', []);
    await expect(forgetOrigins(database, old, 'transfers_to', recordIds)).rejects.toMatchObject(lost);
    expect(await origins()).toBe(4);
  });

  it('leaves an ended order of a newer version, with what shares its iconik job, and settles the others', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await bench.database.execute('ALTER TABLE job_origin DROP CONSTRAINT IF EXISTS job_origin_record_kind_check', []);
    await bench.database.execute(
      "UPDATE job_origin SET record_kind = 'of-the-next-version' WHERE record_kind = 'transfers_to'",
      [],
    );
    await bench.database.execute("UPDATE job SET origin_iconik_job_id = $1 WHERE kind = 'transcode'", [
      orders.download.jobId,
    ]);
    await endJobs('done');
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 2);
    expect(iconikJob(orders.download.jobId)?.status).not.toBe('FINISHED');
    expect(iconikJob(orders.upload.jobId)?.status).toBe('FINISHED');
    expect(bench.standIn.state().queues).toMatchObject({ transfersFrom: [], deletions: [] });
    expect(bench.standIn.records.transcodes.all()).toHaveLength(1);
  });

  it('settles after the leader died between the end of a job and its settling', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await endJobs('done');
    // The first leader is cut off by iconik right after the jobs were told and before the records went.
    bench.standIn.setFaults({ status: { rate: 1, code: 500 }, only: { methods: ['DELETE'] } });
    await bench.runUntil(settleWork(), () => iconikJob(orders.upload.jobId)?.status === 'FINISHED');
    expect(await openOrigins()).toBe(4);
    bench.standIn.setFaults({});
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 0);
    expect(bench.standIn.state().ended).toHaveLength(4);
  });
});

describe('telling iconik', () => {
  it('shows progress of running jobs', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await bench.database.execute(
      "UPDATE job SET state = 'leased', lease_token = 1, progress = 0.42 WHERE kind = 'upload'",
      [],
    );
    await bench.runUntil(settleWork(), () => iconikJob(orders.upload.jobId)?.status === 'STARTED');
    expect(iconikJob(orders.upload.jobId)).toMatchObject({ progress_processed: 42, progress_total: 100 });
    expect(iconikJob(orders.download.jobId)?.status).toBe('READY');
  });

  it('goes on with other records when one is refused', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await endJobs('done');
    bench.standIn.setFaults({ status: { rate: 1, code: 400 }, only: { pathIncludes: orders.download.jobId } });
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 1);
    expect(iconikJob(orders.download.jobId)?.status).toBe('READY');
  });

  it('tells ends a second time once requests of an earlier leader cannot arrive any more', async () => {
    const orders = await orderEverything();
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 4);
    await endJobs('done');
    let overtaken = false;
    await bench.runUntil(settleWork({ settleMs: 5_000 }), async () => {
      const job = iconikJob(orders.upload.jobId);
      if (!overtaken && job && (await openOrigins()) === 0) {
        job.status = 'STARTED';
        overtaken = true;
      }
      return overtaken && job?.status === 'FINISHED';
    });
  });

  it('ends an iconik job of several records once, when the last has ended, as failed if one failed', async () => {
    const orders = await orderEverything();
    const deletions = bench.standIn.records.deletions;
    const [record] = deletions.all();
    const other = await bench.knownFile({ path: 'a/other.mov' });
    deletions.insert({
      ...record,
      id: '00000000-0000-4000-8000-0000000000aa',
      file_id: other.fileId,
      filename: 'other.mov',
    });
    await bench.runUntil(queueWork(), async () => (await jobs()).length === 5);
    await bench.database.execute(
      `UPDATE job SET state = 'failed', finished_at = now(), error = '{"message": "refused"}' WHERE payload ->> 'path' = 'a/gone.mov'`,
      [],
    );
    await bench.database.execute("UPDATE job SET state = 'done', finished_at = now() WHERE kind = 'upload'", []);
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 4);
    expect(iconikJob(orders.deletion.jobId)?.status).toBe('READY');
    await endJobs('done');
    await bench.runUntil(settleWork(), async () => (await openOrigins()) === 0);
    expect(iconikJob(orders.deletion.jobId)).toMatchObject({ status: 'FAILED', error_message: 'refused' });
  });
});
