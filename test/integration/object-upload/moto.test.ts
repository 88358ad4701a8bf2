import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FileRecord, IconikApi, UploadTarget } from '../../../agent/iconik/api.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { type ChildGuard, createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { hasMoto, needsMoto, startMoto, type TestMoto } from '../../support/moto.ts';
import { presign, type SignedRequest } from '../../support/sigv4.ts';

const BUCKET = 'cloud';
const PART = 5 * 1024 * 1024;
const SIZE = 3 * PART + 54_321;

let folder: string;
let moto: TestMoto;
let guard: ChildGuard;
let storage: StorageAccess;
let content: Buffer;
let key: string;
let checkpoint: unknown;
/** Upload whose parts are listed in place of the right one's. */
let listedUploadId: string | null;
let keys = 0;

const path = () => `/${BUCKET}/${key}`;
const sign = (request: Omit<SignedRequest, 'path'> & { path?: string }) =>
  presign(
    { origin: moto.origin, accessKey: 'key-of-tests', secretKey: 'secret', region: 'us-east-1' },
    { path: path(), ...request },
  );
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();

beforeAll(async () => {
  if (!hasMoto) return;
  folder = await mkdtemp(join(tmpdir(), 'moto-'));
  moto = await startMoto(BUCKET);
  guard = await createChildGuard();
  storage = createStorageAccess({ storageId: 'local', mountPoint: folder, guard, log: silentLogger });
  await storage.placeMarker();
});

afterAll(async () => {
  if (!hasMoto) return;
  await storage.stop();
  await guard.stop();
  await moto.stop();
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  keys += 1;
  key = `folder/clip ${keys}+é.mov`;
  checkpoint = null;
  listedUploadId = null;
});

const files: Partial<IconikApi['files']> = {
  getFile: async (_assetId, fileId) => ({ id: fileId, file_set_id: null, url: sign({ method: 'GET' }) }) as FileRecord,
  multipartUrls: async (_assetId, _fileId, { uploadId }) => ({
    complete_url: sign({ method: 'POST', query: { uploadId } }),
    abort_url: sign({ method: 'DELETE', query: { uploadId } }),
    list_parts_url: [sign({ method: 'GET', query: { uploadId: listedUploadId ?? uploadId } })],
  }),
  multipartPartUrls: async (_assetId, _fileId, { uploadId, partsNum }) =>
    Array.from({ length: partsNum }, (_, at) => {
      const query = { uploadId, partNumber: String(at + 1) };
      return { number: at + 1, url: sign({ method: 'PUT', query }) };
    }),
};

async function upload(sizeBytes: number, more: { source?: StorageAccess; signal?: AbortSignal } = {}): Promise<void> {
  if (checkpoint === null) {
    content = randomBytes(sizeBytes);
    await writeFile(join(folder, 'clip.mov'), content);
  }
  const target: UploadTarget = {
    storage_method: 'S3',
    upload_method: 'PUT',
    upload_url: sign({ method: 'PUT' }),
    multipart_upload_url: sign({ method: 'POST', query: { uploads: '' } }),
    upload_credentials: null,
    upload_filename: null,
  };
  const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) };
  await createUploadObject({ api: { files } as IconikApi, partSizeBytes: PART, clock })({
    source: storage,
    path: 'clip.mov',
    sizeBytes: content.length,
    contentType: 'video/quicktime',
    target,
    multipart: { assetId: 'asset', fileId: 'file' },
    checkpoint,
    saveCheckpoint: async (value) => {
      checkpoint = JSON.parse(JSON.stringify(value));
    },
    confirmLease: () => Promise.resolve(),
    signal: new AbortController().signal,
    ...more,
  });
}

/** The storage, its answers to parts changed, or looked at, on their way. */
function withParts(onPart: (number: number, etag: string) => string): StorageAccess {
  return {
    ...storage,
    sendRange: async (send, options) => {
      const answer = await storage.sendRange(send, options);
      const number = Number(new URL(send.url).searchParams.get('partNumber'));
      return { ...answer, headers: { ...answer.headers, etag: onPart(number, answer.headers.etag ?? '') } };
    },
  };
}

