import { expect, it } from 'vitest';
import { coerceError } from '../../../agent/runtime/errors.ts';
import { useCloud } from './cloud-fixture.ts';

const cloudUpload = useCloud('AZURE');

const WEEK_MS = 7 * 24 * 3_600_000;

const isBlock = (url: string) => url.includes('comp=block&');

it('a file goes to Azure in blocks by a signature for writing only, with content type and MD5', async () => {
  const cloud = await cloudUpload();
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.standIn.object(cloud.record.key)?.contentType).toBe('video/quicktime');
  expect(cloud.sent.filter((one) => isBlock(one.url))).toHaveLength(3);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it('a small file goes to Azure in one request', async () => {
  const cloud = await cloudUpload();
  await cloud.useFile(10);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(1);
});

it('an upload to Azure goes on where its checkpoint stands when the store may not be asked', async () => {
  const cloud = await cloudUpload();
  await cloud.upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) }).catch(() => undefined);
  cloud.sent.length = 0;
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toEqual([]);
});

it.each([true, false])('blocks that Azure dropped after a week are sent anew (may ask: %s)', async (mayRead) => {
  const cloud = await cloudUpload({ settings: { sas_may_read: mayRead } });
  await cloud.upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) }).catch(() => undefined);
  cloud.clock.aheadMs += WEEK_MS + 1_000;
  cloud.sent.length = 0;
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(3);
});

it('an upload to Azure asks iconik for a fresh URL, once, when its own runs out underway', async () => {
  const cloud = await cloudUpload();
  cloud.expireAtSecondSend();
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a block of which other bytes arrived is refused, and the blob does not appear', async () => {
  const cloud = await cloudUpload();
  cloud.intercept = (send, pass) => pass({ ...send, offsetBytes: Math.max(0, send.offsetBytes - 1) });
  const error = await cloud.upload().then(() => null, coerceError);
  expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient', fields: { storeCode: 'Md5Mismatch' } });
  expect(cloud.isStored()).toBe(false);
});

it('a file that does not have the MD5 its caller names is refused', async () => {
  const cloud = await cloudUpload();
  await cloud.useFile(1_000);
  const error = await cloud.upload({ md5: 'ab'.repeat(16) }).then(() => null, coerceError);
  expect(error).toMatchObject({ code: 'upload-refused', fields: { storeCode: 'Md5Mismatch' } });
  expect(cloud.isStored()).toBe(false);
});
