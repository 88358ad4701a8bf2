import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JobOutcome } from '../../../../agent/jobs/job-handler.ts';
import type { DeletePayload } from '../../../../agent/roles/main/deletion/delete-handler.ts';
import { createDeleteHandler } from '../../../../agent/roles/main/deletion/delete-handler.ts';
import { type ChildGuard, createChildGuard } from '../../../../agent/runtime/child-guard/child-guard.ts';
import { IsgError } from '../../../../agent/runtime/errors.ts';
import { createStorageAccess } from '../../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { createWorkbench, type Workbench } from '../workbench.ts';

let bench: Workbench;
let guard: ChildGuard;
let storage: StorageAccess;
let mount: string;
let mayDelete = true;

beforeEach(async () => {
  bench = await createWorkbench();
  mount = join(bench.folder, 'mount');
  mkdirSync(join(mount, 'a'), { recursive: true });
  guard = await createChildGuard();
  storage = createStorageAccess({ storageId: bench.storageId, mountPoint: mount, guard, log: bench.log });
  await storage.placeMarker();
  await bench.database.execute('INSERT INTO storage_root (storage_id, placed_marker) VALUES ($1, true)', [
    bench.storageId,
  ]);
  mayDelete = true;
});
afterEach(async () => {
  await storage.stop();
  await guard.stop();
  await bench.close();
});

const onDisk = (path: string) => existsSync(join(mount, path));

/** Writes a file and makes it known to iconik and the index as it is. */
async function ingested(path: string, state = 'ingested') {
  writeFileSync(join(mount, path), 'hello');
  const { mtimeNs, size } = statSync(join(mount, path), { bigint: true });
  return bench.knownFile({ path, state, sizeBytes: Number(size), mtimeNs: String(mtimeNs) });
}

/** Runs the handler as the job runner would, its follow-up writes included; `confirmLease` is the test's. */
async function run(order: Partial<DeletePayload>, confirmLease = async () => {}): Promise<JobOutcome> {
  const handler = createDeleteHandler({ database: bench.database, storage: () => storage, mayDelete: () => mayDelete });
  const payload = handler.payload.parse({
    storageId: bench.storageId,
    path: 'a/clip.mov',
    keepSource: false,
    ...order,
  });
  const outcome = await handler.run({
    job: {} as never,
    payload,
    log: bench.log,
    signal: new AbortController().signal,
    progress: (fraction: number) => expect(fraction).toBeLessThanOrEqual(1),
    saveCheckpoint: async () => {},
    confirmLease,
  });
  if (outcome.kind === 'done' && outcome.alongside) await bench.database.transaction(outcome.alongside);
  return outcome;
}

const rowCount = async () =>
  (await bench.rows('SELECT count(*)::int AS n FROM storage_file', z.object({ n: z.number() })))[0]?.n;

describe('a deletion', () => {
  it('removes the file and its row, and doing it again changes nothing', async () => {
    const { fileId } = await ingested('a/clip.mov');
    expect(await run({ fileId })).toMatchObject({ kind: 'done', result: { file: 'removed' } });
    expect([onDisk('a/clip.mov'), await rowCount()]).toEqual([false, 0]);
    expect(await run({ fileId })).toMatchObject({ kind: 'done', result: { file: 'absent' } });
  });

  it('killed right after the unlink ends as done in the next attempt', async () => {
    const { fileId } = await ingested('a/clip.mov');
    rmSync(join(mount, 'a/clip.mov'));
    expect(await rowCount()).toBe(1);
    expect(await run({ fileId })).toMatchObject({ kind: 'done', result: { file: 'absent' } });
    expect(await rowCount()).toBe(0);
  });

  it('done a second time leaves a new file at the same path alone', async () => {
    const { fileId } = await ingested('a/clip.mov');
    await run({ fileId });
    await ingested('a/clip.mov');
    expect(await run({ fileId })).toMatchObject({ kind: 'failed', error: { code: 'file-changed' } });
    expect([onDisk('a/clip.mov'), await rowCount()]).toEqual([true, 1]);
  });

  it('refuses a file that changed since it was recorded', async () => {
    const { fileId } = await ingested('a/clip.mov');
    writeFileSync(join(mount, 'a/clip.mov'), 'other words');
    expect(await run({ fileId })).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/^refused/) },
    });
    expect([onDisk('a/clip.mov'), await rowCount()]).toEqual([true, 1]);
  });

  it('refuses a file whose new content iconik has not been told yet', async () => {
    const { fileId } = await ingested('a/clip.mov', 'hashed');
    expect(await run({ fileId })).toMatchObject({ kind: 'failed' });
    expect(onDisk('a/clip.mov')).toBe(true);
  });

  it('refuses a file that the index does not know, and is fine when there is none', async () => {
    writeFileSync(join(mount, 'a/clip.mov'), 'hello');
    expect(await run({ fileId: 'unknown' })).toMatchObject({ kind: 'failed' });
    expect(onDisk('a/clip.mov')).toBe(true);
    rmSync(join(mount, 'a/clip.mov'));
    expect(await run({ fileId: 'unknown' })).toMatchObject({ kind: 'done' });
  });

  it('does not say done while several files carry the id of the order', async () => {
    const { fileId } = await ingested('a/one.mov');
    await ingested('a/two.mov');
    await bench.database.execute('UPDATE storage_file SET iconik_file_id = $1', [fileId]);
    expect(await run({ fileId })).toMatchObject({ kind: 'failed', error: { code: 'file-changed' } });
    expect([onDisk('a/one.mov'), onDisk('a/two.mov'), await rowCount()]).toEqual([true, true, 2]);
  });

  it('touches nothing when the source is to be kept, or the storage forbids deleting', async () => {
    const { fileId } = await ingested('a/clip.mov');
    expect(await run({ fileId, keepSource: true })).toMatchObject({ kind: 'done', result: { file: 'kept' } });
    mayDelete = false;
    expect(await run({ fileId })).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/switched off/) },
    });
    expect([onDisk('a/clip.mov'), await rowCount()]).toEqual([true, 1]);
  });

  it('removes nothing when the lease is lost', async () => {
    const { fileId } = await ingested('a/clip.mov');
    const lost = new IsgError('lease-lost', 'lost', { retry: 'transient' });
    await expect(run({ fileId }, () => Promise.reject(lost))).rejects.toBe(lost);
    expect(onDisk('a/clip.mov')).toBe(true);
  });

  it('does not take an unmounted storage for an absent file', async () => {
    const { fileId } = await ingested('a/clip.mov');
    rmSync(mount, { recursive: true });
    mkdirSync(mount);
    expect(await run({ fileId })).toMatchObject({ kind: 'snooze' });
    expect(await rowCount()).toBe(1);
    rmSync(mount, { recursive: true });
    expect(await run({ fileId })).toMatchObject({ kind: 'snooze' });
    expect(await rowCount()).toBe(1);
  });
});

