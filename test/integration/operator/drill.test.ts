import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ChildAgent } from '../link/child-agent.ts';
import { ALL_ROLES, OperatedCluster } from './operated-cluster.ts';

// One cluster of two nodes for all of them, in order: starting nodes is what takes the time here.
let dir = '';
let cluster: OperatedCluster;
let a: ChildAgent;
let b: ChildAgent;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-drill-'));
  const nodes = ['node-a', 'node-b'].map((name) => ({ name, roles: ALL_ROLES }));
  cluster = await OperatedCluster.create(dir, { nodes });
  // Here and not in a test: a second agent in the same data folder, at a retry, would be a duplicate of the first.
  a = cluster.start('node-a');
}, 60_000);
afterAll(async () => {
  const agents = [a, b].filter((agent) => agent !== undefined && agent.process.exitCode === null);
  const gone = agents.filter(({ process }) => process.signalCode === null).map(({ process }) => once(process, 'exit'));
  for (const { process } of agents) process.kill('SIGKILL');
  await Promise.all(gone);
  await cluster?.media.stop();
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

const until = (agent: ChildAgent, standing: string) =>
  expect.poll(() => agent.snapshot()?.leadership.standing, { timeout: 30_000, interval: 20 }).toBe(standing);
const drillOf = (agent: ChildAgent) => agent.snapshot()?.cluster.drill;
const untilPossible = () => expect.poll(() => drillOf(a)?.refusal, { timeout: 30_000 }).toBeNull();
const untilEnded = (agent: ChildAgent) =>
  expect
    .poll(() => drillOf(agent)?.last?.phase, { timeout: 45_000, interval: 50 })
    .toMatch(/^(completed|not-completed)$/);
const outcomes = async () => {
  const row = z.object({ outcome: z.string().nullable(), is_whole: z.boolean() });
  const text = `SELECT outcome, handed_back_at > turn_ended_at AND turn_ended_at > handed_over_at IS TRUE AS is_whole
    FROM leader_drill ORDER BY drill_id`;
  return cluster.media.database.query(text, [], row);
};

describe('a failover drill of the only node', () => {
  it('is refused while no other node is fit to lead, with the reason', async () => {
    await until(a, 'leader');
    // A leader is shown from its term on; the drill is a work of the leader, which starts a moment later.
    await expect.poll(() => drillOf(a)?.refusal, { timeout: 30_000 }).toMatch(/no other node/i);
    expect(await a.refusal('cluster.drill', {})).toMatchObject({ message: expect.stringMatching(/no other node/i) });
  });
});

describe('a failover drill', () => {
  beforeAll(() => {
    b = cluster.start('node-b');
  });

  it('hands the leadership over and back and reports the times; only the leading node can begin one', async () => {
    await until(b, 'follower');
    await untilPossible();
    expect(await b.refusal('cluster.drill', {})).toMatchObject({ message: expect.stringMatching(/does not lead/) });

    expect(await a.call('cluster.drill', {})).toEqual({ successor: 'node-b' });
    await untilEnded(a);
    expect(drillOf(a)?.last).toMatchObject({ phase: 'completed', toName: 'node-b', why: '' });
    const { handOverMs, totalMs, outGapMs, backGapMs } = drillOf(a)?.last ?? {};
    for (const gapMs of [outGapMs, backGapMs]) {
      expect(gapMs).toBeGreaterThanOrEqual(0);
      expect(gapMs).toBeLessThan(3_000);
    }
    expect(totalMs).toBeGreaterThan((handOverMs ?? 0) + 1_000);
    await until(a, 'leader');
    expect(await cluster.media.leader()).toEqual({ name: 'node-a', term: 3 });
    expect(await outcomes()).toEqual([{ outcome: 'completed', is_whole: true }]);
  });

  it('whose first leader is paused meanwhile ends as not completed, with the reason, and the successor goes on leading', async () => {
    await untilPossible();
    await a.call('cluster.drill', {});
    await until(b, 'leader');
    await a.call('node.pause', {});
    await untilEnded(a);
    // On a busy machine node-b may learn of the pause only after its release; then it takes the lease back itself.
    const why = expect.stringMatching(/because it is draining|came back to node-b/);
    expect(drillOf(a)?.last).toMatchObject({ phase: 'not-completed', why });
    await until(b, 'leader');
    expect(await cluster.media.leader()).toMatchObject({ name: 'node-b' });
  });
});

describe('a cluster that nobody leads', () => {
  it('says so at every node, with the cause of each', async () => {
    await b.call('node.pause', {});
    const causes = (agent: ChildAgent) => agent.snapshot()?.cluster.leaderless?.causes;
    for (const agent of [a, b]) {
      await expect
        .poll(() => causes(agent), { timeout: 20_000 })
        .toMatchObject([{ code: 'paused', nodes: ['node-a', 'node-b'], cause: 'Paused by its operator.' }]);
    }
    await a.call('node.resume', {});
    await until(a, 'leader');
    await expect.poll(() => a.snapshot()?.cluster.leaderless, { timeout: 5_000 }).toBeNull();
    await b.call('node.resume', {});
  });
});

describe('a failover drill whose successor is killed while it leads', () => {
  it('ends as not completed, and the first leader leads again', async () => {
    await untilPossible();
    await a.call('cluster.drill', {});
    await until(b, 'leader');
    b.process.kill('SIGKILL');
    await untilEnded(a);
    expect(drillOf(a)?.last).toMatchObject({ phase: 'not-completed', why: expect.stringContaining('node-b') });
    await until(a, 'leader');
    expect((await outcomes()).at(-1)?.outcome).toMatch(/^not completed: node-b/);
  });
});
