import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { judgeCopy } from '../../../agent/iconik/object-upload/look-at-copy.ts';
import { coerceError } from '../../../agent/runtime/errors.ts';

const md5 = createHash('md5').update('seven..').digest('hex');
const base64 = Buffer.from(md5, 'hex').toString('base64');
const other = Buffer.alloc(16).toString('base64');

const judge = (status: number, headers: Record<string, string> = {}, body = '', sizeBytes = 7) => {
  try {
    return judgeCopy({ status, headers, body }, { sizeBytes, md5 });
  } catch (thrown) {
    const { code, retry } = coerceError(thrown);
    return `${code} ${retry}`;
  }
};

it('takes a copy for there only when the store shows it in its size, and with its MD5 where it names one', () => {
  const range = { 'content-range': 'bytes 0-0/7' };
  expect(judge(206, range)).toBe('there');
  expect(judge(206, { 'content-range': 'bytes 0-0/6' })).toBe('differs');
  expect(judge(200, { 'content-length': '7' })).toBe('there');
  expect(judge(416, { 'content-range': 'bytes */0' }, '', 0)).toBe('there');
  expect(judge(206, { ...range, 'x-goog-hash': `crc32c=AAAAAA==, md5=${base64}` })).toBe('there');
  expect(judge(206, { ...range, 'x-goog-hash': `md5=${other}` })).toBe('differs');
  expect(judge(206, { ...range, 'x-ms-blob-content-md5': other })).toBe('differs');
  // Of the byte that was sent, not of the object; and an ETag is no digest in encrypted buckets.
  expect(judge(206, { ...range, 'content-md5': other, etag: '"0"' })).toBe('there');
});

it('tells an object that is gone, or must be restored first, from a store that does not say', () => {
  expect(judge(404)).toBe('absent');
  expect(judge(403, {}, '<Error><Code>InvalidObjectState</Code></Error>')).toBe('there');
  for (const status of [400, 401, 403, 206, 302]) expect(judge(status)).toBe('download-refused transient');
});
