import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { publishRendition } from '../../../agent/roles/transcode/publish-rendition.ts';
import type { PublishedRendition } from '../../../agent/roles/transcode/rendition-record.ts';
import type { TranscodeCheckpoint } from '../../../agent/roles/transcode/transcode-checkpoint.ts';
import type { TranscodePayload } from '../../../agent/roles/transcode/transcode-payload.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createStandIn, type StandIn, seedAccount } from '../../stand-in/stand-in.ts';
import { createFolderStorage } from '../transfer/folder-storage.ts';
import { createOnceDouble } from '../transfer/iconik-double.ts';
import { jobContext } from '../transfer/job-context.ts';

/** Renditions larger than a part, sent to S3 without making them: what becomes of the bytes of an encoding before this one. */

const PART = 5 * 1024 * 1024;
const SIZE = 2 * PART + 7;

let folder: string;
let standIn: StandIn;
let api: IconikClient;
let payload: TranscodePayload;
let checkpoint: TranscodeCheckpoint;
let sends: number;
/** This send of bytes fails, once those before it are answered. */
let failAt: number;
const createOnce = createOnceDouble();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'publish-'));
  standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  seedAccount(standIn, { storages: [{ name: 'm', mountPoint: folder }], gateways: [], cloud: { proxies: 'S3' } });
  const parts = { clock: systemClock, random: () => 0, log: silentLogger, requestsPerSecond: 500 };
  api = createIconikApi({ ...parts, baseUrl: standIn.url, appId: standIn.appId, authToken: standIn.authToken });
  const asset = await api.assets.create({ title: 'clip', type: 'ASSET' });
  payload = {
    storageId: 's',
    path: 'clip.mov',
    assetId: asset.id,
    versionId: asset.versions[0]?.id ?? '',
    formatId: 'f',
    wantProxy: true,
    wantKeyframes: false,
  };
  checkpoint = { source: { sizeBytes: 1, mtimeNs: '1' }, finished: {}, upload: null };
  sends = 0;
  failAt = Number.POSITIVE_INFINITY;
});

afterEach(async () => {
  await api.close();
  await standIn.close();
  await rm(folder, { recursive: true });
});

/** Publishes an encoding of these bytes under the one name. */
async function publish(bytes: Buffer): Promise<string> {
  const path = join(folder, 'clip.mp4');
  await writeFile(path, bytes);
  const plain = createFolderStorage('temp', folder);
  const pending: Promise<unknown>[] = [];
  const tempStorage: StorageAccess = {
    ...plain,
    sendRange: async (send, call) => {
      sends += 1;
      if (sends >= failAt) {
        await Promise.allSettled(pending);
        throw new IsgError('file-unreadable', 'killed', { retry: 'transient' });
      }
      const sending = plain.sendRange(send, call);
      pending.push(sending);
      return await sending;
    },
  };
  const rendition: PublishedRendition = {
    kind: 'proxy',
    type: null,
    filename: 'clip.mp4',
    path,
    sizeBytes: bytes.length,
    contentType: 'video/mp4',
    body: { filename: 'clip.mp4', name: 'clip.mp4' },
  };
  const memory = { jobId: '1', leaseToken: '1', checkpoint: null, confirmations: 0 };
  const context = jobContext({ payload, memory, kind: 'transcode' });
  const uploadObject = createUploadObject({ api, partSizeBytes: PART, attempts: 1 });
  const deps = { api, createOnce, uploadObject, tempStorage };
  return await publishRendition(rendition, deps, { context, checkpoint, onProgress: () => undefined });
}

const storedAs = (proxyId: string): Buffer =>
  readFileSync(standIn.object(standIn.objectKey(proxyId) ?? '')?.path ?? '');

it('a proxy larger than a part goes to S3 in parts and is closed', async () => {
  const bytes = randomBytes(SIZE);
  const proxyId = await publish(bytes);
  expect(storedAs(proxyId).equals(bytes)).toBe(true);
  expect(sends).toBe(3);
  expect((await api.proxies.get(payload.assetId, proxyId)).status).toBe('CLOSED');
  expect(standIn.state().violations).toEqual([]);
});

it('the very same bytes, encoded again, are gone on with', async () => {
  const bytes = randomBytes(SIZE);
  failAt = 3;
  await expect(publish(bytes)).rejects.toMatchObject({ code: 'file-unreadable' });
  failAt = Number.POSITIVE_INFINITY;
  const before = sends;
  const proxyId = await publish(bytes);
  expect(storedAs(proxyId).equals(bytes)).toBe(true);
  expect(sends - before).toBeLessThan(3);
});

it('a new encoding drops the upload of the former one at the store', async () => {
  failAt = 3;
  await expect(publish(randomBytes(SIZE))).rejects.toMatchObject({ code: 'file-unreadable' });
  const former = checkpoint.upload?.value as { uploadId: string; fileId: string };
  failAt = Number.POSITIVE_INFINITY;
  const bytes = randomBytes(SIZE);
  const proxyId = await publish(bytes);
  expect(storedAs(proxyId).equals(bytes)).toBe(true);
  const ask = { uploadId: former.uploadId, type: 'list_parts_url' } as const;
  const { list_parts_url: urls } = await api.proxies.multipartUrls(payload.assetId, former.fileId, ask);
  expect((await fetch(urls[0] ?? '')).status).toBe(404);
});