async function stored(): Promise<{ bytes: Buffer; etag: string | null }> {
  const answer = await fetch(sign({ method: 'GET' }));
  return { bytes: Buffer.from(await answer.arrayBuffer()), etag: answer.headers.get('etag') };
}

async function openUploads(): Promise<number> {
  const answer = await fetch(sign({ method: 'GET', path: `/${BUCKET}`, query: { uploads: '' } }));
  return (await answer.text()).split('<Upload>').length - 1;
}

// moto looks neither at signatures nor at their age: that is for the stand-in, and for a real store.
describe.skipIf(!hasMoto)(`an S3 of other hands${needsMoto}`, () => {
  it('takes a small file in one request, and its URL is what the signature says', async () => {
    await upload(1_000);
    expect((await stored()).bytes.equals(content)).toBe(true);
  });

  it('takes a file in parts, its ETag is the one that we compute, and it gives the file back, also from the middle on', async () => {
    const etags: Buffer[] = [];
    const source = withParts((number, etag) => {
      etags[number - 1] = Buffer.from(etag.replaceAll('"', ''), 'hex');
      return etag;
    });
    await upload(SIZE, { source });
    const { bytes, etag } = await stored();
    expect(bytes.equals(content)).toBe(true);
    expect(etag).toBe(`"${md5(Buffer.concat(etags)).toString('hex')}-4"`);
    expect(await openUploads()).toBe(0);
    const receive = { url: sign({ method: 'GET' }), path: `back-${keys}`, sizeBytes: SIZE };
    await writeFile(join(folder, receive.path), content.subarray(0, PART + 7));
    expect(await storage.receiveFile(receive, {})).toMatchObject({ md5: md5(content).toString('hex') });
    await rm(join(folder, receive.path));
    expect(await storage.receiveFile(receive, {})).toMatchObject({ md5: md5(content).toString('hex') });
  });

  it('lists the parts it has, and they are not sent again', async () => {
    const controller = new AbortController();
    const finished = new Set<number>();
    const source = withParts((number, etag) => {
      finished.add(number);
      if (finished.size === 2) controller.abort(new IsgError('stopped', 'the node stops', { retry: 'transient' }));
      return etag;
    });
    await expect(upload(SIZE, { source, signal: controller.signal })).rejects.toMatchObject({ code: 'stopped' });
    const known = new Set(finished);
    const again: number[] = [];
    const seen = withParts((number, etag) => {
      again.push(number);
      return etag;
    });
    await upload(SIZE, { source: seen });
    expect(known.size).toBeGreaterThanOrEqual(2);
    expect(again.filter((number) => known.has(number))).toEqual([]);
    expect((await stored()).bytes.equals(content)).toBe(true);
  });

  it('refuses a part list with a wrong ETag, and its own list heals it without sending the part again', async () => {
    let isSpoiled = false;
    let sent = 0;
    const source = withParts((number, etag) => {
      sent += 1;
      if (number !== 2 || isSpoiled) return etag;
      isSpoiled = true;
      return '"00000000000000000000000000000000"';
    });
    await upload(SIZE, { source });
    expect(sent).toBe(4);
    expect((await stored()).bytes.equals(content)).toBe(true);
  });

  it('drops at the store what it will not use: an upload whose parts are refused twice', async () => {
    const uploadId = String(/<UploadId>(.*?)</.exec(await begin())?.[1]);
    const parts = [PART, PART, PART, 54_321].map((bytes, at) => {
      const query = { uploadId, partNumber: String(at + 1) };
      return fetch(sign({ method: 'PUT', query }), { method: 'PUT', body: randomBytes(bytes) });
    });
    await Promise.all(parts);
    const before = await openUploads();
    // A list that is wrong: what it says is refused, as our own was.
    listedUploadId = uploadId;
    const source = withParts(() => '"00000000000000000000000000000000"');
    await expect(upload(SIZE, { source })).rejects.toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(await openUploads()).toBe(before);
  });
});

async function begin(): Promise<string> {
  return await (await fetch(sign({ method: 'POST', query: { uploads: '' } }), { method: 'POST' })).text();
}
