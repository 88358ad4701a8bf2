import { describe, expect, test } from 'vitest';
import { provesNothingCreated } from '../../../agent/iconik/creation/refusal.ts';
import {
  failureOfAbort,
  failureOfStatus,
  failureOfTimeout,
  failureOfTransport,
  failureOfUnreadable,
} from '../../../agent/iconik/http-failure.ts';

const CALL = { method: 'POST', path: '/API/assets/v1/assets/' };
const JSON_BODY = '{"errors":["wrong"]}';
const HTML_BODY = '<html><body>Bad <b>Gateway</b></body></html>';
const ofStatus = (status: number, text = JSON_BODY) => failureOfStatus(CALL, { status, text, retryAfterMs: null });

describe('classification of an answer', () => {
  test.each([
    [400, 'iconik-rejected', 'permanent'],
    [401, 'iconik-unauthorized', 'transient'],
    [403, 'iconik-forbidden', 'permanent'],
    [404, 'iconik-not-found', 'permanent'],
    [408, 'iconik-unreachable', 'transient'],
    [409, 'iconik-conflict', 'permanent'],
    [425, 'iconik-rejected', 'transient'],
    [429, 'iconik-throttled', 'transient'],
    [500, 'iconik-unreachable', 'transient'],
    [501, 'iconik-rejected', 'permanent'],
    [502, 'iconik-unreachable', 'transient'],
    [302, 'iconik-answer-unreadable', 'permanent'],
  ] as const)('%i is %s, %s', (status, code, retry) => {
    expect(ofStatus(status)).toMatchObject({ code, retry, fields: { status, sent: true, fromIconik: true } });
  });

  test.each([
    ['{"errors":["too long","odd"]}', 'too long; odd'],
    ['{"errors":{"title":"missing","size":["a","b"]}}', 'title: missing; size: a; b'],
    ['{"message":"nope"}', 'message: nope'],
  ])('the words of %s are quoted', (text, words) => {
    expect(ofStatus(400, text).message).toContain(words);
  });

  test('HTML of a load balancer is told apart, without its tags, and is transient', () => {
    const error = ofStatus(404, HTML_BODY);
    expect(error).toMatchObject({ retry: 'transient', fields: { fromIconik: false } });
    expect(error.message).toContain('Something between here and iconik answered 404');
    expect(error.message).toContain('Bad Gateway');
    expect(error.message).not.toContain('<b>');
  });

  test.each([404, 409])('%i of a load balancer says nothing about a record of iconik', (status) => {
    expect(ofStatus(status, HTML_BODY).code).toBe('iconik-unreachable');
  });

  test('a wrong token says where to correct it', () => {
    expect(ofStatus(401).message).toMatch(/app-id and auth-token in config\.ini/);
  });

  test('a long answer is cut', () => {
    expect(ofStatus(500, 'x'.repeat(100_000)).message.length).toBeLessThan(1000);
  });
});

describe('proof that nothing was created', () => {
  const coded = (code: string, more: object = {}) =>
    failureOfTransport(CALL, Object.assign(new Error('x'), { code, ...more }));

  test.each([400, 401, 403, 404, 409, 413, 422, 429])('%i of iconik proves it', (status) => {
    expect(provesNothingCreated(ofStatus(status))).toBe(true);
  });

  test.each([200, 302, 408, 423, 425, 499, 500, 501, 502, 503, 504])('%i does not prove it', (status) => {
    expect(provesNothingCreated(ofStatus(status))).toBe(false);
  });

  test('a 403 that is not iconik’s own does not prove it, its 429 does', () => {
    expect(provesNothingCreated(ofStatus(403, HTML_BODY))).toBe(false);
    expect(provesNothingCreated(ofStatus(429, HTML_BODY))).toBe(true);
  });

  test.each([
    ['a refused connection', coded('ECONNREFUSED', { syscall: 'connect' })],
    ['an unknown host', coded('ENOTFOUND', { syscall: 'getaddrinfo' })],
    ['a connect time-out', coded('UND_ERR_CONNECT_TIMEOUT')],
    ['a certificate not trusted', coded('SELF_SIGNED_CERT_IN_CHAIN')],
    ['all addresses refused', coded('', { errors: [{ syscall: 'connect' }, { syscall: 'connect' }] })],
    ['given up before sending', failureOfAbort(null, { sent: false })],
  ])('%s proves it', (_what, error) => {
    expect(provesNothingCreated(error)).toBe(true);
  });

  test.each([
    ['a reset', coded('ECONNRESET', { syscall: 'read' })],
    ['a socket closed by the other side', coded('UND_ERR_SOCKET')],
    ['a time-out', failureOfTimeout(CALL, 10_000)],
    ['an unreadable success', failureOfUnreadable(CALL, 201, 'text/html')],
    ['given up while under way', failureOfAbort(null, { sent: true })],
    ['an error nobody classified', new TypeError('x')],
    ['some addresses refused', coded('', { errors: [{ syscall: 'connect' }, { syscall: 'read' }] })],
  ])('%s does not prove it', (_what, error) => {
    expect(provesNothingCreated(error)).toBe(false);
  });
});
