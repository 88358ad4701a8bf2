import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../../agent/db/queries/job.ts';
import { type NodeProcess, nodesOfEachTest } from './node-process.ts';

const { database, start } = nodesOfEachTest();

const enqueue = (keys: readonly string[]) =>
  enqueueJobs(
    database(),
    keys.map((dedupeKey) => ({ role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {}, dedupeKey }) as const),
  );

async function one<T>(text: string, row: z.ZodType<T>): Promise<T> {
  const [found] = await database().query(text, [], row);
  if (found === undefined) throw new Error('no row');
  return found;
}
const lease = () =>
  one(
    'SELECT term, renewals, released FROM leader_lease',
    z.object({ term: z.coerce.number(), renewals: z.coerce.number(), released: z.boolean() }),
  );
const heartbeatOf = async (node: NodeProcess) =>
  (await one(`SELECT heartbeat FROM worker WHERE run_id = '${node.runId}'`, z.object({ heartbeat: z.coerce.number() })))
    .heartbeat;
const leaseEnds = () =>
  one(
    "SELECT extract(epoch FROM min(lease_expires_at)) AS ends FROM job WHERE state = 'leased'",
    z.object({ ends: z.coerce.number() }),
  );

describe('a main loop that is blocked for 10 s', () => {
  it('keeps leadership, heartbeat and job leases, and trusts its leadership at once afterwards', async () => {
    const [leader, rival] = [await start('a'), await start('b')];
    await leader.untilLeading();
    await enqueue(['one', 'two']);
    expect(await leader.ask('claim')).toEqual({ claimed: 2 });
    const [before, beats, ends] = [await lease(), await heartbeatOf(leader), await leaseEnds()];
    const answer = await leader.ask('block', 10_000);
    expect(answer).toMatchObject({ before: before.term, after: before.term });
    expect(answer.confirmedAgoMs).toBeLessThan(3_000);
    const after = await lease();
    expect(after.term).toBe(before.term);
    expect(after.renewals - before.renewals).toBeGreaterThan(8);
    expect((await heartbeatOf(leader)) - beats).toBeGreaterThan(6);
    expect((await leaseEnds()).ends - ends.ends).toBeGreaterThan(7);
    expect(rival.terms).toEqual([]);
    expect(leader.terms).toEqual([before.term]);
    expect(await leader.ask('state')).toMatchObject({ term: before.term, leaseNews: [] });
  });
});

describe('a process that was frozen as a whole', () => {
  it('is not trusted after waking, and another leads', async () => {
    const leader = await start('a');
    const term = await leader.untilLeading();
    const rival = await start('b');
    leader.child.kill('SIGSTOP');
    const next = await rival.untilLeading();
    expect(next).toBeGreaterThan(term);
    leader.child.kill('SIGCONT');
    expect((await leader.ask('state')).term).toBeNull();
    await expect.poll(() => leader.terms).toEqual([term, null]);
    expect(rival.terms).toEqual([next]);
  });
});

describe('the end of the renewal thread', () => {
  it('ends the leadership at once and releases it; a new thread renews again', async () => {
    const leader = await start('a');
    const term = await leader.untilLeading();
    await enqueue(['one']);
    expect(await leader.ask('claim')).toEqual({ claimed: 1 });
    expect(await leader.ask('kill-thread')).toEqual({ atOnce: null });
    await expect.poll(() => leader.terms[1]).toBeNull();
    await expect.poll(() => leader.terms[2] ?? 0, { timeout: 10_000 }).toBeGreaterThan(term);
    const beats = await heartbeatOf(leader);
    await expect.poll(() => heartbeatOf(leader), { timeout: 10_000 }).toBeGreaterThan(beats);
    const { ends } = await leaseEnds();
    await expect.poll(async () => (await leaseEnds()).ends, { timeout: 10_000 }).toBeGreaterThan(ends);
    expect(leader.logs.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });
});

describe('an orderly stop', () => {
  it('releases the lease and sends no heartbeat after the goodbye', async () => {
    const node = await start('a');
    await node.untilLeading();
    await node.ask('stop');
    expect(await lease()).toMatchObject({ released: true });
    const status = z.object({ availability_status: z.string() });
    expect(await one('SELECT availability_status FROM worker', status)).toEqual({ availability_status: 'unavailable' });
    await expect.poll(() => node.child.exitCode).toBe(0);
  });
});
