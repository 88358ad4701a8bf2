import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JobHandler } from '../../../agent/jobs/job-handler.ts';
import type { ClaimedJob } from '../../../agent/jobs/job-store.ts';
import { leaseEndOf, outcomeOf, refusedEnd } from '../../../agent/jobs/running-job.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';

const claimed: ClaimedJob = {
  jobId: '1',
  leaseToken: '1',
  role: 'CHECKSUM',
  kind: 'checksum',
  profile: '',
  storageId: null,
  payload: { path: 'a.mov' },
  attempts: 1,
  maxAttempts: 3,
  checkpoint: null,
  origin: null,
};
const handler: JobHandler = {
  role: 'CHECKSUM',
  kind: 'checksum',
  payload: z.object({ path: z.string() }),
  run: async () => ({ kind: 'done', result: {} }),
};
const endOf = async (thrown: unknown, attempts = 1) => {
  const outcome = await outcomeOf(handler, claimed, () => Promise.reject(thrown));
  return leaseEndOf(outcome, { attempts, maxAttempts: 3, stopped: null }, () => 0.5);
};

describe('what a handler throws', () => {
  it('is tried again when transient', async () => {
    const end = await endOf(new IsgError('storage-unavailable', 'away', { retry: 'transient' }));
    expect(end).toMatchObject({ state: 'queued', refund: false, error: { code: 'storage-unavailable' } });
  });

  it('becomes a dead letter when permanent', async () => {
    const end = await endOf(new IsgError('media-unreadable', 'broken', { retry: 'permanent' }));
    expect(end).toMatchObject({ state: 'failed', error: { code: 'media-unreadable' } });
  });

  it('is tried again when the database refused a statement of it: a newer node may have changed the tables', async () => {
    const refused = new IsgError('database-refused', 'no column', { retry: 'permanent' });
    expect(await endOf(refused)).toMatchObject({ state: 'queued', refund: false, error: { code: 'database-refused' } });
    expect(await endOf(refused, 3)).toMatchObject({ state: 'failed', error: { code: 'database-refused' } });
  });

  it('becomes a dead letter when the attempts are used up', async () => {
    expect(await endOf(new Error('again'), 3)).toMatchObject({ state: 'failed' });
  });

  it('costs no attempt while a creation is in doubt', async () => {
    const error = new IsgError('creation-in-doubt', 'wait', { retry: 'transient', fields: { retryAfterMs: 4_000 } });
    expect(await endOf(error, 3)).toEqual({ state: 'queued', afterMs: 4_000, error: { why: 'wait' }, refund: true });
  });
});

describe('a payload that does not parse', () => {
  it('fails the job with the field and never reaches the handler', async () => {
    let ran = false;
    const outcome = await outcomeOf(handler, { ...claimed, payload: { path: 5 } }, async () => {
      ran = true;
      return { kind: 'done', result: {} };
    });
    expect(ran).toBe(false);
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'job-payload-invalid' } });
    expect(outcome.kind === 'failed' && outcome.error.message).toContain('path');
  });
});

describe('an end that the database refuses for good', () => {
  const refusal = (sqlState: string) =>
    new IsgError('database-refused', 'no', { retry: 'permanent', fields: { sqlState } });
  const done = { state: 'done', result: {} } as const;

  it('becomes a failure', () => {
    expect(refusedEnd(done, refusal('22003'), claimed)).toMatchObject({ state: 'failed' });
  });

  it('becomes another run, at the cost of the attempt, when the tables are not what this version knows', () => {
    expect(refusedEnd(done, refusal('42703'), claimed)).toMatchObject({ state: 'queued', refund: false });
    expect(refusedEnd(done, refusal('42703'), { ...claimed, attempts: 3 })).toMatchObject({ state: 'failed' });
  });
});

describe('a stopped job', () => {
  const retry = { kind: 'retry', error: { code: 'stopped', message: '', retry: 'transient' } } as const;

  it('gets its attempt back when the node stops', () => {
    const end = leaseEndOf(retry, { attempts: 3, maxAttempts: 3, stopped: 'stopping' }, Math.random);
    expect(end).toEqual({ state: 'queued', afterMs: 0, error: null, refund: true });
  });

  it('ends as cancelled when that was asked for', () => {
    expect(leaseEndOf(retry, { attempts: 1, maxAttempts: 3, stopped: 'cancelled' }, Math.random)).toEqual({
      state: 'cancelled',
    });
  });

  it('keeps a result that was finished before the stop took hold', () => {
    const done = { kind: 'done', result: { md5: 'x' } } as const;
    expect(leaseEndOf(done, { attempts: 1, maxAttempts: 3, stopped: 'cancelled' }, Math.random).state).toBe('done');
  });
});
