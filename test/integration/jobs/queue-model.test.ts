import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type JobState, jobStateSchema, type LeaseEnd } from '../../../agent/contract/index.ts';
import {
  endCancelledQueuedJobs,
  enqueueJobs,
  freeExpiredJobs,
  freeJobsOfDeadRun,
} from '../../../agent/db/queries/job.ts';
import { cancelJob, retryJob } from '../../../agent/db/queries/operator-jobs.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { isLong } from '../../support/long-version.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { type GivenLease, MAX_ATTEMPTS, QueueModel } from './queue-model.ts';

// Whatever happens to a queue in whatever order, with leases old and new: it must do what plain bookkeeping says.

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

const who = fc.nat({ max: 2 });
const which = fc.nat({ max: 30 });
const command = fc.oneof(
  fc.record({ do: fc.constant('enqueue' as const), key: fc.nat({ max: 5 }) }),
  fc.record({ do: fc.constant('claim' as const), who, slots: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('renew' as const), who, which }),
  fc.record({
    do: fc.constant('end' as const),
    which,
    how: fc.constantFrom<JobState>('done', 'failed', 'cancelled', 'queued'),
    later: fc.boolean(),
    rides: fc.boolean(),
  }),
  fc.record({ do: fc.constant('checkpoint' as const), which }),
  fc.record({ do: fc.constant('expire' as const), which }),
  fc.record({ do: fc.constant('die' as const), who }),
  fc.record({ do: fc.constantFrom('cancel' as const, 'retry' as const), which }),
  fc.record({ do: fc.constantFrom('sweep' as const, 'release' as const) }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const row = z.object({
  job_id: z.string(),
  state: jobStateSchema,
  lease_token: z.string().nullable(),
  attempts: z.number(),
  is_leased: z.boolean(),
});
const ROWS = `SELECT job_id::text, state, lease_token::text, attempts, leased_by IS NOT NULL AS is_leased
  FROM job ORDER BY job.job_id`;
const reach = { storageIds: ['s1'], term: null, visibilityTimeoutS: 3_600 };

const leaseEnd = (how: JobState, later: boolean): LeaseEnd => {
  if (how === 'done') return { state: 'done', result: { ok: true } };
  if (how === 'failed') return { state: 'failed', error: { code: 'unexpected' } };
  if (how === 'cancelled') return { state: 'cancelled' };
  return { state: 'queued', afterMs: later ? 3_600_000 : 0, error: null, refund: false };
};

/** The queue and its model, driven side by side. */
class Twins {
  readonly #model = new QueueModel();
  readonly #given: GivenLease[] = [];
  readonly #workers = Array.from({ length: 3 }, () => {
    const owner = { runId: randomUUID(), workerId: randomUUID() };
    return { ...owner, store: createPgJobStore(test.database, owner) };
  });

  async apply(step: Command): Promise<void> {
    switch (step.do) {
      case 'enqueue':
        return this.#enqueue(`key-${step.key}`);
      case 'claim':
        return this.#claim(step.who, step.slots);
      case 'renew':
        return this.#renew(step.who, this.#lease(step.which));
      case 'end':
        return this.#end(this.#lease(step.which), step);
      case 'checkpoint':
        return this.#checkpoint(this.#lease(step.which));
      case 'expire':
        return this.#expire(this.#lease(step.which));
      case 'die':
        return this.#die(step.who);
      case 'cancel':
      case 'retry':
        return this.#operate(step.do, this.#jobId(step.which));
      case 'sweep':
        await endCancelledQueuedJobs(test.database);
        return this.#model.endCancelled();
      case 'release':
        await test.database.execute("UPDATE job SET run_at = now() WHERE deferred AND state = 'queued'", []);
        await this.#worker(0).store.releaseDeferred();
        return this.#model.release();
    }
  }

  async compare(): Promise<void> {
    const rows = await test.database.query(ROWS, [], row);
    const wanted = [...this.#model.jobs.values()].sort((a, b) => Number(a.jobId) - Number(b.jobId));
    expect(rows).toEqual(
      wanted.map(({ jobId, state, token, attempts, owner }) => ({
        job_id: jobId,
        state,
        lease_token: token,
        attempts,
        is_leased: owner !== null,
      })),
    );
  }

  #worker(at: number) {
    const worker = this.#workers[at];
    if (!worker) throw new Error('there are three workers');
    return worker;
  }

  #lease(which: number): GivenLease | null {
    return this.#given[which % Math.max(1, this.#given.length)] ?? null;
  }

  #jobId(which: number): string | null {
    const ids = [...this.#model.jobs.keys()];
    return ids[which % Math.max(1, ids.length)] ?? null;
  }

  async #enqueue(dedupeKey: string): Promise<void> {
    const order = {
      role: 'CHECKSUM',
      kind: 'checksum',
      storageId: 's1',
      payload: {},
      maxAttempts: MAX_ATTEMPTS,
    } as const;
    const added = await enqueueJobs(test.database, [{ ...order, dedupeKey }]);
    expect(added).toHaveLength(this.#model.isTaken(dedupeKey) ? 0 : 1);
    for (const { jobId } of added) this.#model.add(jobId, dedupeKey);
  }

  async #claim(who: number, slots: number): Promise<void> {
    const wanted = this.#model.claimable(slots);
    const lanes = [{ role: 'CHECKSUM', kinds: ['checksum'], slots }];
    const claimed = await this.#worker(who).store.claim(lanes, reach);
    expect(claimed.map(({ jobId }) => jobId).sort()).toEqual([...wanted].sort());
    for (const { jobId, leaseToken } of claimed) {
      expect(this.#given.some((lease) => lease.leaseToken === leaseToken)).toBe(false);
      this.#given.push({ jobId, leaseToken });
      this.#model.claimed({ jobId, leaseToken }, who);
    }
  }

  async #renew(who: number, lease: GivenLease | null): Promise<void> {
    if (!lease) return;
    const holds = this.#model.holds(lease);
    const wasLeased = this.#model.jobs.get(lease.jobId)?.state === 'leased';
    const [renewed] = await this.#worker(who).store.renew([{ ...lease, progress: 0.5, note: '' }], 3_600);
    expect(renewed !== undefined).toBe(holds);
    if (!renewed) return;
    expect(renewed.cancelRequested).toBe(this.#model.jobs.get(lease.jobId)?.cancelRequested);
    expect(renewed.leaseToken === lease.leaseToken).toBe(wasLeased);
    if (!wasLeased) this.#given.push({ jobId: renewed.jobId, leaseToken: renewed.leaseToken });
    this.#model.renewed(lease, renewed.leaseToken, who);
  }

  async #end(lease: GivenLease | null, step: Extract<Command, { do: 'end' }>): Promise<void> {
    if (!lease) return;
    const end = leaseEnd(step.how, step.later);
    const { store } = this.#worker(0);
    const verdict = step.rides
      ? (await store.exchange([{ lease, end }], [], reach)).verdicts.get(lease.jobId)
      : await store.end(lease, end);
    expect(verdict).toBe(this.#model.end(lease, step.how, step.later));
  }

  async #checkpoint(lease: GivenLease | null): Promise<void> {
    if (lease) expect(await this.#worker(0).store.saveCheckpoint(lease, { at: 1 })).toBe(this.#model.holds(lease));
  }

  async #expire(lease: GivenLease | null): Promise<void> {
    if (!lease) return;
    const text = "UPDATE job SET lease_expires_at = now() - interval '1 s' WHERE job_id = $1 AND state = 'leased'";
    await test.database.execute(text, [lease.jobId]);
    const freed = await freeExpiredJobs(test.database);
    expect(freed).toBe(this.#model.free((job) => job.jobId === lease.jobId));
  }

  async #die(who: number): Promise<void> {
    const freed = await freeJobsOfDeadRun(test.database, this.#worker(who).runId, '0');
    expect(freed).toBe(this.#model.free((job) => job.owner === who));
  }

  async #operate(what: 'cancel' | 'retry', jobId: string | null): Promise<void> {
    if (!jobId) return;
    if (what === 'cancel') {
      expect(await cancelJob(test.database, jobId)).toBe(this.#model.cancel(jobId));
      return;
    }
    const answer = await retryJob(test.database, jobId, () => null).catch((thrown: unknown) => {
      if (thrown instanceof IsgError && thrown.code === 'database-conflict') return 'twin' as const;
      throw thrown;
    });
    const seen = answer === 'twin' ? 'twin' : answer ? 'queued' : 'refused';
    expect(seen).toBe(this.#model.retry(jobId));
  }
}

it('does what plain bookkeeping says, whatever happens in whatever order', async () => {
  const property = fc.asyncProperty(fc.array(command, { minLength: 30, maxLength: 30 }), async (steps) => {
    await test.database.execute('TRUNCATE job', []);
    const twins = new Twins();
    for (const step of steps) {
      await twins.apply(step);
      await twins.compare();
    }
  });
  await fc.assert(property, { numRuns: isLong ? 1_000 : 50 });
}, 600_000);
