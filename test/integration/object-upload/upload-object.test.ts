import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileRecord } from '../../../agent/iconik/api.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import type { UploadObjectArgs } from '../../../agent/iconik/object-upload/upload-object.ts';
import { type Clock, systemClock } from '../../../agent/runtime/clock.ts';
import { coerceError, IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { ObjectStoreDouble } from '../../support/object-store-double.ts';
import { createFolderStorage } from '../transfer/folder-storage.ts';
import { IconikDouble } from '../transfer/iconik-double.ts';

const MEBIBYTE = 1024 * 1024;
const PART = 5 * MEBIBYTE;
const SIZE = 3 * PART + 12_345;
const LONGEST_RETRY_MS = 30_000;
const KEY = 'cloud/dir/clip.mov';

let folder: string;
let store: ObjectStoreDouble;
let iconik: IconikDouble;
let source: StorageAccess;
let content: Buffer;
let mtimeNs: string;
let checkpoint: unknown;
let confirmations: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upload-'));
  store = new ObjectStoreDouble();
  await store.start();
  iconik = new IconikDouble(store);
  source = createFolderStorage('local', folder);
  checkpoint = undefined;
  confirmations = 0;
  await useFile(SIZE);
});

afterEach(async () => {
  await store.stop();
  await rm(folder, { recursive: true });
});

async function useFile(sizeBytes: number): Promise<void> {
  content = randomBytes(sizeBytes);
  await writeFile(join(folder, 'clip.mov'), content);
  mtimeNs = (await source.stat('clip.mov'))?.mtimeNs ?? '';
}

/** A record on a cloud storage of this kind, as the answer to its creation showed it. */
async function record(method: string): Promise<FileRecord> {
  iconik.methods.set('cloud', method);
  const where = { storage_id: 'cloud', directory_path: 'dir', name: 'clip.mov', file_set_id: 'set' };
  return await iconik.api().files.createFile('asset', where);
}

/** Waits between tries cost no time; the watch over stalled sends keeps its real length. */
const patientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms > LONGEST_RETRY_MS ? ms : 0, signal),
};

