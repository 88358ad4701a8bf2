/** The agent's part of the transfer bench as a process of its own: what it and its children take is the product's alone. */
import { basename } from 'node:path/posix';
import type { IconikApi, UploadTarget } from '../../../agent/iconik/api.ts';
import { createUploadObject } from '../../../agent/iconik/object-upload/create-upload-object.ts';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { keepHeapLean } from '../../../agent/runtime/lean-heap.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';

keepHeapLean();
const [sink = '', mountPoint = '', partBytes = '0'] = process.argv.slice(2);
const guard = await createChildGuard();
const access = createStorageAccess({ storageId: 'bench', mountPoint, guard, log: silentLogger });
await access.placeMarker();
const signal = new AbortController().signal;

/** What iconik would answer, without a request: the URLs of the bench's own store need no signature. */
const files: Pick<IconikApi['files'], 'multipartUrls' | 'multipartPartUrls'> = {
  multipartUrls: async (_assetId, fileId, { uploadId }) => {
    const url = `${sink}/empty/${fileId}?uploadId=${uploadId}`;
    return { complete_url: url, abort_url: url, list_parts_url: [url] };
  },
  multipartPartUrls: async (_assetId, fileId, { uploadId, partsNum }) =>
    Array.from({ length: partsNum }, (_, at) => ({
      number: at + 1,
      url: `${sink}/empty/${fileId}?partNumber=${at + 1}&uploadId=${uploadId}`,
    })),
};
const uploadObject = createUploadObject({
  api: { files } as unknown as IconikApi,
  partSizeBytes: Number(partBytes),
});

interface Order {
  direction: 'up' | 'down';
  files: string[];
  sizeBytes: number;
  md5: string;
}

async function upload(path: string, { sizeBytes }: Order): Promise<void> {
  const name = basename(path);
  const target: UploadTarget = {
    storage_method: 'S3',
    upload_method: null,
    upload_url: `${sink}/empty/${name}`,
    multipart_upload_url: `${sink}/empty/${name}?uploads`,
  } as UploadTarget;
  await uploadObject({
    source: access,
    path,
    sizeBytes,
    contentType: 'application/octet-stream',
    target,
    multipart: { assetId: 'asset', fileId: name },
    saveCheckpoint: () => Promise.resolve(),
    confirmLease: () => Promise.resolve(),
    signal,
  });
}

async function download(name: string, { sizeBytes, md5 }: Order): Promise<void> {
  const partial = `down/.isg-pro-part-${name}`;
  const digest = await access.receiveFile({ url: `${sink}/full/${name}`, path: partial, sizeBytes }, { signal });
  if (digest.md5 !== md5 || digest.changed) throw new Error(`${name} arrived with other content`);
  await access.commitFile(partial, `down/${name}`);
}

process.on('message', (order: Order | 'stop') => {
  if (order === 'stop') {
    void access
      .stop()
      .then(() => guard.stop())
      .then(() => process.exit(0));
    return;
  }
  const move = order.direction === 'up' ? upload : download;
  const startedMs = performance.now();
  Promise.all(order.files.map((name) => move(name, order))).then(
    () => process.send?.({ ms: performance.now() - startedMs }),
    (thrown: unknown) => process.send?.({ error: String(thrown) }),
  );
});
process.once('disconnect', () => process.exit(1));
process.send?.({ ms: 0 });
