import { expect, it } from 'vitest';
import { type CloudUpload, SIZE, useCloud } from './cloud-fixture.ts';

const cloudUpload = useCloud('S3');

const BOUND = { settings: { presign_md5_checksum: true } };

/** Ids of multipart uploads that the store still holds parts of. */
async function isOpen({ api, record }: CloudUpload, uploadId: string): Promise<boolean> {
  const { assetId, fileId, kind } = record;
  const shelf = kind === 'proxy' ? api.proxies : api.files;
  const { list_parts_url: urls } = await shelf.multipartUrls(assetId, fileId, { uploadId, type: 'list_parts_url' });
  return (await fetch(urls[0] ?? '')).status === 200;
}

it('parts are bound to their MD5 on a storage with presign_md5_checksum', async () => {
  const cloud = await cloudUpload(BOUND);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent.every((one) => one.url.includes('content-md5=') && one.headers['content-md5'])).toBe(true);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it('a file in one request carries its MD5 on such a storage', async () => {
  const cloud = await cloudUpload(BOUND);
  await cloud.useFile(1_000);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a bound part URL that has run out is asked for again', async () => {
  const cloud = await cloudUpload(BOUND);
  cloud.expireAtSecondSend();
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a proxy larger than a part goes by multipart, in parts, each byte once', async () => {
  const cloud = await cloudUpload({ kind: 'proxy' });
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(3);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it.each(['file', 'proxy'] as const)('a %s of other content drops the upload of the former one', async (kind) => {
  const cloud = await cloudUpload({ kind });
  await cloud.uploadUntil(2);
  const { uploadId } = cloud.checkpoint as { uploadId: string };
  expect(await isOpen(cloud, uploadId)).toBe(true);
  await cloud.useFile(SIZE);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(await isOpen(cloud, uploadId)).toBe(false);
});

it('an upload that nobody goes on with is aborted, twice if need be', async () => {
  const cloud = await cloudUpload();
  await cloud.uploadUntil(2);
  const { uploadId } = cloud.checkpoint as { uploadId: string };
  const { assetId } = cloud.record;
  const abandoned = { assetId, checkpoint: cloud.checkpoint, signal: new AbortController().signal };
  await cloud.uploadObject.abandon(abandoned);
  await cloud.uploadObject.abandon(abandoned);
  expect(await isOpen(cloud, uploadId)).toBe(false);
});

it('what cannot be dropped now is left to the store: abandoning never throws', async () => {
  const cloud = await cloudUpload();
  await cloud.uploadUntil(2);
  const { checkpoint, record } = cloud;
  cloud.standIn.setFaults({ outage: true });
  await cloud.uploadObject.abandon({ assetId: record.assetId, checkpoint, signal: AbortSignal.timeout(1_000) });
  await cloud.uploadObject.abandon({
    assetId: record.assetId,
    checkpoint: 'no checkpoint',
    signal: AbortSignal.abort(),
  });
});
