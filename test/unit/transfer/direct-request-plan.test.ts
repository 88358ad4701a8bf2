import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  directPath,
  entityTag,
  parseDirectRequest,
  planRange,
} from '../../../agent/roles/transfer/direct/direct-request-plan.ts';

const [transferId, storageId, fileId, userId] = [1, 2, 3, 4].map(
  (digit) => `${String(digit).repeat(8)}-0000-4000-8000-00000000000A`,
) as [string, string, string, string];
const path = directPath(transferId, storageId, fileId);
const query = `?user_id=${userId}&signature=abcdefgh-_~`;

describe('a request to the listener', () => {
  it('names a transfer, a storage and a file by ids, and carries a signature', () => {
    const file = {
      kind: 'file',
      transferId: transferId.toLowerCase(),
      storageId: storageId.toLowerCase(),
      fileId: fileId.toLowerCase(),
      userId: userId.toLowerCase(),
      signature: 'abcdefgh-_~',
    };
    expect(parseDirectRequest('GET', path + query)).toEqual(file);
    expect(parseDirectRequest('HEAD', `${path.slice(0, -1)}${query}&more=1`)).toEqual(file);
    expect(parseDirectRequest('GET', '/v1/healthcheck/?x')).toEqual({ kind: 'health' });
    expect(parseDirectRequest('PUT', path + query)).toEqual({ kind: 'method-refused' });
  });

  it.each([
    path,
    `${path}?user_id=${userId}`,
    `${path}?user_id=${userId}&signature=`,
    `${path}?user_id=..%2f&signature=abcdefgh`,
    `${path}?user_id=${userId}&signature=abcdefgh&signature=abcdefgh`,
    `${path}?user_id=${userId}&signature=${'x'.repeat(3000)}`,
    `${path}?user_id=${userId}&signature=abc%0d%0adefgh`,
    `/v1/transfers/../healthcheck/${query}`,
    `/v1/transfers/${transferId}/storages/${storageId}/files/..%2f..%2fetc/${query}`,
    `/v1/transfers/${transferId}/storages/${storageId}/files/${fileId}/../x/${query}`,
    `//evil${path}${query}`,
    `http://127.0.0.1${path}${query}`,
    `*`,
    '',
  ])('is for nothing: %s', (target) => {
    expect(parseDirectRequest('GET', target)).toEqual({ kind: 'unknown' });
  });

  it('never throws and never names what is no id', () => {
    const id = /^[0-9a-f-]{36}$/;
    const isHarmless = (target: string) => {
      const asked = parseDirectRequest('GET', target);
      return asked.kind !== 'file' || [asked.transferId, asked.storageId, asked.fileId].every((one) => id.test(one));
    };
    // As node hands over what came on the wire: one character a byte.
    const odd = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    const holds = fc.property(odd, (text) =>
      [text, `/v1/transfers/${text}${query}`, path + text, `${path}?${text}`].every(isHarmless),
    );
    fc.assert(holds, { numRuns: 100 });
  });
});

describe('the range that is sent', () => {
  const tag = entityTag({ sizeBytes: 100, mtimeNs: '5' });
  const plan = (headers: Parameters<typeof planRange>[0], sizeBytes = 100) => planRange(headers, { sizeBytes, tag });
  const whole = { status: 200, start: 0, end: 100 };

  it.each([
    ['bytes=0-', { status: 206, start: 0, end: 100 }],
    ['bytes=10-19', { status: 206, start: 10, end: 20 }],
    ['bytes=99-5000', { status: 206, start: 99, end: 100 }],
    ['bytes=-7', { status: 206, start: 93, end: 100 }],
    ['bytes=-700', { status: 206, start: 0, end: 100 }],
    ['bytes=100-', { status: 416 }],
    ['bytes=-0', { status: 416 }],
    // What is no single range of bytes counts as none.
    ['bytes=9-3', whole],
    ['bytes=1-2,4-5', whole],
    ['bytes=-', whole],
    ['lines=1-2', whole],
    [`bytes=${'9'.repeat(40)}-`, whole],
  ])('of %s', (range, sent) => {
    expect(plan({ range })).toEqual(sent);
  });

  it('is the whole of another file than the one that was begun, or none when that one is demanded', () => {
    expect(plan({ range: 'bytes=5-', ifRange: tag })).toMatchObject({ status: 206 });
    expect(plan({ range: 'bytes=5-', ifRange: '"100-6"' })).toEqual(whole);
    expect(plan({ range: 'bytes=5-', ifRange: `W/${tag}` })).toEqual(whole);
    expect(plan({ ifMatch: '"100-6"' })).toEqual({ status: 412 });
    expect(plan({ ifMatch: `"x", ${tag}` })).toEqual(whole);
    expect(plan({ ifNoneMatch: `W/${tag}` })).toEqual({ status: 304 });
    expect(plan({ range: 'bytes=0-' }, 0)).toEqual({ status: 416 });
    expect(plan({}, 0)).toEqual({ status: 200, start: 0, end: 0 });
  });

  it('lies in the file, whatever is asked', () => {
    const isInside = (sizeBytes: number, range: string) => {
      const sent = plan({ range }, sizeBytes);
      return !('start' in sent) || (0 <= sent.start && sent.start <= sent.end && sent.end <= sizeBytes);
    };
    const holds = fc.property(fc.nat(), fc.string({ maxLength: 20 }), fc.nat(), fc.nat(), (sizeBytes, odd, from, to) =>
      [odd, `bytes=${odd}`, `bytes=${from}-${to}`, `bytes=-${from}`].every((range) => isInside(sizeBytes, range)),
    );
    fc.assert(holds, { numRuns: 100 });
  });
});
