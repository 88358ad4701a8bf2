import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IconikApi, UploadTarget } from '../../../agent/iconik/api.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import type { UploadObjectArgs } from '../../../agent/iconik/object-upload/upload-object.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { coerceError, IsgError } from '../../../agent/runtime/errors.ts';
import type { SendRange, StorageAccess } from '../../../agent/storage/storage-access.ts';
import { createFolderStorage } from '../../integration/transfer/folder-storage.ts';
import { type Azurite, startAzurite } from '../../support/azurite.ts';

/** Uploads to Azure against Microsoft's own emulator, by signed URLs as iconik gives them: a peer that knows nothing of us. */

const BLOCK = 64 * 1024;
const SIZE = 5 * BLOCK + 321;
const AZURE = { 'x-ms-version': '2020-10-02' };

let azurite: Azurite;
let folder: string;
let source: StorageAccess;
let sent: SendRange[];
let content: Buffer;
let md5: string;
let name: string;
let blobs = 0;
let checkpoint: unknown;
let confirmations: number;

beforeAll(async () => {
  azurite = await startAzurite();
}, 12 * 60_000);

afterAll(() => azurite.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'azure-'));
  const plain = createFolderStorage('local', folder);
  sent = [];
  source = {
    ...plain,
    sendRange: (send, options) => {
      sent.push(send);
      return plain.sendRange(send, options);
    },
  };
  blobs += 1;
  name = `dir/clip ${blobs}.mov`;
  checkpoint = undefined;
  confirmations = 0;
  await useFile(SIZE);
});

afterEach(() => rm(folder, { recursive: true }));

async function useFile(sizeBytes: number): Promise<void> {
  content = randomBytes(sizeBytes);
  md5 = createHash('md5').update(content).digest('base64');
  await writeFile(join(folder, 'clip.mov'), content);
}

function target(permissions: string, lifeMs?: number): UploadTarget {
  return {
    storage_method: 'AZURE',
    upload_method: 'PUT',
    upload_url: azurite.blobUrl(name, permissions, lifeMs),
    multipart_upload_url: null,
    upload_credentials: {},
    upload_filename: 'clip.mov',
  };
}

/** iconik, as far as it gives a fresh URL of the record. */
const apiWith = (fresh: UploadTarget): IconikApi => ({ files: { getFile: async () => fresh } }) as unknown as IconikApi;

async function upload(to: UploadTarget, more: Partial<UploadObjectArgs> = {}): Promise<void> {
  const uploadObject = createUploadObject({
    api: apiWith(target('cw')),
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 30_000 ? ms : 0, signal) },
    random: () => 0,
    partSizeBytes: BLOCK,
    attempts: 2,
  });
  await uploadObject({
    source,
    path: 'clip.mov',
    sizeBytes: content.length,
    contentType: 'video/quicktime',
    target: to,
    checkpoint,
    saveCheckpoint: async (value) => {
      checkpoint = JSON.parse(JSON.stringify(value));
    },
    confirmLease: async () => {
      confirmations += 1;
    },
    signal: new AbortController().signal,
    ...more,
  });
}

/** The blob as anybody with a signature for reading sees it; null when there is none. */
async function stored() {
  const answer = await fetch(azurite.blobUrl(name, 'r'), { headers: AZURE });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 404) return null;
  return { bytes, md5: answer.headers.get('content-md5'), contentType: answer.headers.get('content-type') };
}

async function expectStored(): Promise<void> {
  const blob = await stored();
  expect(blob?.bytes.equals(content)).toBe(true);
  expect(blob).toMatchObject({ md5, contentType: 'video/quicktime' });
}

