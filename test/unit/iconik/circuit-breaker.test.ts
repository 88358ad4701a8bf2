import { describe, expect, test } from 'vitest';
import { admission, type BreakerState, CLOSED, nextBreaker } from '../../../agent/iconik/circuit-breaker.ts';
import { failureOfStatus, failureOfTimeout } from '../../../agent/iconik/http-failure.ts';
import { createHealthWatch, type IconikHealth } from '../../../agent/iconik/iconik-health.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createManualClock } from './manual-clock.ts';

const CALL = { method: 'GET', path: '/API/files/v1/x/' };

function failures(count: number, options: { startedAtMs: number; nowMs: number }): BreakerState {
  let state = CLOSED;
  for (let failed = 0; failed < count; failed++) {
    state = nextBreaker(state, { kind: 'failure', isProbe: false, jitter: 0, ...options });
  }
  return state;
}

describe('circuit breaker', () => {
  test('parallel failures at one instant do not open it', () => {
    expect(failures(50, { startedAtMs: 100, nowMs: 200 }).state).toBe('closed');
  });

  test('a single failure never opens it, however long it took', () => {
    expect(failures(1, { startedAtMs: 0, nowMs: 60_000 }).state).toBe('closed');
  });

  test('three failures over two seconds open it', () => {
    expect(failures(3, { startedAtMs: 0, nowMs: 2000 }).state).toBe('open');
  });

  test('one answer in between starts the count anew', () => {
    const state = nextBreaker(failures(2, { startedAtMs: 0, nowMs: 5000 }), { kind: 'alive' });
    expect(state).toEqual(CLOSED);
  });

  test('after its rest exactly one repeatable call probes, creations never', () => {
    const open = failures(3, { startedAtMs: 0, nowMs: 2000 });
    expect(open).toMatchObject({ state: 'open', untilMs: 2500 });
    expect(admission(open, 2499, true)).toBe('refuse');
    expect(admission(open, 2500, false)).toBe('refuse');
    expect(admission(open, 2500, true)).toBe('probe');
    const probing = nextBreaker(open, { kind: 'probing' });
    expect(probing.state).toBe('half-open');
    expect(admission(probing, 99_999, true)).toBe('refuse');
  });

  test('a failed probe rests longer, up to 15 s', () => {
    let state = failures(3, { startedAtMs: 0, nowMs: 2000 });
    const rests: number[] = [];
    for (let probe = 0; probe < 7; probe++) {
      state = nextBreaker(state, { kind: 'probing' });
      state = nextBreaker(state, { kind: 'failure', isProbe: true, startedAtMs: 0, nowMs: 0, jitter: 0.999 });
      if (state.state === 'open') rests.push(state.untilMs);
    }
    expect(rests.every((rest, index) => rest >= (rests[index - 1] ?? 0) && rest <= 15_000)).toBe(true);
    expect(rests.at(-1)).toBeGreaterThan(14_000);
  });

  test('a late failure of an older call does not decide the probe', () => {
    const probing = nextBreaker(failures(3, { startedAtMs: 0, nowMs: 2000 }), { kind: 'probing' });
    const late = nextBreaker(probing, { kind: 'failure', isProbe: false, startedAtMs: 0, nowMs: 9000, jitter: 0 });
    expect(late).toEqual(probing);
    expect(nextBreaker(late, { kind: 'alive' })).toEqual(CLOSED);
  });

  test('a probe whose caller gave up leaves its place to the next call', () => {
    const probing = nextBreaker(failures(3, { startedAtMs: 0, nowMs: 2000 }), { kind: 'probing' });
    const next = nextBreaker(probing, { kind: 'inconclusive', isProbe: true, nowMs: 3000 });
    expect(admission(next, 3000, true)).toBe('probe');
  });
});

