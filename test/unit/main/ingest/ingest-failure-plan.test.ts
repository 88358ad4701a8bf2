import { describe, expect, it } from 'vitest';
import { MAX_INGEST_ATTEMPTS, planIngestFailure } from '../../../../agent/roles/main/ingest/ingest-failure-plan.ts';
import { type ErrorCode, IsgError } from '../../../../agent/runtime/errors.ts';

const failed = (code: ErrorCode, retry: 'transient' | 'permanent', fields = {}) =>
  new IsgError(code, 'why', { retry, fields });
const almostOne = () => 0.999;

describe('planIngestFailure', () => {
  it('a creation in doubt waits as long as it was told and burns no attempt', () => {
    const plan = planIngestFailure(failed('creation-in-doubt', 'transient', { retryAfterMs: 12_345 }), 3, almostOne);
    expect(plan).toEqual({ kind: 'postpone', afterMs: 12_345, attempts: 3, error: null });
  });

  it('a refusal for good sets the file aside at once, with the reason', () => {
    expect(planIngestFailure(failed('iconik-rejected', 'permanent'), 0, almostOne)).toEqual({
      kind: 'faulty',
      attempts: 1,
      error: { code: 'iconik-rejected', message: 'why', retry: 'permanent' },
    });
  });

  it('trouble of the file is tried again with growing waits, eight times', () => {
    const first = planIngestFailure(failed('iconik-not-found', 'permanent'), 0, almostOne);
    const later = planIngestFailure(failed('iconik-not-found', 'permanent'), MAX_INGEST_ATTEMPTS - 1, almostOne);
    const last = planIngestFailure(failed('iconik-not-found', 'permanent'), MAX_INGEST_ATTEMPTS, almostOne);
    expect([first.kind, later.kind, last.kind]).toEqual(['postpone', 'postpone', 'faulty']);
    expect(first).toMatchObject({ afterMs: 999 });
    expect(later).toMatchObject({ afterMs: 127_872 });
  });

  it('an outage never condemns a file, however long it lasts', () => {
    for (const code of [
      'iconik-unreachable',
      'iconik-throttled',
      'iconik-unauthorized',
      'iconik-forbidden',
      'database-unreachable',
      'storage-unavailable',
    ] as const) {
      let attempts = 0;
      for (let failures = 0; failures < 50; failures += 1) {
        const plan = planIngestFailure(failed(code, 'permanent'), attempts, almostOne);
        expect(plan.kind).toBe('postpone');
        attempts = plan.attempts;
      }
    }
  });

  it('a file that waits for its sidecar says so, waits as told, and is never condemned for it', () => {
    const awaited = failed('sidecar-awaited', 'transient', { retryAfterMs: 3000 });
    expect(planIngestFailure(awaited, 0, almostOne)).toEqual({
      kind: 'postpone',
      afterMs: 3000,
      attempts: 1,
      error: { code: 'sidecar-awaited', message: 'why', retry: 'transient' },
    });
    const later = planIngestFailure(awaited, MAX_INGEST_ATTEMPTS - 1, almostOne);
    expect(later).toMatchObject({ kind: 'postpone', afterMs: 3000, attempts: MAX_INGEST_ATTEMPTS - 1 });
  });

  it('what something between here and iconik answered never condemns a file', () => {
    const error = failed('iconik-answer-unreadable', 'transient', { fromIconik: false });
    expect(planIngestFailure(error, MAX_INGEST_ATTEMPTS, almostOne).kind).toBe('postpone');
  });
});
