import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type {
  EndedLease,
  EndVerdict,
  LaneDemand,
  Lease,
  LeaseEnd,
  RenewalItem,
} from '../../../agent/contract/index.ts';
import type { JobHandler, JobOutcome } from '../../../agent/jobs/job-handler.ts';
import type { ClaimedJob, JobStore, UnfitJob } from '../../../agent/jobs/job-store.ts';
import type { LeaseNews, LeaseRenewer } from '../../../agent/jobs/lease-renewer.ts';
import { JobRunner, type JobRunnerOptions } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { claimedJob } from './claimed-job.ts';

/** A queue that gives out what stands in `offers`, one list a claim. */
class ScriptedStore implements JobStore {
  offers: (() => Promise<ClaimedJob[]>)[] = [];
  /** Slots asked for and ends brought along, statement by statement. */
  exchanges: { ends: number; slots: number }[] = [];
  ends: (Lease & { end: LeaseEnd })[] = [];
  strayCalls: string[][] = [];
  refuseEndsWith: IsgError | null = null;

  async exchange(ends: readonly EndedLease[], lanes: readonly LaneDemand[]) {
    const ofChecksum = lanes.find(({ role }) => role === 'CHECKSUM');
    this.exchanges.push({ ends: ends.length, slots: ofChecksum?.slots ?? 0 });
    const verdicts = new Map<string, EndVerdict>();
    for (const { lease, end } of ends) verdicts.set(lease.jobId, await this.end(lease, end));
    return { claimed: await this.claim(), verdicts };
  }
  async claim() {
    return (await this.offers.shift()?.()) ?? [];
  }
  async releaseDeferred() {
    return 0;
  }
  async freeStray(knownJobIds: readonly string[]) {
    this.strayCalls.push([...knownJobIds]);
    return 0;
  }
  async renew(items: readonly { jobId: string; leaseToken: string }[]) {
    return items.map(({ jobId, leaseToken }) => ({ jobId, leaseToken, cancelRequested: false }));
  }
  async saveCheckpoint(_lease?: Lease) {
    return true;
  }
  async end({ jobId, leaseToken }: Lease, end: LeaseEnd): Promise<EndVerdict> {
    if (this.refuseEndsWith && end.state === 'done') throw this.refuseEndsWith;
    this.ends.push({ jobId, leaseToken, end });
    return 'ended';
  }
}

/** Brings the news of a new token only when it is asked. */
class LateRenewer implements LeaseRenewer {
  token: string;
  protected tell: (news: LeaseNews) => void = () => {};

  constructor(token: string) {
    this.token = token;
  }
  onNews(listener: (news: LeaseNews) => void) {
    this.tell = listener;
  }
  hold() {}
  report() {}
  drop() {}
  async confirm(jobId: string) {
    this.tell({ kind: 'token', jobId, leaseToken: this.token });
    return true;
  }
  setVisibilityTimeout() {}
}

