import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../../agent/db/queries/job.ts';
import { orderRelayTidying } from '../../../../agent/db/queries/relay-remains.ts';
import { createUploadObject } from '../../../../agent/iconik/object-upload/create-upload-object.ts';
import type { JobHandler } from '../../../../agent/jobs/job-handler.ts';
import {
  createRelayCleanUpHandler,
  createRelayDownloadHandler,
} from '../../../../agent/roles/transfer/direct/relay-download-handler.ts';
import {
  createRelayUploadHandler,
  withTemporaryParts,
} from '../../../../agent/roles/transfer/direct/relay-upload-handler.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { IsgError } from '../../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { isLong } from '../../../support/long-version.ts';
import { createFolderStorage } from '../folder-storage.ts';
import { type JobMemory, jobContext, settle } from '../job-context.ts';
import { KillSwitch } from '../kill-switch.ts';
import { GatewayBench, type KnownFile } from './gateway-bench.ts';

const PART_BYTES = 5 * 1024 * 1024;

let bench: GatewayBench;
let source: StorageAccess;
let target: StorageAccess;

beforeAll(async () => {
  bench = await GatewayBench.open();
  source = createFolderStorage(bench.source.storageId, bench.source.mountPoint);
  target = createFolderStorage(bench.target.storageId, bench.target.mountPoint);
});

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** The first leg; with a kill switch, what it calls ends with it. */
function firstLeg(killSwitch?: KillSwitch): JobHandler {
  const wrap = <T extends object>(value: T): T => killSwitch?.wrap(value) ?? value;
  const api = { ...bench.api, transfers: wrap(bench.api.transfers), storages: wrap(bench.api.storages) };
  const uploadTemporary = createUploadObject({ api: withTemporaryParts(api), partSizeBytes: PART_BYTES, attempts: 1 });
  const { createOnce } = bench;
  return createRelayUploadHandler({ api, createOnce, uploadTemporary, storageOf: () => wrap(source) }) as JobHandler;
}

function secondLeg(): JobHandler {
  const { api, createOnce } = bench;
  const deps = { api, createOnce, sql: bench.db.database, storageOf: () => target, enqueueJobs };
  return createRelayDownloadHandler(deps) as JobHandler;
}

async function order(file: KnownFile) {
  const facts = await source.stat(file.path);
  return {
    relayId: crypto.randomUUID(),
    iconikJobId: crypto.randomUUID(),
    storageId: bench.source.storageId,
    path: file.path,
    assetId: file.assetId,
    formatId: file.formatId,
    sizeBytes: file.content.length,
    md5: file.md5,
    mtimeNs: facts?.mtimeNs ?? '',
    destinationStorageId: bench.target.storageId,
    destinationDirectoryPath: 'relayed',
  };
}

/** Records of the target's queue that come from this relay. */
const queued = (assetId: string) => bench.standIn.state().queues.transfersTo.filter((row) => row.asset_id === assetId);

function downloadOf(record: Record<string, unknown>) {
  return {
    storageId: bench.target.storageId,
    assetId: record.asset_id,
    formatId: record.format_id,
    sourceFileSetId: record.file_set_id,
    destinationDirectoryPath: record.destination_directory_path,
    destinationFileSetName: record.destination_file_set_name,
    destinationFilename: record.destination_filename,
  };
}

const cleanUpRow = z.object({ payload: z.looseObject({ assetId: z.string(), fileSetId: z.string() }) });

async function cleanUps(fileSetId: unknown) {
  const query = `SELECT payload FROM job WHERE kind = 'relay-cleanup' AND state = 'queued' AND payload->>'fileSetId' = $1`;
  return (await bench.db.database.query(query, [fileSetId], cleanUpRow)).map((row) => row.payload);
}

