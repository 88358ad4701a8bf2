import { describe, expect, test } from 'vitest';
import { failureOfStatus, failureOfTransport } from '../../../agent/iconik/http-failure.ts';
import { MAX_TRIES, withRetry } from '../../../agent/iconik/retry.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { createManualClock } from './manual-clock.ts';

const CALL = { method: 'GET', path: '/API/files/v1/x/' };
const ofStatus = (status: number) => failureOfStatus(CALL, { status, text: '{"errors":["no"]}', retryAfterMs: null });

async function triesOf(failure: unknown, succeedAt = Number.POSITIVE_INFINITY) {
  const clock = createManualClock();
  let tries = 0;
  const run = withRetry(
    async () => {
      tries++;
      if (tries >= succeedAt) return 'done';
      throw failure;
    },
    { clock, random: () => 0.9 },
  ).catch((error: unknown) => error);
  await clock.advance(60_000);
  return { tries, outcome: await run };
}

describe('retry', () => {
  test.each([500, 502, 503, 504, 408, 425, 429])('%i is tried again', async (status) => {
    expect(await triesOf(ofStatus(status), 3)).toEqual({ tries: 3, outcome: 'done' });
  });

  test.each([400, 401, 403, 404, 409, 501])('%i is not tried again', async (status) => {
    expect((await triesOf(ofStatus(status))).tries).toBe(1);
  });

  test('network errors are tried five times, then the last error goes up', async () => {
    const failure = failureOfTransport(CALL, Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    expect(await triesOf(failure)).toEqual({ tries: MAX_TRIES, outcome: failure });
  });

  test('what the breaker refused is not tried again', async () => {
    const refused = new IsgError('iconik-unreachable', 'away', {
      retry: 'transient',
      fields: { refusedByBreaker: true },
    });
    expect((await triesOf(refused)).tries).toBe(1);
  });

  test("the caller's signal ends the waiting with the caller's reason", async () => {
    const clock = createManualClock();
    const stop = new AbortController();
    const run = withRetry(() => Promise.reject(ofStatus(503)), { clock, random: () => 0.9, signal: stop.signal });
    const outcome = expect(run).rejects.toMatchObject({ code: 'leadership-lost' });
    await clock.advance(0);
    stop.abort(new IsgError('leadership-lost', 'gone', { retry: 'transient' }));
    await outcome;
  });
});
