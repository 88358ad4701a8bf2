/**
 * Stands for a worker that uploads one file, its checkpoint a file. What it would ask of iconik it asks of its parent, or of the
 * stand-in that it is told of.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { FileRecord, IconikApi } from '../../../agent/iconik/api.ts';
import { createIconikApi } from '../../../agent/iconik/iconik-client.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';

const [mountPoint = '', checkpointPath = '', partBytes = ''] = process.argv.slice(2);

/** Account of a stand-in. */
interface Account {
  url: string;
  appId: string;
  authToken: string;
}

const waiting = new Map<number, (answer: unknown) => void>();
let lastId = 0;
let target: FileRecord | null = null;

function ask<T>(method: string, args: unknown[]): Promise<T> {
  lastId += 1;
  const id = lastId;
  return new Promise((resolve) => {
    waiting.set(id, resolve as (answer: unknown) => void);
    process.send?.({ id, method, args });
  });
}

const files = Object.fromEntries(
  ['multipartUrls', 'multipartPartUrls', 'getFile', 'fileSetFiles'].map((method) => [
    method,
    // The last argument holds the signal, which no message can carry.
    (...args: unknown[]) => ask(method, args.slice(0, method.startsWith('multipart') ? 3 : 2)),
  ]),
);

function savedCheckpoint(): unknown {
  try {
    return JSON.parse(readFileSync(checkpointPath, 'utf8'));
  } catch {
    return null; // the first attempt
  }
}

function apiOf(account: Account | undefined): IconikApi {
  // An S3 storage that demands no MD5 with its parts.
  if (!account) return { files, storages: { get: async () => ({ settings: {} }) } } as unknown as IconikApi;
  const { url: baseUrl, appId, authToken } = account;
  const parts = { clock: systemClock, random: Math.random, log: silentLogger };
  return createIconikApi({ ...parts, baseUrl, appId, authToken, requestsPerSecond: 500 });
}

async function upload(record: FileRecord, account: Account | undefined): Promise<void> {
  const guard = await createChildGuard();
  const source = createStorageAccess({ storageId: 's', mountPoint, guard, log: silentLogger });
  const facts = await source.stat('clip.mov');
  const uploadObject = createUploadObject({
    api: apiOf(account),
    partSizeBytes: Number(partBytes),
  });
  await uploadObject({
    source,
    path: 'clip.mov',
    sizeBytes: facts?.sizeBytes ?? 0,
    mtimeNs: facts?.mtimeNs ?? '',
    contentType: 'video/quicktime',
    target: record,
    multipart: { assetId: String(record.asset_id), fileId: record.id },
    checkpoint: savedCheckpoint(),
    saveCheckpoint: async (value) => {
      writeFileSync(`${checkpointPath}.new`, JSON.stringify(value));
      renameSync(`${checkpointPath}.new`, checkpointPath);
    },
    confirmLease: () => Promise.resolve(),
    signal: new AbortController().signal,
  });
  await source.stop();
  await guard.stop();
}

process.on('message', (message: { record: FileRecord; account?: Account } | { id: number; answer: unknown }) => {
  if ('id' in message) {
    waiting.get(message.id)?.(message.answer);
    waiting.delete(message.id);
    return;
  }
  if (target) return;
  target = message.record;
  upload(message.record, message.account).then(
    () => process.exit(0),
    (thrown: unknown) => {
      process.stderr.write(`${String(thrown)}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(1));