/** Stops the upload once so many blocks are confirmed. */
async function uploadUntil(blocks: number, permissions: string): Promise<void> {
  const controller = new AbortController();
  const plain = source;
  let confirmed = 0;
  const counting: StorageAccess = {
    ...plain,
    sendRange: async (send, options) => {
      const answer = await plain.sendRange(send, options);
      confirmed += 1;
      if (confirmed === blocks) controller.abort(new IsgError('stopped', 'the node stops', { retry: 'transient' }));
      return answer;
    },
  };
  const run = upload(target(permissions), { source: counting, signal: controller.signal });
  await expect(run).rejects.toMatchObject({ code: 'stopped' });
}

const blocksSent = () => sent.filter((one) => one.url.includes('comp=block&')).length;

describe('a file smaller than a block', () => {
  it('goes in one request, under a confirmed lease, with its MD5', async () => {
    await useFile(1_000);
    await upload(target('cw'));
    await expectStored();
    expect(sent).toHaveLength(1);
    expect(confirmations).toBe(1);
  });

  it('may be empty', async () => {
    await useFile(0);
    await upload(target('cw'));
    expect((await stored())?.bytes.length).toBe(0);
  });
});

describe('a larger file', () => {
  it('goes in blocks, each byte once, and appears under a confirmed lease', async () => {
    const progress: number[] = [];
    await upload(target('rcw'), { onProgress: (bytes) => progress.push(bytes) });
    await expectStored();
    expect(blocksSent()).toBe(6);
    expect(progress.at(-1)).toBe(SIZE);
    expect(confirmations).toBe(1);
  });

  it('goes on with the blocks that Azure holds, though the checkpoint was lost', async () => {
    await uploadUntil(3, 'rcw');
    const before = blocksSent();
    const held = await fetch(`${azurite.blobUrl(name, 'r')}&comp=blocklist&blocklisttype=uncommitted`, {
      headers: AZURE,
    });
    const known = (await held.text()).match(/<Block>/g)?.length ?? 0;
    expect(known).toBeGreaterThanOrEqual(3);
    checkpoint = undefined;
    await upload(target('rcw'));
    await expectStored();
    expect(blocksSent() - before).toBe(6 - known);
  });

  it('finishes what was sent before when its signature is for writing only', async () => {
    await upload(target('cw'));
    const before = blocksSent();
    // What a node saves before it asks for the end: the answer to that was lost.
    await upload(target('cw'));
    await expectStored();
    expect(blocksSent()).toBe(before);
  });

  it('is not sent again when the answer to its completion was lost', async () => {
    await upload(target('rcw'));
    const before = blocksSent();
    checkpoint = undefined;
    await upload(target('rcw'));
    await expectStored();
    expect(blocksSent()).toBe(before);
  });

  it('never mixes blocks of two contents', async () => {
    await uploadUntil(3, 'rcw');
    await useFile(SIZE);
    await upload(target('rcw'));
    await expectStored();
  });

  it('asks iconik for a fresh URL when its own has run out', async () => {
    await upload(target('cw', -60_000), { multipart: { assetId: 'asset', fileId: 'file' } });
    await expectStored();
  });

  it('drops blocks that somebody else has left with ids of another length', async () => {
    const foreign = `${azurite.blobUrl(name, 'cw')}&comp=block&blockid=${encodeURIComponent(btoa('x'))}`;
    expect((await fetch(foreign, { method: 'PUT', headers: AZURE, body: 'theirs' })).status).toBe(201);
    await upload(target('cw'));
    await expectStored();
  });
});

describe('refusals', () => {
  it.each([100, SIZE])(
    'of %d bytes that do not have their MD5: nothing appears, and it may be tried again',
    async (sizeBytes) => {
      await useFile(sizeBytes);
      const lying: StorageAccess = { ...source, digestRange: async () => 'ab'.repeat(16) };
      const error = await upload(target('cw'), { source: lying }).then(() => null, coerceError);
      expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient', fields: { storeCode: 'Md5Mismatch' } });
      expect(await stored()).toBeNull();
    },
  );

  it('of a signature that has run out, when nobody can give another', async () => {
    const error = await upload(target('cw', -60_000)).then(() => null, coerceError);
    expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(error?.message).not.toContain('sig=');
  });
});