describe('a relay', () => {
  it('brings a file through the cloud to the other gateway by parts, and leaves nothing there', async () => {
    const file = await bench.ingest('relay/big.mov', randomBytes(2 * PART_BYTES + 5));
    const memoryOfFirst = await bench.memory('relay-upload');
    await bench.runToEnd(firstLeg(), await order(file), memoryOfFirst);
    // Nothing has to be read once more for a digest that the order has.
    expect(memoryOfFirst.checkpoint).toMatchObject({ upload: { md5: file.md5 } });
    const [record, ...more] = queued(file.assetId);
    expect(more).toEqual([]);
    expect(record).toMatchObject({ temporary_file_set_source: true, destination_filename: 'big.mov' });
    await bench.runToEnd(secondLeg(), downloadOf(record ?? {}), await bench.memory('relay-download'));
    expect((await readFile(join(bench.folder, 'target', 'relayed', 'big.mov'))).equals(file.content)).toBe(true);
    const [cleanUp, ...twice] = await cleanUps(record?.file_set_id);
    expect(twice).toEqual([]);
    const cleaner = createRelayCleanUpHandler({ api: bench.api, sql: bench.db.database }) as JobHandler;
    const memory = await bench.memory('relay-cleanup');
    // Again after it is gone: a kill after the deletion costs nothing.
    for (let time = 0; time < 2; time += 1) await bench.runToEnd(cleaner, { ...cleanUp }, memory);
    const state = bench.standIn.state();
    expect([state.temporaryFileSets, state.temporaryFiles, bench.standIn.objects()]).toEqual([[], [], []]);
    expect(state.violations).toEqual([]);
    expect(state.answerFaults).toEqual([]);
  });

  it('names the copy as ordered, and hands on what the order wanted and it cannot do', async () => {
    const file = await bench.ingest('relay/own.mov', randomBytes(1000));
    const more = { destinationFilename: 'ordered', includeOriginalExtension: true, warning: 'the source was kept' };
    const payload = { ...(await order(file)), ...more };
    const outcome = await bench.runOnce(firstLeg(), payload, await bench.memory('relay-upload'));
    expect(outcome).toMatchObject({ kind: 'done', result: { warning: 'the source was kept' } });
    expect(queued(file.assetId)).toMatchObject([{ destination_filename: 'ordered.mov' }]);
  });

  it('is ordered once, with one file set and one file, whichever call of the first leg its node dies at', async () => {
    const seen: string[] = [];
    // In the short version a part of the calls; the answer lost is the harder half.
    const step = isLong ? 1 : 4;
    for (const when of isLong ? (['before', 'after'] as const) : (['after'] as const)) {
      for (let at = 1; ; at += step) {
        const file = await bench.ingest(`relay/${when}-${at}.mov`, randomBytes(1000));
        const payload = await order(file);
        const memory = await bench.memory('relay-upload');
        const killSwitch = new KillSwitch(at, when);
        await runKilled(killSwitch, payload, memory);
        await bench.runToEnd(firstLeg(), payload, memory);
        const { temporaryFileSets, temporaryFiles } = bench.standIn.state();
        const own = temporaryFileSets.filter((row) => row.asset_id === file.assetId);
        // A set whose answer was lost before it had a file is in no list of iconik's: it stays, empty.
        const filled = own.filter((row) => temporaryFiles.some((one) => one.file_set_id === row.id));
        const files = temporaryFiles.filter((row) => row.asset_id === file.assetId);
        seen.push(`${when} ${at}: ${filled.length} ${files.length} ${queued(file.assetId).length}`);
        if (!killSwitch.isDead) break;
      }
    }
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.filter((line) => !line.endsWith(': 1 1 1'))).toEqual([]);
  });

  it('sends nothing again when the other gateway was done before the end was written down', async () => {
    const file = await bench.ingest('relay/quick.mov', randomBytes(1000));
    const payload = await order(file);
    const memory = await bench.memory('relay-upload');
    await bench.runToEnd(firstLeg(), payload, memory);
    const [record] = queued(file.assetId);
    await bench.api.transfers.deleteTemporaryFileSet(file.assetId, String(record?.file_set_id));
    await bench.runToEnd(firstLeg(), payload, memory);
    expect(queued(file.assetId)).toHaveLength(1);
    expect(bench.standIn.state().temporaryFileSets.filter((row) => row.asset_id === file.assetId)).toEqual([]);
  });

  it('that fails for good or is cancelled leaves nothing in the cloud', async () => {
    const file = await bench.ingest('relay/gone.mov', randomBytes(1000));
    const changed = { ...(await order(file)), mtimeNs: '1' };
    const outcome = await bench.runOnce(firstLeg(), changed, await bench.memory('relay-upload'));
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'file-changed' } });

    const payload = await order(file);
    const memory = await bench.memory('relay-upload');
    const cancelling = new AbortController();
    const untouched = source;
    source = {
      ...untouched,
      sendRange: async () => {
        expect(bench.standIn.state().temporaryFiles.filter((row) => row.asset_id === file.assetId)).toHaveLength(1);
        cancelling.abort(new IsgError('cancelled', 'cancelled by a user', { retry: 'permanent' }));
        throw cancelling.signal.reason;
      },
    };
    const handler = firstLeg();
    const { signal } = cancelling;
    const cancelled = await settle(handler.run(jobContext({ payload, memory, kind: handler.kind, signal })));
    source = untouched;
    expect(cancelled).toEqual({ kind: 'cancelled' });
    const { temporaryFileSets, temporaryFiles } = bench.standIn.state();
    expect([...temporaryFileSets, ...temporaryFiles].filter((row) => row.asset_id === file.assetId)).toEqual([]);
    expect(queued(file.assetId)).toEqual([]);
  });
});

