import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { JobPulse } from '../../../../agent/cluster/pulse/thread/job-pulse.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import type { Sql } from '../../../../agent/runtime/sql.ts';

/** A renewal thread with one lease; `answer` is what the database says of it, asked for the n-th time. */
function pulseWith(answer: (asked: number) => 'renewed' | 'busy' | 'missing') {
  let asked = 0;
  const news: string[] = [];
  const database: Sql = {
    query: async (text, _values, row) => {
      // The look for cancellations finds none.
      if (!text.includes('lease_expires_at')) return [];
      const found = answer(++asked);
      const renewed = { job_id: '1', lease_token: '10', cancel_requested: false, is_busy: found === 'busy' };
      return found === 'missing' ? [] : [row.parse(renewed)];
    },
    execute: async () => 0,
  };
  const pulse = new JobPulse({
    database,
    owner: { runId: 'r', workerId: 'w' },
    nowMs: () => 0,
    mayRenew: () => true,
    log: silentLogger,
    onNews: (_holdId, kind) => news.push(kind),
    onToken: () => news.push('token'),
  });
  pulse.hold({ holdId: 1, jobId: '1', leaseToken: '10', stallMs: 60_000, progress: 0, note: '' });
  return { pulse, news, asked: () => asked };
}

describe('a confirmation whose row another transaction has in hand', () => {
  it('asks again until the row is free, and believes what is said then', async () => {
    const free = pulseWith((asked) => (asked < 3 ? 'busy' : 'renewed'));
    expect(await free.pulse.confirm(1)).toBe(true);
    const lost = pulseWith((asked) => (asked < 3 ? 'busy' : 'missing'));
    expect(await lost.pulse.confirm(1)).toBe(false);
    expect(lost.news).toEqual(['lost']);
  });

  it('is neither given nor taken for a loss while the row stays so', async () => {
    const { pulse, news } = pulseWith(() => 'busy');
    await expect(pulse.confirm(1)).rejects.toMatchObject({ code: 'database-conflict', retry: 'transient' });
    expect(news).toEqual([]);
  });
});

it('a renewal takes a lease whose row another transaction has in hand for lost in no case', async () => {
  const { pulse, news, asked } = pulseWith((count) => (count === 1 ? 'busy' : 'missing'));
  pulse.step(0);
  await vi.waitFor(() => expect(asked()).toBe(1));
  await nextTurn();
  expect(news).toEqual([]);
  // Still held, so that what is then said of it is heard.
  expect(await pulse.confirm(1)).toBe(false);
  expect(news).toEqual(['lost']);
});
