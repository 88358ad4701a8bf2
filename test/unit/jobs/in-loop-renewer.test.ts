import { describe, expect, it, vi } from 'vitest';
import type { RenewalItem } from '../../../agent/contract/index.ts';
import { InLoopRenewer } from '../../../agent/jobs/in-loop-renewer.ts';
import type { RenewedLease } from '../../../agent/jobs/job-store.ts';
import type { LeaseNews } from '../../../agent/jobs/lease-renewer.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

function renewerWith(answer: (items: readonly RenewalItem[]) => RenewedLease[] | Promise<RenewedLease[]>) {
  const asked: RenewalItem[][] = [];
  const news: LeaseNews[] = [];
  const renewer = new InLoopRenewer({
    store: {
      renew: async (items) => {
        asked.push([...items]);
        return answer(items);
      },
    },
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal) },
    log: silentLogger,
    renewMs: 5,
  });
  renewer.onNews((item) => news.push(item));
  return { renewer, news, asked };
}
const same = (items: readonly RenewalItem[]) =>
  items.map(({ jobId, leaseToken }) => ({ jobId, leaseToken, cancelRequested: false }));
const lease = { jobId: '1', leaseToken: '10', stallMs: 60_000 };

describe('a renewer in the main loop', () => {
  it('carries the progress, and stops when it holds nothing', async () => {
    const { renewer, asked, news } = renewerWith(same);
    renewer.hold(lease);
    renewer.report('1', 0.5, 'half');
    await vi.waitFor(() => expect(asked.at(-1)).toMatchObject([{ jobId: '1', progress: 0.5, note: 'half' }]));
    renewer.drop('1');
    expect(await renewer.confirm('1')).toBe(false);
    expect(news).toEqual([]);
  });

  it('tells of a new token and renews under it from then on', async () => {
    const { renewer, asked, news } = renewerWith((items) => same(items).map((item) => ({ ...item, leaseToken: '11' })));
    renewer.hold(lease);
    await vi.waitFor(() => expect(asked.at(-1)).toMatchObject([{ leaseToken: '11' }]));
    renewer.drop('1');
    expect(news).toEqual([{ kind: 'token', jobId: '1', leaseToken: '11' }]);
  });

  it('tells once that a lease is lost, and confirms it no more', async () => {
    const { renewer, news } = renewerWith(() => []);
    renewer.hold(lease);
    expect(await renewer.confirm('1')).toBe(false);
    expect(news).toEqual([{ kind: 'lost', jobId: '1' }]);
  });

  it('confirms a lease whose row others have in hand once they let go, and takes it for lost in no case', async () => {
    let busy = 3;
    const { renewer, news } = renewerWith((items) => same(items).map((item) => ({ ...item, isBusy: busy-- > 0 })));
    renewer.hold(lease);
    expect(await renewer.confirm('1')).toBe(true);
    busy = Number.POSITIVE_INFINITY;
    await expect(renewer.confirm('1')).rejects.toMatchObject({ code: 'database-conflict', retry: 'transient' });
    renewer.drop('1');
    expect(news).toEqual([]);
  });

  it('tells of a job without life and renews the others only', async () => {
    const { renewer, asked, news } = renewerWith(same);
    renewer.hold({ ...lease, stallMs: 1 });
    renewer.hold({ jobId: '2', leaseToken: '20', stallMs: 60_000 });
    await vi.waitFor(() => expect(news).toEqual([{ kind: 'stalled', jobId: '1' }]));
    await vi.waitFor(() => expect(asked.at(-1)?.map(({ jobId }) => jobId)).toEqual(['2']));
    renewer.drop('1');
    renewer.drop('2');
  });

  it('drops a late answer about a lease that it holds anew', async () => {
    const answer = Promise.withResolvers<RenewedLease[]>();
    const { renewer, news } = renewerWith(() => answer.promise);
    renewer.hold(lease);
    const confirmed = renewer.confirm('1');
    renewer.hold({ ...lease, leaseToken: '12' });
    answer.resolve([]);
    await confirmed;
    renewer.drop('1');
    expect(news).toEqual([]);
  });
});