describe('a relay whose leg ended without its handler', () => {
  /** The leader of a new term, as the fence asks for it. */
  async function lead() {
    const runId = crypto.randomUUID();
    await bench.db.database.execute('UPDATE leader_term SET term = term + 1, run_id = $1', [runId]);
    const term = z.object({ term: z.number() });
    const [row] = await bench.db.database.query('SELECT term::int AS term FROM leader_term', [], term);
    return { term: row?.term ?? 0, runId, assertTrusted: () => undefined };
  }

  const ended = (memory: JobMemory, payload: Record<string, unknown>, how: { state: string; hoursAgo: number }) =>
    bench.db.database.execute(
      `UPDATE job SET state = $2, finished_at = now() - make_interval(hours => $3), checkpoint = $4::jsonb,
         payload = $5::jsonb WHERE job_id = $1`,
      [memory.jobId, how.state, how.hoursAgo, JSON.stringify(memory.checkpoint), JSON.stringify(payload)],
    );

  const setsOf = (assetId: string) => bench.standIn.state().temporaryFileSets.filter((row) => row.asset_id === assetId);

  /** A first leg that ends while its bytes are under way. */
  async function halfRelayed() {
    const file = await bench.ingest(`relay/${crypto.randomUUID()}.mov`, randomBytes(1000));
    const payload = await order(file);
    const memory = await bench.memory('relay-upload');
    const untouched = source;
    source = { ...untouched, sendRange: () => Promise.reject(new Error('the node dies')) };
    await settle(firstLeg().run(jobContext({ payload, memory, kind: 'relay-upload' })));
    source = untouched;
    expect(setsOf(file.assetId)).toHaveLength(1);
    return { assetId: file.assetId, payload, memory };
  }

  async function tidied(fileSetId: unknown): Promise<Record<string, unknown>[]> {
    const leader = await lead();
    await orderRelayTidying(bench.db.database, leader);
    await orderRelayTidying(bench.db.database, leader);
    return await cleanUps(fileSetId);
  }

  const clean = (payload: Record<string, unknown>) => {
    const handler = createRelayCleanUpHandler({ api: bench.api, sql: bench.db.database }) as JobHandler;
    return bench.memory('relay-cleanup').then((memory) => bench.runOnce(handler, payload, memory));
  };

  it.each([
    { state: 'cancelled', hoursAgo: 0 },
    { state: 'failed', hoursAgo: 25 },
  ])('leaves no file set: first leg %o', async (how) => {
    const { assetId, payload, memory } = await halfRelayed();
    await ended(memory, payload, how);
    const [cleanUp, ...twice] = await tidied(setsOf(assetId)[0]?.id);
    expect(twice).toEqual([]);
    await clean(cleanUp ?? {});
    expect(setsOf(assetId)).toEqual([]);
  });

  it('keeps the set while the leg may be ordered again, runs again, or may have ordered the other leg', async () => {
    const { assetId, payload, memory } = await halfRelayed();
    const setId = setsOf(assetId)[0]?.id;
    await ended(memory, payload, { state: 'failed', hoursAgo: 1 });
    expect(await tidied(setId)).toEqual([]);
    const checkpoint = memory.checkpoint as Record<string, unknown>;
    await ended({ ...memory, checkpoint: { ...checkpoint, isOrdering: true } }, payload, {
      state: 'cancelled',
      hoursAgo: 0,
    });
    expect(await tidied(setId)).toEqual([]);
    await ended(memory, payload, { state: 'cancelled', hoursAgo: 0 });
    const [cleanUp] = await tidied(setId);
    await bench.db.database.execute(`UPDATE job SET state = 'queued', finished_at = NULL WHERE job_id = $1`, [
      memory.jobId,
    ]);
    expect(await clean(cleanUp ?? {})).toMatchObject({ kind: 'done', result: { resumed: true } });
    expect(setsOf(assetId)).toHaveLength(1);
  });

  it('leaves no file set when the second leg is cancelled before it runs', async () => {
    const file = await bench.ingest('relay/unwanted.mov', randomBytes(1000));
    await bench.runToEnd(firstLeg(), await order(file), await bench.memory('relay-upload'));
    const [record] = queued(file.assetId);
    const memory = await bench.memory('relay-download');
    await ended(memory, downloadOf(record ?? {}), { state: 'cancelled', hoursAgo: 0 });
    const [cleanUp] = await tidied(record?.file_set_id);
    await clean(cleanUp ?? {});
    expect(setsOf(file.assetId)).toEqual([]);
  });
});

async function runKilled(killSwitch: KillSwitch, payload: Record<string, unknown>, memory: JobMemory) {
  const handler = firstLeg(killSwitch);
  const context = jobContext({ payload: handler.payload.parse(payload), memory, kind: handler.kind, killSwitch });
  await settle(handler.run(context));
  await systemClock.sleep(0);
}
