import { expect, it } from 'vitest';
import { coerceError } from '../../../agent/runtime/errors.ts';
import { cloudUpload } from './cloud-fixture.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

const isBlock = (url: string) => url.includes('comp=block&');

it('a file goes to Azure in blocks by a signature for writing only, with content type and MD5', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE' });
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.standIn.object(cloud.record.key)?.contentType).toBe('video/quicktime');
  expect(cloud.sent.filter((one) => isBlock(one.url))).toHaveLength(4);
  expect(cloud.standIn.state().violations).toEqual([]);
});

it('a small file goes to Azure in one request', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE' });
  await cloud.useFile(10);
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(1);
});

it('an upload to Azure goes on where its checkpoint stands when the store may not be asked', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE' });
  await cloud.upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) }).catch(() => undefined);
  cloud.sent.length = 0;
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toEqual([]);
});

it.each([true, false])('blocks that Azure dropped after a week are sent anew (may ask: %s)', async (mayRead) => {
  await using cloud = await cloudUpload({ method: 'AZURE', cloudSettings: { sas_may_read: mayRead } });
  await cloud.upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) }).catch(() => undefined);
  cloud.clock.aheadMs = WEEK_MS + HOUR_MS;
  cloud.sent.length = 0;
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
  expect(cloud.sent).toHaveLength(4);
});

it('an upload to Azure asks iconik for a fresh URL, once, when its own runs out underway', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE', urlLifetimeMs: HOUR_MS });
  cloud.intercept = (send, pass) => {
    if (cloud.sent.length === 3) cloud.clock.aheadMs = 2 * HOUR_MS;
    return pass(send);
  };
  await cloud.upload();
  expect(cloud.isStored()).toBe(true);
});

it('a block of which other bytes arrived is refused, and the blob does not appear', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE' });
  cloud.intercept = (send, pass) => pass({ ...send, offsetBytes: Math.max(0, send.offsetBytes - 1) });
  const error = await cloud.upload().then(() => null, coerceError);
  expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient', fields: { storeCode: 'Md5Mismatch' } });
  expect(cloud.isStored()).toBe(false);
});

it('a file that does not have the MD5 its caller names is refused', async () => {
  await using cloud = await cloudUpload({ method: 'AZURE' });
  await cloud.useFile(1_000);
  const error = await cloud.upload({ md5: 'ab'.repeat(16) }).then(() => null, coerceError);
  expect(error).toMatchObject({ code: 'upload-refused', fields: { storeCode: 'Md5Mismatch' } });
  expect(cloud.isStored()).toBe(false);
});
