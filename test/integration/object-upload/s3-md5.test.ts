import { expect, it } from 'vitest';
import { type CloudUpload, cloudUpload, SIZE } from './cloud-fixture.ts';

const BOUND = { method: 'S3', cloudSettings: { presign_md5_checksum: true } } as const;

const HOUR_MS = 3_600_000;

/** Ids of multipart uploads that the store still holds parts of. */
async function isOpen({ api, record }: CloudUpload, uploadId: string): Promise<boolean> {
  const { assetId, fileId, kind } = record;
  const shelf = kind === 'proxy' ? api.proxies : api.files;
  const { list_parts_url: urls } = await shelf.multipartUrls(assetId, fileId, { uploadId, type: 'list_parts_url' });
  return (await fetch(urls[0] ?? '')).status === 200;
}

it('parts are bound to their MD5 on a storage with presign_md5_checksum', async () => {
  await using cloud = await cloudUpload(BOUND);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent.every((one) => one.url.includes('content-md5=') && one.headers['content-md5'])).toBe(true);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it('a file in one request carries its MD5 on such a storage', async () => {
  await using cloud = await cloudUpload(BOUND);
  await cloud.useFile(1_000);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a bound part URL that has run out is asked for again', async () => {
  await using cloud = await cloudUpload({ ...BOUND, urlLifetimeMs: HOUR_MS });
  cloud.intercept = (send, pass) => {
    if (cloud.sent.length === 2) cloud.clock.aheadMs = 2 * HOUR_MS;
    return pass(send);
  };
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a proxy larger than a part goes by multipart, in parts, each byte once', async () => {
  await using cloud = await cloudUpload({ method: 'S3', kind: 'proxy' });
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(4);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it.each(['file', 'proxy'] as const)('a %s of other content drops the upload of the former one', async (kind) => {
  await using cloud = await cloudUpload({ method: 'S3', kind });
  await cloud.uploadUntil(2);
  const { uploadId } = cloud.checkpoint as { uploadId: string };
  expect(await isOpen(cloud, uploadId)).toBe(true);
  await cloud.useFile(SIZE);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(await isOpen(cloud, uploadId)).toBe(false);
});

it('an upload that nobody goes on with is aborted, twice if need be', async () => {
  await using cloud = await cloudUpload({ method: 'S3' });
  await cloud.uploadUntil(2);
  const { uploadId } = cloud.checkpoint as { uploadId: string };
  const { assetId } = cloud.record;
  const abandoned = { assetId, checkpoint: cloud.checkpoint, signal: new AbortController().signal };
  await cloud.uploadObject.abandon(abandoned);
  await cloud.uploadObject.abandon(abandoned);
  expect(await isOpen(cloud, uploadId)).toBe(false);
});

it('what cannot be dropped now is left to the store: abandoning never throws', async () => {
  await using cloud = await cloudUpload({ method: 'S3' });
  await cloud.uploadUntil(2);
  const { checkpoint, record } = cloud;
  await cloud.standIn.close();
  await cloud.uploadObject.abandon({ assetId: record.assetId, checkpoint, signal: AbortSignal.timeout(5_000) });
  await cloud.uploadObject.abandon({
    assetId: record.assetId,
    checkpoint: 'no checkpoint',
    signal: AbortSignal.abort(),
  });
});