describe('a deletion of many files', () => {
  /** Files of one asset, as a camera card is ingested. */
  async function card(...paths: string[]): Promise<string> {
    for (const path of paths) {
      mkdirSync(join(mount, path, '..'), { recursive: true });
      await ingested(path);
    }
    await bench.database.execute("UPDATE storage_file SET asset_id = 'card', format_id = 'original'", []);
    return 'card';
  }
  const order = { fileId: 'of the directory', path: 'a', subject: 'directory', assetId: 'card' } as const;

  it('removes a directory with all its files, and doing it again changes nothing', async () => {
    await card('a/clip.mov', 'a/deep/er/clip.mov');
    mkdirSync(join(mount, 'a/empty'));
    expect(await run(order)).toMatchObject({ kind: 'done', result: { file: 'removed', files: 2 } });
    expect([onDisk('a'), await rowCount()]).toEqual([false, 0]);
    expect(await run(order)).toMatchObject({ kind: 'done', result: { file: 'absent' } });
  });

  it('killed between any two of its removals ends as done in the next attempt, and leaves no row behind', async () => {
    const removals = 6;
    for (let kill = 1; kill <= removals; kill += 1) {
      await card('a/1.mov', 'a/2.mov', 'a/b/3.mov', 'a/b/4.mov');
      let confirmed = 0;
      const killed = new Error('killed');
      const attempt = run(order, async () => {
        confirmed += 1;
        if (confirmed === kill) throw killed;
      });
      await expect(attempt).rejects.toBe(killed);
      expect(await run(order)).toMatchObject({ kind: 'done' });
      expect([onDisk('a'), await rowCount()]).toEqual([false, 0]);
    }
  });

  it('keeps a directory whole for one file that changed, is unknown or belongs to another asset', async () => {
    await card('a/clip.mov', 'a/other.mov');
    writeFileSync(join(mount, 'a/other.mov'), 'changed since');
    expect(await run(order)).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/^refused.*other/) },
    });
    rmSync(join(mount, 'a/other.mov'));
    writeFileSync(join(mount, 'a/unknown.mov'), 'x');
    expect(await run(order)).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/unknown.mov/) },
    });
    rmSync(join(mount, 'a/unknown.mov'));
    expect(await run({ ...order, assetId: 'another' })).toMatchObject({ kind: 'failed' });
    expect([onDisk('a/clip.mov'), await rowCount()]).toEqual([true, 2]);
  });

  it('keeps a directory in which something lies that no scan takes', async () => {
    await card('a/clip.mov');
    writeFileSync(join(mount, 'a/.DS_Store'), 'x');
    expect(await run(order)).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringMatching(/no scan takes/) },
    });
    expect(onDisk('a/.DS_Store')).toBe(true);
  });

  it('removes the frames of a sequence and nothing beside them', async () => {
    await card('a/f.0001.dpx', 'a/f.0002.dpx', 'a/notes.txt');
    const frames = { ...order, subject: 'sequence', path: 'a/f.%04d.dpx' } as const;
    expect(await run(frames)).toMatchObject({ kind: 'done', result: { file: 'removed', files: 2 } });
    expect([onDisk('a/f.0001.dpx'), onDisk('a/f.0002.dpx'), onDisk('a/notes.txt'), await rowCount()]).toEqual([
      false,
      false,
      true,
      1,
    ]);
    expect(await run(frames)).toMatchObject({ kind: 'done', result: { file: 'absent' } });
  });

  it('does not take an unmounted storage for an absent directory', async () => {
    await card('a/clip.mov');
    rmSync(mount, { recursive: true });
    mkdirSync(mount);
    expect(await run(order)).toMatchObject({ kind: 'snooze' });
    expect(await rowCount()).toBe(1);
  });
});