describe('health of iconik', () => {
  function watched() {
    const clock = createManualClock();
    const told: IconikHealth['status'][] = [];
    const onHealth = (health: IconikHealth) => told.push(health.status);
    const watch = createHealthWatch({ clock, random: () => 0.5, log: silentLogger, onHealth });
    const fail = (status: number, text = '{"errors":["no"]}') =>
      watch.admit({ mayProbe: true }).failed(failureOfStatus(CALL, { status, text, retryAfterMs: null }));
    return { clock, told, watch, fail };
  }

  test('is unknown before the first call has ended', () => {
    expect(watched().watch.health().status).toBe('unknown');
  });

  test('401 is loss at once, and the next accepted call ends it', () => {
    const { watch, fail, told } = watched();
    fail(401);
    expect(watch.health()).toMatchObject({ status: 'failing', remedy: expect.stringContaining('auth-token') });
    expect(watch.breakerState()).toBe('closed');
    watch.admit({ mayProbe: true }).succeeded();
    expect(told).toEqual(['failing', 'ok']);
  });

  test("one call's 403, 404 or 409 says that iconik is there", () => {
    const { watch, fail } = watched();
    for (const status of [403, 404, 409]) fail(status);
    expect(watch.health().status).toBe('ok');
  });

  test('a 404 of a load balancer says nothing', () => {
    const { watch, fail } = watched();
    fail(404, '<html>default backend</html>');
    expect(watch.health().status).toBe('unknown');
  });

  test('429 is throttling for one window, not loss', async () => {
    const { clock, watch, fail } = watched();
    fail(429);
    expect(watch.health().status).toBe('throttled');
    await clock.advance(20_000);
    expect(watch.health().status).toBe('ok');
  });

  test('time-outs are loss after hysteresis; then calls are refused unsent until a probe succeeds', async () => {
    const { clock, told, watch } = watched();
    watch.admit({ mayProbe: true }).succeeded();
    for (let failed = 0; failed < 3; failed++) {
      const pass = watch.admit({ mayProbe: true });
      await clock.advance(1000);
      pass.failed(failureOfTimeout(CALL, 1000));
    }
    expect(watch.health().status).toBe('failing');
    expect(() => watch.admit({ mayProbe: true })).toThrow(
      expect.objectContaining({ code: 'iconik-unreachable', fields: { sent: false, refusedByBreaker: true } }),
    );
    await clock.advance(1000);
    watch.admit({ mayProbe: true }).succeeded();
    expect(told).toEqual(['ok', 'failing', 'ok']);
  });

  /** Looks as the health check does. */
  async function lookFor(ms: number, { clock, watch }: Pick<ReturnType<typeof watched>, 'clock' | 'watch'>) {
    for (let at = 0; at < ms; at += 500) {
      await clock.advance(500);
      watch.health();
    }
    return watch.health();
  }

  test('calls that wait while nothing is answered for 3.5 s are loss, long before their own time limit', async () => {
    const { watch, clock, told } = watched();
    watch.admit({ mayProbe: true }).succeeded();
    watch.health();
    watch.admit({ mayProbe: true });
    expect(await lookFor(3_000, { watch, clock })).toMatchObject({ status: 'ok' });
    expect(await lookFor(1_000, { watch, clock })).toMatchObject({
      status: 'failing',
      reason: expect.stringContaining('has not answered any call for'),
    });
    await lookFor(1_500, { watch, clock });
    const probe = watch.admit({ mayProbe: true });
    expect(probe.isProbe).toBe(true);
    probe.succeeded();
    expect(told).toEqual(['ok', 'failing', 'ok']);
  });

  test('one slow call among others that are answered is no loss, nor is having nothing to ask', async () => {
    const { watch, clock } = watched();
    watch.admit({ mayProbe: true }).succeeded();
    expect((await lookFor(60_000, { watch, clock })).status).toBe('ok');
    watch.admit({ mayProbe: false });
    for (let at = 0; at < 10; at++) {
      expect((await lookFor(3_000, { watch, clock })).status).toBe('ok');
      watch.admit({ mayProbe: true }).succeeded();
    }
  });

  test('a pause of this process is not taken for silence of iconik', async () => {
    const { watch, clock } = watched();
    watch.admit({ mayProbe: true }).succeeded();
    watch.health();
    watch.admit({ mayProbe: true });
    await clock.advance(60_000);
    expect(watch.health().status).toBe('ok');
    expect((await lookFor(4_000, { watch, clock })).status).toBe('failing');
  });
});
