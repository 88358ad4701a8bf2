import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dueFiles } from '../../../../agent/db/queries/ingest.ts';
import { createIntentStore } from '../../../../agent/db/queries/intent.ts';
import { prioritiseJob } from '../../../../agent/db/queries/operator-jobs.ts';
import { createCreateOnce } from '../../../../agent/iconik/creation/intended-creation.ts';
import { createCollectionMapper } from '../../../../agent/roles/main/ingest/collection-mapper.ts';
import { ROOT_EXTERNAL_ID } from '../../../../agent/roles/main/ingest/decoration-plan.ts';
import { GATEWAY_EVENT_TYPES } from '../../../../agent/roles/main/queues/gateway-event-table.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { JOBS, jobRow } from '../workbench.ts';
import { createLiveLeader, FILES, fileRow, type LiveLeader } from './live-leader.ts';

let live: LiveLeader;
beforeAll(async () => {
  live = await createLiveLeader();
});
beforeEach(async () => {
  await live.bench.database.execute('DELETE FROM storage_file', []);
  live.scans.length = 0;
});
afterAll(async () => {
  const { violations } = live.bench.standIn.state();
  await live.close();
  expect(violations).toEqual([]);
});

const patient = { timeout: 10_000, interval: 20 };
const jobs = () => live.bench.rows(JOBS, jobRow);
const jobOf = async (recordId: string) => (await jobs()).find((job) => job.origin_record_id === recordId);
const files = async () =>
  Object.fromEntries((await live.bench.rows(FILES, fileRow)).map((row) => [row.path, row] as const));
const states = async () => Object.fromEntries(Object.values(await files()).map((row) => [row.path, row.state]));
const shown = (iconikJobId: string) => live.bench.standIn.records.jobs.get(iconikJobId);
const emit = (type: string, data: unknown) =>
  live.bench.standIn.emitEvent({ storageId: live.bench.storageId, type, data });
const pending = () => live.bench.standIn.records.events.all();
const acknowledged = (eventId: string) =>
  expect.poll(() => pending().some((event) => event.id === eventId), patient).toBe(false);
const ends = (iconikJobId: string, status: string) =>
  expect.poll(() => shown(iconikJobId)?.status, patient).toBe(status);

/** Emits an event that names an iconik job, and waits until that job ends as told. */
async function carryOut(type: string, data: object, status: string) {
  const job_id = live.iconikJob('CUSTOM');
  const eventId = emit(type, { ...data, job_id });
  await ends(job_id, status);
  await acknowledged(eventId);
  return shown(job_id);
}

