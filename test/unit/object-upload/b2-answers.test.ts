import { expect, it } from 'vitest';
import { b2ErrorOf, b2StoredOf } from '../../../agent/iconik/object-upload/b2-answers.ts';
import { isBusyAnswer } from '../../../agent/iconik/object-upload/object-store-http.ts';
import { errorCodeOf } from '../../../agent/iconik/object-upload/s3-answers.ts';

const refusal = (status: number, code: string) => ({
  status,
  headers: {},
  body: JSON.stringify({ status, code, message: 'no' }),
});

it('an error of B2 is read, and anything else is none', () => {
  expect(b2ErrorOf('{"status":401,"code":"expired_auth_token","message":"old"}')).toEqual({
    code: 'expired_auth_token',
    message: 'old',
  });
  expect(errorCodeOf('{"status":503,"code":"service_unavailable"}')).toBe('service_unavailable');
  for (const body of ['', '{', '{}', '<html>', 'null', '[]']) expect(b2ErrorOf(body)).toBeNull();
});

it('what B2 has taken is read only when it says length and SHA-1', () => {
  const whole = { fileId: 'f', contentLength: 3, contentSha1: 'ab' };
  expect(b2StoredOf(JSON.stringify(whole))).toEqual({ contentLength: 3, contentSha1: 'ab' });
  expect(b2StoredOf('{"contentLength":3}')).toBeNull();
});

it.each([
  [401, 'expired_auth_token', true],
  [401, 'bad_auth_token', true],
  [503, 'service_unavailable', true],
  [401, 'unauthorized', false],
  [400, 'bad_request', false],
])('%d %s is another upload URL and another try: %s', (status, code, again) => {
  expect(isBusyAnswer(refusal(status, code))).toBe(again);
});