describe('a runner', () => {
  let runner: JobRunner;
  let term: number | null = null;
  const untilStopped: JobHandler['run'] = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  const done = async (): Promise<JobOutcome> => ({ kind: 'done', result: {} });

  let slots = 4;
  const startRunner = async (store: JobStore, run: JobHandler['run'], over: Partial<JobRunnerOptions> = {}) => {
    runner = new JobRunner({
      store,
      handlers: [
        { role: 'CHECKSUM', kind: 'checksum', payload: z.unknown(), run },
        { role: 'MAIN', kind: 'delete', payload: z.unknown(), run },
      ],
      lanes: [
        { role: 'CHECKSUM', kinds: ['checksum'], limit: () => slots },
        { role: 'MAIN', kinds: ['delete'], limit: () => 4 },
      ],
      reach: () => ({ roles: new Set(['CHECKSUM', 'MAIN']), storageIds: [], term, visibilityTimeoutS: 3_600 }),
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      pollMs: 5,
      strayMs: 10,
      ...over,
    });
    await runner.start();
  };

  afterEach(() => runner.stop());

  it('gives back what it has leased without knowing, and names what it knows', async () => {
    const store = new ScriptedStore();
    store.offers.push(async () => [claimedJob()]);
    await startRunner(store, untilStopped);
    await vi.waitFor(() => expect(store.strayCalls.at(-1)).toEqual(['1']));
  });

  it('stops its old run of a job that it leases anew, and gives the new lease back before that has stopped', async () => {
    const store = new ScriptedStore();
    store.offers.push(
      async () => [claimedJob()],
      async () => [claimedJob({ leaseToken: '11', attempts: 2 })],
    );
    const stop = Promise.withResolvers<JobOutcome>();
    let signal: AbortSignal | undefined;
    await startRunner(store, (context) => {
      signal = context.signal;
      return stop.promise;
    });
    await vi.waitFor(() => expect(store.ends).toHaveLength(1));
    expect(store.ends).toMatchObject([{ leaseToken: '11', end: { state: 'queued', refund: true } }]);
    expect(signal?.aborted).toBe(true);
    expect(runner.running()).toHaveLength(1);
    stop.resolve({ kind: 'done', result: {} });
    await vi.waitFor(() => expect(runner.running()).toEqual([]));
    expect(store.ends).toHaveLength(1);
  });

  it('stops a job that its last claim brought while the node was stopping', async () => {
    const store = new ScriptedStore();
    const answer = Promise.withResolvers<ClaimedJob[]>();
    store.offers.push(() => answer.promise);
    await startRunner(store, untilStopped);
    await vi.waitFor(() => expect(store.offers).toEqual([]));
    const stopped = runner.stop();
    answer.resolve([claimedJob()]);
    await stopped;
    expect(store.ends).toMatchObject([{ jobId: '1', end: { state: 'queued', refund: true } }]);
  });

  it('runs no MAIN job whose claim was answered after the leadership had ended', async () => {
    const store = new ScriptedStore();
    term = 7;
    store.offers.push(async () => {
      term = null;
      runner.leadershipEnded();
      return [claimedJob({ role: 'MAIN', kind: 'delete' })];
    });
    await startRunner(store, untilStopped);
    await vi.waitFor(() => expect(store.ends).toMatchObject([{ end: { state: 'queued', refund: true } }]));
  });

  it('fails a job whose end the database refuses for good instead of leaving it leased', async () => {
    const store = new ScriptedStore();
    store.refuseEndsWith = new IsgError('database-conflict', 'refused', { retry: 'permanent' });
    store.offers.push(async () => [claimedJob()]);
    await startRunner(store, done);
    await vi.waitFor(() => expect(store.ends).toMatchObject([{ end: { state: 'failed' } }]), { timeout: 4_000 });
  });

  it('puts a job back later and without its attempt when the database refuses for good to put it back', async () => {
    const store = new ScriptedStore();
    const end = store.end.bind(store);
    store.end = async (lease, wanted) => {
      if (wanted.state !== 'queued' || wanted.refund)
        throw new IsgError('database-refused', 'no', { retry: 'permanent' });
      return end(lease, wanted);
    };
    store.offers.push(async () => [claimedJob()]);
    await startRunner(store, async () => ({ kind: 'snooze', afterMs: 0, why: 'unstorable' }));
    await vi.waitFor(() => expect(store.ends).toHaveLength(1));
    const put = store.ends[0]?.end;
    expect(put).toMatchObject({ state: 'queued', refund: false, error: { code: 'database-refused' } });
    expect(put?.state === 'queued' ? put.afterMs : 0).toBeGreaterThanOrEqual(2_000);
  });

  it('ends and claims although its looks for deferred and stray jobs fail', async () => {
    const store = new ScriptedStore();
    store.releaseDeferred = () => Promise.reject(new IsgError('database-conflict', 'busy', { retry: 'transient' }));
    store.offers.push(async () => [claimedJob()]);
    await startRunner(store, done);
    await vi.waitFor(() => expect(store.ends).toMatchObject([{ end: { state: 'done' } }]));
  });

  it('renews with a progress and a note that the database takes, whatever a handler says', async () => {
    const store = new ScriptedStore();
    const renewed: { progress: number; note: string }[] = [];
    store.renew = async (items) => {
      renewed.push(...(items as RenewalItem[]));
      return items.map(({ jobId, leaseToken }) => ({ jobId, leaseToken, cancelRequested: false }));
    };
    store.offers.push(async () => [claimedJob()]);
    const handler: JobHandler['run'] = (context) => {
      context.progress(0.5);
      context.progress(Number.NaN, `${'a'.repeat(197)}\0\ud83d`);
      return untilStopped(context);
    };
    await startRunner(store, handler, { renewMs: 2 });
    const wanted = { progress: 0.5, note: `${'a'.repeat(197)}\ufffd` };
    await vi.waitFor(() => expect(renewed).toContainEqual(expect.objectContaining(wanted)));
  });

  it('gives a job back that it cannot read, leaves its kind to others, and does its other work', async () => {
    const store = new ScriptedStore();
    const exchange = store.exchange.bind(store);
    const asked: LaneDemand[][] = [];
    let unfit: UnfitJob[] = [{ jobId: '9', leaseToken: '90', role: 'CHECKSUM', kind: 'checksum', reason: 'new' }];
    store.exchange = async (ends, lanes) => {
      asked.push([...lanes]);
      const answer = { ...(await exchange(ends, lanes)), unfit };
      unfit = [];
      return answer;
    };
    term = 7;
    await startRunner(store, done);
    const given = { jobId: '9', leaseToken: '90', end: { state: 'queued', refund: true } };
    await vi.waitFor(() => expect(store.ends).toMatchObject([given]));
    const before = asked.length;
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(before + 2));
    expect(asked.slice(1).every((lanes) => lanes.every(({ role }) => role === 'MAIN'))).toBe(true);
    term = null;
  });

  it('saves and ends a job that was taken back, although the news of its new token comes late', async () => {
    const store = new ScriptedStore();
    const renewer = new LateRenewer('11');
    const saved: string[] = [];
    store.saveCheckpoint = async (lease?: Lease) => {
      saved.push(lease?.leaseToken ?? '');
      return lease?.leaseToken === renewer.token;
    };
    const end = store.end.bind(store);
    store.end = async (lease, wanted) => (lease.leaseToken === renewer.token ? end(lease, wanted) : 'lost');
    store.offers.push(async () => [claimedJob()]);
    await startRunner(
      store,
      async (context) => {
        await context.saveCheckpoint({ part: 1 });
        renewer.token = '12';
        return { kind: 'done', result: {} };
      },
      { renewer },
    );
    await vi.waitFor(() => expect(store.ends).toMatchObject([{ leaseToken: '12', end: { state: 'done' } }]));
    expect(saved).toEqual(['10', '11']);
  });

  it('lets nothing final begin unless the lease was confirmed just now and nobody told the job to stop meanwhile', async () => {
    class AskedRenewer extends LateRenewer {
      override async confirm(jobId: string) {
        if (jobId === 'away') throw new IsgError('database-unreachable', 'away', { retry: 'transient' });
        if (jobId === 'cancelled') this.tell({ kind: 'cancel-requested', jobId });
        if (jobId === 'lost while asked') this.tell({ kind: 'lost', jobId });
        return jobId !== 'lost';
      }
    }
    const store = new ScriptedStore();
    const jobIds = ['lost', 'away', 'cancelled', 'lost while asked', 'ours'];
    slots = jobIds.length;
    store.offers.push(async () => jobIds.map((jobId) => claimedJob({ jobId })));
    const [effects, refused] = [new Set<string>(), new Map<string, unknown>()];
    const run: JobHandler['run'] = async (context) => {
      const { jobId } = context.job;
      await context.confirmLease().catch((thrown: unknown) => {
        refused.set(jobId, thrown);
        throw thrown;
      });
      effects.add(jobId);
      return { kind: 'done', result: {} };
    };
    await startRunner(store, run, { renewer: new AskedRenewer('10') });
    await vi.waitFor(() => expect(effects.size + refused.size).toBe(jobIds.length));
    slots = 4;
    expect([...effects]).toEqual(['ours']);
    expect(Object.fromEntries(refused)).toMatchObject({
      lost: { code: 'lease-lost' },
      away: { code: 'database-unreachable' },
      cancelled: { code: 'cancelled' },
      'lost while asked': { code: 'lease-lost' },
    });
    // Of what is lost no end is offered.
    await vi.waitFor(() =>
      expect(store.ends.map(({ jobId }) => jobId).toSorted()).toEqual(['away', 'cancelled', 'ours']),
    );
  });

  it('ends what is over together with the claim for the slots that this frees', async () => {
    const store = new ScriptedStore();
    store.offers.push(async () => ['1', '2', '3', '4'].map((jobId) => claimedJob({ jobId })));
    await startRunner(store, done);
    await vi.waitFor(() => expect(store.ends).toHaveLength(4));
    expect(store.exchanges).toContainEqual({ ends: 4, slots: 4 });
  });

  it('lets running jobs finish under a lowered limit and claims nothing until there are fewer', async () => {
    const store = new ScriptedStore();
    store.offers.push(async () => ['1', '2', '3', '4'].map((jobId) => claimedJob({ jobId })));
    const finish = new Map<string, () => void>();
    slots = 4;
    await startRunner(store, ({ job }) => {
      const { promise, resolve } = Promise.withResolvers<JobOutcome>();
      finish.set(job.jobId, () => resolve({ kind: 'done', result: {} }));
      return promise;
    });
    await vi.waitFor(() => expect(finish.size).toBe(4));
    slots = 2;
    store.exchanges = [];
    finish.get('1')?.();
    await vi.waitFor(() => expect(store.ends).toHaveLength(1));
    finish.get('2')?.();
    await vi.waitFor(() => expect(store.ends).toHaveLength(2));
    expect(store.exchanges.every(({ slots: asked }) => asked === 0)).toBe(true);
    expect(runner.running()).toHaveLength(2);
    finish.get('3')?.();
    await vi.waitFor(() => expect(store.exchanges.at(-1)?.slots).toBe(1));
    finish.get('4')?.();
    slots = 4;
  });

  it('gives the slot back of a handler that does not listen, and its job to another run', async () => {
    const store = new ScriptedStore();
    store.offers.push(async () => [claimedJob()]);
    await startRunner(store, () => new Promise(() => {}), { stallMs: 1, renewMs: 2, abandonMs: 5 });
    await vi.waitFor(() => expect(store.ends).toMatchObject([{ jobId: '1', end: { state: 'queued', refund: false } }]));
    expect(runner.running()).toEqual([]);
  });

  it('takes no more jobs of a role that fails the same way again and again, and says why', async () => {
    const store = new ScriptedStore();
    const full = new IsgError('disk-full', 'The disk is full.', { retry: 'transient' });
    for (let at = 0; at < 5; at++) store.offers.push(async () => [claimedJob({ jobId: `${at}` })]);
    await startRunner(store, () => Promise.reject(full));
    await vi.waitFor(() => expect(runner.quarantined()).toMatchObject([{ role: 'CHECKSUM', code: 'disk-full' }]));
    store.exchanges = [];
    const looked = store.strayCalls.length;
    await vi.waitFor(() => expect(store.strayCalls.length).toBeGreaterThan(looked + 2));
    expect(store.exchanges.every(({ slots: asked }) => asked === 0)).toBe(true);
  });

  it('goes on with a role whose files cannot be read, each for good', async () => {
    const store = new ScriptedStore();
    const refused = new IsgError('file-unreadable', 'Access is refused (EACCES).', { retry: 'permanent' });
    for (let at = 0; at < 8; at++) store.offers.push(async () => [claimedJob({ jobId: `${at}` })]);
    await startRunner(store, () => Promise.reject(refused));
    await vi.waitFor(() => expect(store.ends).toHaveLength(8));
    expect(runner.quarantined()).toEqual([]);
  });

  it('stores each end by itself when the database refuses one of them for good', async () => {
    const store = new ScriptedStore();
    store.offers.push(async () => [claimedJob({ jobId: '1' }), claimedJob({ jobId: '2', payload: 'bad' })]);
    const refused = new IsgError('database-refused', 'unstorable', { retry: 'permanent' });
    const end = store.end.bind(store);
    store.end = async (lease, wanted) => {
      if (lease.jobId === '2' && wanted.state === 'done') throw refused;
      return end(lease, wanted);
    };
    await startRunner(store, done);
    await vi.waitFor(() => {
      expect(store.ends.find(({ jobId }) => jobId === '1')?.end.state).toBe('done');
      expect(store.ends.find(({ jobId }) => jobId === '2')?.end.state).toBe('failed');
    });
  });
});