function upload(target: FileRecord, more: Partial<UploadObjectArgs> = {}, proxyUrl?: string): Promise<void> {
  // Sizes small enough for a test; no waiting between tries.
  const uploadObject = createUploadObject({
    api: iconik.api(),
    clock: patientClock,
    random: () => 0,
    partSizeBytes: PART,
    chunkSizeBytes: 5 * MEBIBYTE,
    attempts: 3,
    proxyUrl,
  });
  return uploadObject({
    source,
    path: 'clip.mov',
    sizeBytes: content.length,
    mtimeNs,
    contentType: 'video/quicktime',
    target,
    multipart: { assetId: 'asset', fileId: target.id },
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

async function failure(run: Promise<void>): Promise<IsgError> {
  try {
    await run;
  } catch (thrown) {
    return coerceError(thrown);
  }
  throw new Error('the upload should have failed');
}

/** Aborts once the store has confirmed this many requests of an operation. */
function abortAfter(operation: string, confirmed: number): AbortController {
  const controller = new AbortController();
  store.misbehave = (request) => {
    if (
      request.operation === operation &&
      store.seen.filter((one) => one.operation === operation && one.status !== 'dropped').length >= confirmed
    ) {
      controller.abort(new IsgError('stopped', 'the node stops', { retry: 'transient' }));
    }
    return null;
  };
  return controller;
}

/** Misbehaves at the first request of an operation only. */
function once(operation: string, fault: ReturnType<ObjectStoreDouble['misbehave']>): void {
  let isSpent = false;
  store.misbehave = (request) => {
    if (isSpent || request.operation !== operation) return null;
    isSpent = true;
    return fault;
  };
}

const stored = () => store.objects.get(KEY);

describe('S3', () => {
  it('sends a file smaller than a part in one request, under a confirmed lease', async () => {
    await useFile(1_000);
    await upload(await record('S3'));
    expect(stored()?.bytes.equals(content)).toBe(true);
    expect(store.seen.map((one) => one.operation)).toEqual(['put']);
    expect(confirmations).toBe(1);
  });

  it('sends an empty file', async () => {
    await useFile(0);
    await upload(await record('S3'));
    expect(stored()?.bytes.length).toBe(0);
  });

  it('sends a larger file in parts, each byte once', async () => {
    const progress: number[] = [];
    await upload(await record('S3'), { onProgress: (bytes) => progress.push(bytes) });
    expect(stored()?.bytes.equals(content)).toBe(true);
    expect(store.count('part')).toBe(4);
    expect(store.receivedBytes).toBe(SIZE);
    expect(progress.at(-1)).toBe(SIZE);
    expect(confirmations).toBe(1);
  });

  it('sends a large file in one request when the record has no multipart URLs', async () => {
    const target = await record('S3');
    await createUploadObject({ api: iconik.api(), partSizeBytes: PART })({
      source,
      path: 'clip.mov',
      sizeBytes: SIZE,
      contentType: 'video/quicktime',
      target,
      saveCheckpoint: async () => undefined,
      confirmLease: async () => undefined,
      signal: new AbortController().signal,
    });
    expect(stored()?.bytes.equals(content)).toBe(true);
    expect(store.count('put')).toBe(1);
  });

  it('starts and completes by way of the proxy that is configured', async () => {
    const seen: string[] = [];
    const proxy = createServer((asked, answer) => {
      seen.push(String(asked.url));
      const forwarded = request(String(asked.url), { method: asked.method, headers: asked.headers }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        got.pipe(answer);
      });
      asked.pipe(forwarded);
    });
    proxy.on('connect', (asked, client: Socket) => {
      seen.push(String(asked.url));
      const [host, port] = String(asked.url).split(':');
      const through = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        through.pipe(client).pipe(through);
      });
      for (const socket of [through, client]) socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const target = await record('S3');
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    await upload(target, {}, proxyUrl).finally(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    expect(stored()?.bytes.equals(content)).toBe(true);
    expect(seen.length).toBeGreaterThan(0);
  });

  it('does not send finished parts again after an abort', async () => {
    await useFile(10 * PART);
    const target = await record('S3');
    const controller = abortAfter('part', 4);
    expect((await failure(upload(target, { signal: controller.signal }))).code).toBe('stopped');
    const confirmed = new Set(
      store.seen.filter((one) => one.operation === 'part' && one.status === 200).map((one) => one.partNumber),
    );
    expect(confirmed.size).toBeGreaterThanOrEqual(4);
    store.misbehave = () => null;
    const before = store.seen.length;
    await upload(target);
    const resent = store.seen
      .slice(before)
      .filter((one) => one.operation === 'part')
      .map((one) => one.partNumber);
    expect(resent.filter((number) => confirmed.has(number))).toEqual([]);
    expect(store.count('initiate')).toBe(1);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('repeats a part whose answer was lost, whose store was busy, or whose connection broke', async () => {
    const faults = new Map<number | null, ReturnType<ObjectStoreDouble['misbehave']>>([
      [1, { kind: 'drop-after-commit' }],
      [2, { kind: 'answer', status: 503 }],
      [3, { kind: 'drop' }],
    ]);
    store.misbehave = ({ operation, partNumber }) => {
      const fault = operation === 'part' ? (faults.get(partNumber) ?? null) : null;
      faults.delete(partNumber);
      return fault;
    };
    await upload(await record('S3'));
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('counts a completion whose answer was lost as done once the object is recognised, and sends nothing again', async () => {
    once('complete', { kind: 'drop-after-commit' });
    await upload(await record('S3'));
    expect(stored()).toMatchObject({ writes: 1 });
    expect(store.receivedBytes).toBe(SIZE);
    expect(store.count('get')).toBe(1);
  });

  it('recognises the object also in the attempt after a kill', async () => {
    const target = await record('S3');
    const controller = new AbortController();
    once('complete', { kind: 'drop-after-commit' });
    const stop = () => controller.abort(new IsgError('stopped', 'killed', { retry: 'transient' }));
    const confirmLease = async () => {
      if (store.count('complete') > 0) stop();
      controller.signal.throwIfAborted();
    };
    await failure(upload(target, { signal: controller.signal, confirmLease }));
    await upload(target);
    expect(stored()).toMatchObject({ writes: 1 });
    expect(store.receivedBytes).toBe(SIZE);
  });

  it('begins anew when the upload is gone and the object is not ours', async () => {
    const target = await record('S3');
    const controller = abortAfter('part', 2);
    await failure(upload(target, { signal: controller.signal }));
    store.forgetUnfinished();
    store.misbehave = () => null;
    await upload(target);
    expect(store.count('initiate')).toBe(2);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('does not take an older object of the same length for its own', async () => {
    const target = await record('S3');
    store.objects.set(KEY, { bytes: randomBytes(SIZE), etag: 'ffffffffffffffffffffffffffffffff-4', writes: 1 });
    once('complete', { kind: 'answer', status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' });
    await upload(target);
    expect(store.count('initiate')).toBe(2);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('does not believe a 200 that carries an error', async () => {
    once('complete', { kind: 'answer', status: 200, body: '<Error><Code>InternalError</Code></Error>' });
    await upload(await record('S3'));
    expect(store.count('complete')).toBe(2);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('heals a wrong ETag by the list of the store, without sending the parts again', async () => {
    once('part', { kind: 'wrong-etag' });
    await upload(await record('S3'));
    expect(store.count('complete')).toBe(2);
    expect(store.receivedBytes).toBe(SIZE);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('fetches fresh part URLs when they run out underway', async () => {
    let isSpent = false;
    store.misbehave = ({ operation }) => {
      if (
        !isSpent &&
        operation === 'part' &&
        store.seen.filter((one) => one.status === 200 && one.operation === 'part').length === 1
      ) {
        isSpent = true;
        store.expireUrls();
      }
      return null;
    };
    await upload(await record('S3'));
    expect(store.seen.some((one) => one.status === 403)).toBe(true);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('reads a list of parts that ends early together with its own memory', async () => {
    const target = await record('S3');
    store.partsPerPage = 1;
    const controller = abortAfter('part', 2);
    await failure(upload(target, { signal: controller.signal }));
    store.misbehave = () => null;
    await upload(target);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('ignores a checkpoint of other content', async () => {
    const target = await record('S3');
    const controller = abortAfter('part', 2);
    await failure(upload(target, { signal: controller.signal }));
    store.misbehave = () => null;
    await useFile(SIZE);
    await upload(target);
    expect(store.count('initiate')).toBe(2);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('does not complete when the lease is not confirmed', async () => {
    const confirmLease = () => Promise.reject(new IsgError('lease-lost', 'not yours', { retry: 'transient' }));
    expect((await failure(upload(await record('S3'), { confirmLease }))).code).toBe('lease-lost');
    expect(store.count('complete')).toBe(0);
    expect(stored()).toBeUndefined();
  });

  it('refuses a file that changed underway', async () => {
    const target = await record('S3');
    store.misbehave = () => null;
    const saveCheckpoint = async () => await writeFile(join(folder, 'clip.mov'), randomBytes(SIZE + 1));
    const error = await failure(upload(target, { saveCheckpoint }));
    expect(error).toMatchObject({ code: 'file-changed', retry: 'permanent' });
    expect(store.count('complete')).toBe(0);
  });
});

describe('GCS', () => {
  it('sends chunks through one session', async () => {
    await upload(await record('GCS'));
    expect(stored()?.bytes.equals(content)).toBe(true);
    expect(store.count('chunk')).toBe(4);
    expect(store.receivedBytes).toBe(SIZE);
    expect(confirmations).toBe(1);
  });

  it('sends an empty file', async () => {
    await useFile(0);
    await upload(await record('GCS'));
    expect(stored()?.bytes.length).toBe(0);
    expect(confirmations).toBeGreaterThan(0);
  });

  it('goes on where the store stands after an abort', async () => {
    const target = await record('GCS');
    const controller = abortAfter('chunk', 2);
    await failure(upload(target, { signal: controller.signal }));
    store.misbehave = () => null;
    await upload(target);
    expect(store.count('start')).toBe(1);
    expect(store.receivedBytes).toBeLessThanOrEqual(SIZE + PART);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('gives the file to nobody whom iconik did not name, whatever the store says where the session is', async () => {
    const target = await record('GCS');
    const elsewhere = createServer((_incoming, response) => response.writeHead(200).end());
    const seen: string[] = [];
    elsewhere.on('request', ({ method }) => seen.push(String(method)));
    const start = createServer((incoming, response) => {
      incoming.resume();
      const { port } = elsewhere.address() as AddressInfo;
      response.writeHead(201, { location: `http://127.0.0.1:${port}/session` }).end();
    });
    for (const server of [elsewhere, start])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(start.address() as AddressInfo).port}/start`;
    const refused = await upload({ ...target, upload_url: url }).catch((thrown: unknown) => coerceError(thrown));
    for (const server of [elsewhere, start]) server.close();
    expect(refused).toMatchObject({ code: 'upload-refused', retry: 'permanent' });
    expect(seen).toEqual([]);
  });

  it('asks instead of guessing when the answer to the last chunk is lost', async () => {
    store.misbehave = ({ operation }) => {
      const isLast = operation === 'chunk' && store.count('chunk') === 4;
      return isLast ? { kind: 'drop-after-commit' } : null;
    };
    await upload(await record('GCS'));
    expect(stored()).toMatchObject({ writes: 1 });
    expect(store.receivedBytes).toBe(SIZE);
  });

  it('starts a new session when the old one is gone', async () => {
    const target = await record('GCS');
    const controller = abortAfter('chunk', 2);
    await failure(upload(target, { signal: controller.signal }));
    store.misbehave = () => null;
    store.forgetUnfinished();
    await upload(target);
    expect(store.count('start')).toBe(2);
    expect(stored()?.bytes.equals(content)).toBe(true);
  });

  it('gives up for now on a store that keeps nothing', async () => {
    store.misbehave = ({ operation }) => (operation === 'chunk' ? { kind: 'answer', status: 308 } : null);
    expect(await failure(upload(await record('GCS')))).toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(store.count('chunk')).toBeLessThanOrEqual(3);
  });
});

describe('refusals', () => {
  it('are transient for a signed URL that has run out, and name no signature', async () => {
    const target = await record('S3');
    store.expireUrls();
    const error = await failure(upload(target));
    expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(`${error.message} ${JSON.stringify(error.fields)}`).not.toMatch(/signature|X-/i);
  });

  it('are permanent for a store that forbids the object', async () => {
    await useFile(1_000);
    store.misbehave = () => ({ kind: 'answer', status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>' });
    const error = await failure(upload(await record('S3')));
    expect(error).toMatchObject({ code: 'upload-refused', retry: 'permanent' });
    expect(error.message).toContain('PreconditionFailed');
  });

  it('are transient, after some tries, for a store that is away', async () => {
    const target = await record('S3');
    store.misbehave = () => ({ kind: 'drop' });
    expect(await failure(upload(target))).toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(store.count('initiate')).toBe(3);
  });

  it.each(['FTP', 'SOMETHING'])('are permanent for storages of kind %s', async (method) => {
    const error = await failure(upload(await record(method)));
    expect(error).toMatchObject({ code: 'upload-refused', retry: 'permanent' });
    expect(error.message).toContain(method);
  });
});