describe('orders of events', () => {
  it('SCHEDULE_CHECKSUM_CALCULATION: the named files are read again, and the scan is asked to look', async () => {
    const named = await live.bench.knownFile({ path: 'a/named.mov' });
    await live.bench.knownFile({ path: 'a/below/named.mov' });
    await live.bench.knownFile({ path: 'b/other.mov' });
    const data = { file_ids: [named.fileId], directory_path: '/a/below/' };
    await carryOut('SCHEDULE_CHECKSUM_CALCULATION', data, 'FINISHED');
    expect(await states()).toEqual({ 'a/named.mov': 'ready', 'a/below/named.mov': 'ready', 'b/other.mov': 'ingested' });
    expect((await files())['a/named.mov']?.md5).toBeNull();
    expect(live.scans).toEqual([live.bench.storageId]);
  });

  it('that name only unknown files fail with the reason', async () => {
    const job = await carryOut('SCHEDULE_CHECKSUM_CALCULATION', { file_id: randomUUID() }, 'FAILED');
    expect(job?.error_message).toMatch(/None of the files/);
  });

  it('MARK_MISSING_OUTSIDE_SCAN_DIRS: by the scan directories that iconik has at that time', async () => {
    const storage = live.bench.standIn.records.storages.get(live.bench.storageId);
    const settings = storage?.settings as Record<string, unknown>;
    for (const path of ['in/a.mov', 'in/deep/b.mov', 'inner/c.mov', 'out/d.mov', 'e.mov'])
      await live.bench.knownFile({ path });
    settings.scan_directories = ['/in/'];
    await carryOut('MARK_MISSING_OUTSIDE_SCAN_DIRS', {}, 'FINISHED');
    expect(await states()).toEqual({
      'in/a.mov': 'ingested',
      'in/deep/b.mov': 'ingested',
      'inner/c.mov': 'missing',
      'out/d.mov': 'missing',
      'e.mov': 'missing',
    });
    settings.scan_directories = [];
    await live.bench.knownFile({ path: 'out/f.mov' });
    await carryOut('MARK_MISSING_OUTSIDE_SCAN_DIRS', {}, 'FINISHED');
    expect((await states())['out/f.mov']).toBe('ingested');
  });

  it('RESET_INGEST_VALIDATION: files that ingest refused or put off are tried again now', async () => {
    await live.bench.knownFile({ path: 'refused.mov', state: 'faulty' });
    await live.bench.knownFile({ path: 'waiting.mov', state: 'hashed' });
    await live.bench.knownFile({ path: 'fine.mov' });
    await live.bench.database.execute(
      `UPDATE storage_file SET attempts = 3, xxh128 = 'x', next_attempt_at = now() + interval '1 day',
         error = '{"message": "no sidecar"}' WHERE state <> 'ingested'`,
      [],
    );
    await carryOut('RESET_INGEST_VALIDATION', {}, 'FINISHED');
    expect(await states()).toEqual({ 'refused.mov': 'hashed', 'waiting.mov': 'hashed', 'fine.mov': 'ingested' });
    expect((await files())['refused.mov']?.attempts).toBe(0);
  });

  it('RESET_INGEST_VALIDATION: a file held for its sidecar, and one whose sidecar was refused, are looked at at once', async () => {
    const codes = { 'held.mov': 'sidecar-awaited', 'odd.mov': 'sidecar-invalid', 'odd.json': 'sidecar-invalid' };
    for (const [path, code] of Object.entries(codes)) {
      await live.bench.knownFile({ path, state: code === 'sidecar-awaited' ? 'hashed' : 'ingested' });
      await live.bench.database.execute(
        "UPDATE storage_file SET xxh128 = 'x', next_attempt_at = now() + interval '1 minute', error = $2 WHERE path = $1",
        [path, JSON.stringify({ code, message: 'why', retry: 'permanent' })],
      );
    }
    await live.bench.knownFile({ path: 'fine.mov' });
    await carryOut('RESET_INGEST_VALIDATION', { paths: ['held.mov', 'odd.mov', 'odd.json', 'fine.mov'] }, 'FINISHED');
    expect(await states()).toEqual({
      'held.mov': 'hashed',
      'odd.mov': 'hashed',
      'odd.json': 'hashed',
      'fine.mov': 'ingested',
    });
    const due = await dueFiles(live.bench.database, [live.bench.storageId], { exceptContents: [], limit: 9 });
    expect(due.map(({ path }) => path).sort()).toEqual(['held.mov', 'odd.json', 'odd.mov']);
  });

  it('INGEST_UPLOAD: uploads to the remote storage, once whoever leads, ended by UPLOAD_ABORT', async () => {
    const file = await live.bench.knownFile({ path: 'a/up.mov' });
    await live.bench.knownFile({ path: 'a/lost.mov', state: 'missing' });
    const job_id = live.iconikJob('TRANSFER');
    const eventId = emit('INGEST_UPLOAD', { asset_ids: [file.assetId], path: 'a/lost.mov', job_id });
    await acknowledged(eventId);
    const { standIn, storageId } = live.bench;
    // The acknowledgement got lost: the next leader sees the event once more.
    standIn.records.events.insert({
      id: eventId,
      storage_id: storageId,
      type: 'INGEST_UPLOAD',
      data: { asset_id: file.assetId, job_id },
    });
    await live.takeOver();
    await acknowledged(eventId);
    const made = (await jobs()).filter((job) => job.origin_iconik_job_id === job_id);
    expect(made.map(({ kind, state }) => `${kind} ${state}`).toSorted()).toEqual(['upload failed', 'upload queued']);
    expect(made.find(({ state }) => state === 'queued')?.payload).toMatchObject({
      path: 'a/up.mov',
      fileId: file.fileId,
      destinationStorageId: live.bench.cloudId,
      destinationDirectoryPath: 'archive/a',
    });
    emit('UPLOAD_ABORT', { job_id });
    const aborted = async () => (await jobOf(`${eventId}:${file.fileId}`))?.cancel_requested;
    await expect.poll(aborted, patient).toBe(true);
    await live.bench.database.execute(
      "UPDATE job SET state = 'cancelled', finished_at = now() WHERE state = 'queued'",
      [],
    );
    await ends(job_id, 'FAILED');
    expect(shown(job_id)?.error_message).toMatch(/lost.mov is missing/);
  });

  it('INGEST_UPLOAD: files of one content are one upload, and one that is under way is waited for', async () => {
    const { fileId, assetId } = await live.bench.knownFile({ path: 'a/one.mov' });
    await live.bench.knownFile({ path: 'a/two.mov' });
    const formatIds = `SELECT format_id FROM storage_file WHERE path_key = 'a/one.mov'`;
    await live.bench.database.execute(
      `UPDATE storage_file SET asset_id = $1, format_id = (${formatIds}) WHERE path_key = 'a/two.mov'`,
      [assetId],
    );
    await live.bench.database.execute(
      `INSERT INTO job (role, kind, payload, dedupe_key)
       SELECT 'TRANSFER', 'upload', '{}', 'upload:' || format_id || ':' || $1 FROM storage_file WHERE path_key = 'a/one.mov'`,
      [live.bench.cloudId],
    );
    const job_id = live.iconikJob('TRANSFER');
    const eventId = emit('INGEST_UPLOAD', { asset_ids: [assetId], job_id });
    const later = emit('UPLOAD', {});
    await acknowledged(later);
    expect(pending().some((event) => event.id === eventId)).toBe(true);
    await live.bench.database.execute("UPDATE job SET state = 'done' WHERE payload = '{}'", []);
    await acknowledged(eventId);
    const made = (await jobs()).filter((job) => job.origin_iconik_job_id === job_id);
    expect(made.map(({ state, payload }) => `${state} ${String(payload.fileId)}`)).toEqual([`queued ${fileId}`]);
  });

  it('ASSET_MERGED: files and waiting work follow to the new asset', async () => {
    const file = await live.bench.knownFile({ path: 'a/merged.mov' });
    const { standIn, storageId, cloudId } = live.bench;
    const upload = standIn.orderUpload({ fileSetId: file.fileSetId, destinationStorageId: cloudId });
    await acknowledged(upload.eventId);
    const newAssetId = randomUUID();
    standIn.records.assets.insert({ id: newAssetId, title: 'merged', status: 'ACTIVE', versions: [] });
    Object.assign(standIn.records.files.get(file.fileId) ?? {}, { asset_id: newAssetId });
    await carryOut('ASSET_MERGED', { asset_id: newAssetId, merged_asset_ids: [file.assetId] }, 'FINISHED');
    expect((await files())['a/merged.mov']?.asset_id).toBe(newAssetId);
    expect((await jobOf(upload.recordId))?.payload).toMatchObject({ storageId, assetId: newAssetId });
  });

  it('REQUEST_COLLECTION_MAP maps every ingested file, and ABORT_COLLECTION_MAP ends it at once', async () => {
    const storage = live.bench.standIn.records.storages.get(live.bench.storageId);
    Object.assign(storage?.settings as object, { enable_collection_directory_mapping: true });
    for (const path of ['a/1.mov', 'a/2.mov', 'b/3.mov']) await live.bench.knownFile({ path });
    const placed: string[] = [];
    live.collections.place = async ({ path }) => void placed.push(path);
    await carryOut('REQUEST_COLLECTION_MAP', { path: 'a' }, 'FINISHED');
    expect(placed).toEqual(['a/1.mov', 'a/2.mov']);

    const begun = Promise.withResolvers<void>();
    live.collections.place = (_file, _right, signal) => {
      begun.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const job_id = live.iconikJob('REQUEST_COLLECTION_MAP');
    emit('REQUEST_COLLECTION_MAP', { job_id });
    await begun.promise;
    emit('ABORT_COLLECTION_MAP', {});
    await ends(job_id, 'ABORTED');
  });

  it('REQUEST_COLLECTION_MAP makes the collections as ingest does, each once, also of folders without ingested files', async () => {
    const { database, iconik, storageId, standIn } = live.bench;
    const storage = standIn.records.storages.get(storageId);
    Object.assign(storage?.settings as object, { enable_collection_directory_mapping: true });
    const intents = createIntentStore(database);
    const createOnce = createCreateOnce({
      intents,
      clock: systemClock,
      settleMs: 100,
      deadlineMs: 2_000,
      log: silentLogger,
    });
    Object.assign(live.collections, createCollectionMapper({ api: iconik, createOnce }));
    const placed = await live.bench.knownFile({ path: 'map/day 1/1.mov' });
    const gone = await live.bench.knownFile({ path: 'map/day 1/2.mov' });
    standIn.records.assets.remove(gone.assetId);
    await live.bench.knownFile({ path: 'map/day 2/3.mov', state: 'seen' });
    await live.bench.knownFile({ path: 'map/day 3/4.mov', state: 'missing' });
    const shownIn = () =>
      standIn.records.collections
        .all()
        .filter(({ status }) => status === 'ACTIVE')
        .map((row) => String(row.external_id))
        .sort();
    const wanted = [
      `${storageId}/`,
      `${storageId}/map`,
      `${storageId}/map/day 1`,
      `${storageId}/map/day 2`,
      ROOT_EXTERNAL_ID,
    ];
    await carryOut('REQUEST_COLLECTION_MAP', { path: 'map' }, 'FINISHED');
    await carryOut('REQUEST_COLLECTION_MAP', { path: 'map' }, 'FINISHED');
    expect(shownIn()).toEqual(wanted.sort());
    const folder = standIn.records.collections.all().find((row) => row.external_id === `${storageId}/map/day 1`);
    expect(standIn.records.assets.get(placed.assetId)?.in_collections).toEqual([folder?.id]);
    // What users delete is forgotten by its event, and made anew by the next order.
    Object.assign(folder ?? {}, { status: 'DELETED' });
    await carryOut('COLLECTION_DELETED', { collection_id: folder?.id }, 'FINISHED');
    const kinds = await live.bench.rows(
      "SELECT kind, state FROM intent WHERE key LIKE '%day 1' ORDER BY state",
      z.object({ kind: z.string(), state: z.string() }),
    );
    expect(kinds).toEqual([{ kind: 'collection', state: 'void' }]);
    await carryOut('REQUEST_COLLECTION_MAP', { path: 'map' }, 'FINISHED');
    expect(shownIn()).toEqual(wanted.sort());
    await database.execute('DELETE FROM intent', []);
  });

  it('COLLECTION_DELETED: what was created for the collection is forgotten', async () => {
    const [gone, kept] = [randomUUID(), randomUUID()];
    for (const id of [gone, kept]) {
      await live.bench.database.execute(
        "INSERT INTO intent (kind, key, attempt, state, started_at, deadline_at, created_id) VALUES ('collection', $1, 1, 'created', now(), now(), $1)",
        [id],
      );
    }
    await carryOut('COLLECTION_DELETED', { collection_id: gone }, 'FINISHED');
    const rows = await live.bench.rows(
      'SELECT key, state FROM intent ORDER BY state',
      z.object({ key: z.string(), state: z.string() }),
    );
    expect(rows).toEqual([
      { key: kept, state: 'created' },
      { key: gone, state: 'void' },
    ]);
  });

  it('RESTART: the node restarts once, after iconik has forgotten the event', async () => {
    live.bench.standIn.setFaults({ status: { rate: 1, code: 403 }, only: { pathIncludes: '/purge/' } });
    const eventId = emit('RESTART', {});
    const purges = () =>
      live.bench.standIn.state().calls['POST /API/files/v1/storages/{storage_id}/gateway/events/purge/'] ?? 0;
    const before = purges();
    await expect.poll(purges, patient).toBeGreaterThan(before + 1);
    expect(live.restarts).toEqual([]);
    live.bench.standIn.setFaults({});
    await acknowledged(eventId);
    await expect.poll(() => live.restarts, patient).toEqual([live.bench.storageId]);
  });
});

describe('buttons of iconik', () => {
  async function orderOf(kind: 'upload' | 'download' | 'transcode') {
    const { standIn, storageId, cloudId } = live.bench;
    const file = await live.bench.knownFile({ path: `${kind}-${randomUUID()}.mov` });
    if (kind === 'upload') return standIn.orderUpload({ fileSetId: file.fileSetId, destinationStorageId: cloudId });
    if (kind === 'transcode') return standIn.orderTranscode({ fileId: file.fileId });
    return standIn.orderDownload({ fileSetId: file.fileSetId, storageId, directoryPath: randomUUID() });
  }

  it.each(['upload', 'download', 'transcode'] as const)(
    'change the priority of a waiting %s, which then comes before others, and abort it',
    async (kind) => {
      const [first, second] = [await orderOf(kind), await orderOf(kind)];
      await expect.poll(() => jobOf(second.recordId), patient).toBeDefined();
      await live.prioritise(second.jobId, 9);
      await expect.poll(async () => (await jobOf(second.recordId))?.priority, patient).toBe(9);
      const order = await live.bench.rows(
        "SELECT origin_record_id AS id FROM job WHERE kind = $1 AND state = 'queued' ORDER BY priority DESC, job_id",
        z.object({ id: z.string() }),
        [kind],
      );
      const mine = order.map(({ id }) => id).filter((id) => id === first.recordId || id === second.recordId);
      expect(mine).toEqual([second.recordId, first.recordId]);
      for (const { jobId } of [first, second]) await live.press(jobId, 'ABORT');
      const asked = async () =>
        (await Promise.all([first, second].map((it) => jobOf(it.recordId)))).map((job) => job?.cancel_requested);
      await expect.poll(asked, patient).toEqual([true, true]);
    },
  );

  it('get the priority that an operator gave here, and nothing that iconik knows', async () => {
    const order = await orderOf('upload');
    await expect.poll(() => jobOf(order.recordId), patient).toBeDefined();
    await prioritiseJob(live.bench.database, (await jobOf(order.recordId))?.job_id ?? '', 8);
    await expect.poll(() => shown(order.jobId)?.priority, patient).toBe(8);
    await expect.poll(async () => (await jobOf(order.recordId))?.payload.iconikPriority, patient).toBe(8);
    await expect.poll(() => pending().length, patient).toBe(0);
    expect((await jobOf(order.recordId))?.priority).toBe(8);
  });
});

describe('orders of queues', () => {
  const setState = (recordId: string, state: string, error: object | null = null) =>
    live.bench.database.execute(
      `UPDATE job SET state = $2, lease_token = 1, progress = 0.5, progress_note = 'half way', started_at = now(),
         error = $3::jsonb, finished_at = CASE WHEN $2 <> 'leased' THEN now() END WHERE origin_record_id = $1`,
      [recordId, state, error === null ? null : JSON.stringify(error)],
    );
  const stepsOf = (iconikJobId: string) =>
    z
      .array(z.looseObject({ status: z.string(), error_message: z.string().nullish() }))
      .parse(shown(iconikJobId)?.steps);

  it('show their steps: in progress, done, failed with the reason', async () => {
    const { standIn, cloudId } = live.bench;
    const clip = await live.bench.knownFile({ path: 'steps.mov' });
    const good = standIn.orderUpload({ fileSetId: clip.fileSetId, destinationStorageId: cloudId });
    // The records of local transcodes name no steps; iconik is asked.
    const bad = standIn.orderTranscode({ fileId: clip.fileId });
    for (const { recordId } of [good, bad]) await expect.poll(() => jobOf(recordId), patient).toBeDefined();
    for (const { recordId } of [good, bad]) await setState(recordId, 'leased');
    for (const { jobId } of [good, bad])
      await expect.poll(() => stepsOf(jobId).map(({ status }) => status), patient).toEqual(['IN_PROGRESS']);
    expect(shown(good.jobId)).toMatchObject({ status: 'STARTED', message: 'half way', progress_processed: 50 });
    await setState(good.recordId, 'done');
    await setState(bad.recordId, 'failed', { message: 'The codec is unknown.' });
    await ends(good.jobId, 'FINISHED');
    await ends(bad.jobId, 'FAILED');
    expect(stepsOf(good.jobId)).toMatchObject([{ status: 'DONE' }]);
    expect(stepsOf(bad.jobId)).toMatchObject([{ status: 'FAILED', error_message: 'The codec is unknown.' }]);
  });

  it('edge transcodes are acknowledged once their job is committed, and their end is told', async () => {
    const { standIn } = live.bench;
    const clip = await live.bench.knownFile({ path: 'edge/clip.mov' });
    const order = standIn.orderEdgeTranscode({ fileId: clip.fileId });
    const ended = () => standIn.records.ended.filter(({ queue }) => queue === 'edge_transcode').length;
    await expect.poll(ended, patient).toBe(1);
    expect(await jobOf(order.recordId)).toMatchObject({
      role: 'TRANSCODE',
      kind: 'transcode',
      payload: { path: 'edge/clip.mov', assetId: clip.assetId, wantProxy: true, wantKeyframes: false },
    });
    await setState(order.recordId, 'done');
    await ends(order.jobId, 'FINISHED');
    expect(stepsOf(order.jobId)).toMatchObject([{ status: 'DONE' }]);
  });

  it('that disappear from iconik are cancelled, counted, and said once', async () => {
    const { standIn, cloudId, logged } = live.bench;
    const file = await live.bench.knownFile({ path: 'vanishing.mov' });
    const order = standIn.orderUpload({ fileSetId: file.fileSetId, destinationStorageId: cloudId });
    await expect.poll(() => jobOf(order.recordId), patient).toBeDefined();
    standIn.records.transfersFrom.remove(order.recordId);
    await expect.poll(async () => (await jobOf(order.recordId))?.cancel_requested, patient).toBe(true);
    expect(live.queues.vanishedOrders().get('transfers_from')).toBe(1);
    expect(logged.filter(({ message }) => /left iconik's queue transfers_from/.test(message))).toHaveLength(1);
  });
});

describe('strange events', () => {
  it('of every type never stop the work: all are acknowledged, each reason is said once, and others are carried out', async () => {
    const strange = [
      null,
      7,
      'text',
      [],
      { job_id: 7, id: {} },
      { file_id: 'nul\0', paths: ['../../etc'] },
      { job_ids: [[['x']]] },
    ];
    const last = [...GATEWAY_EVENT_TYPES, 'SOMETHING_NEW', '', '__proto__'].flatMap((type) =>
      type === 'RESTART' ? [] : strange.map((data) => emit(type, data)),
    );
    await acknowledged(last.at(-1) ?? '');
    await expect.poll(() => pending().length, patient).toBe(0);
    expect(live.queues.ignoredEvents().get('SOMETHING_NEW')).toBe(strange.length);
    const said = live.bench.logged.filter(({ message }) => /SOMETHING_NEW/.test(message));
    expect(said).toHaveLength(1);
    expect(said[0]?.fields).toMatchObject({ storageId: live.bench.storageId });
    const fine = await live.bench.knownFile({ path: 'fine.mov' });
    await carryOut('SCHEDULE_CHECKSUM_CALCULATION', { file_id: fine.fileId }, 'FINISHED');
  });

  it('are acknowledged in bulk, a hundred a call', async () => {
    const purge = 'POST /API/files/v1/storages/{storage_id}/gateway/events/purge/';
    const purges = () => live.bench.standIn.state().calls[purge] ?? 0;
    const before = purges();
    for (let count = 0; count < 250; count += 1) emit('UPLOAD', {});
    await expect.poll(() => pending().length, patient).toBe(0);
    // All were there at one look, or at two.
    expect(purges() - before).toBeLessThanOrEqual(4);
  });
});
