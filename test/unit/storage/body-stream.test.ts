import { expect, it } from 'vitest';
import { isPlainTarget, parseHead } from '../../../agent/storage/process/body-stream.ts';

it('reads status and headers, names in lower case, repeated ones joined', () => {
  const head = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nX-A:1\r\nx-a:  2 \r\nETag: "a: b"\r\nX-Empty:';
  expect(parseHead(head)).toEqual({
    statusCode: 206,
    headers: { 'content-length': '12', 'x-a': '1, 2', etag: '"a: b"', 'x-empty': '' },
  });
});

it.each([
  'HTTP/2 200\r\nA: b',
  'SSH-2.0-x',
  '',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 200 OK\r\n folded: b',
  'HTTP/1.1 200 OK\r\nno colon',
  'HTTP/1.1 200 OK\r\nA : b',
  'HTTP/1.1 200 OK\nContent-Length: 5',
  'HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5',
  'HTTP/1.1 200 OK\r\nA: b\u0001',
])('refuses what is no head of an answer: %j', (head) => {
  expect(parseHead(head)).toBeNull();
});

it('leaves proxies and passwords to node:http', () => {
  const nothing = { httpsProxy: null, extraCa: null };
  expect(isPlainTarget(new URL('https://host/a'), { ...nothing, extraCa: 'PEM' })).toBe(false);
  expect(isPlainTarget(new URL('https://user:word@host/a'), nothing)).toBe(false);
  expect(isPlainTarget(new URL('https://host/a'), { ...nothing, httpsProxy: 'http://proxy:3128' })).toBe(false);
});

it('reads a head of the longest kind in one pass, whatever its spaces are followed by', () => {
  // A pattern that tries all ways to share the spaces out would take hours.
  const spaces = ' \t'.repeat(8_000);
  expect(parseHead(`HTTP/1.1 200 OK\r\nA:${spaces}b${spaces}\u0001`)).toBeNull();
  expect(parseHead(`HTTP/1.1 200 OK\r\nA:${spaces}b${spaces}c${spaces}`)?.headers).toEqual({ a: `b${spaces}c` });
});
