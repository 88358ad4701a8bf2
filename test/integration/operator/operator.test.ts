import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChildAgent } from '../link/child-agent.ts';
import { ALL_ROLES, OperatedCluster } from './operated-cluster.ts';

let dir = '';
let cluster: OperatedCluster | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-operator-'));
});
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
  rmSync(dir, { recursive: true, force: true });
});

async function create(...options: Parameters<typeof OperatedCluster.create> extends [string, ...infer R] ? R : never) {
  cluster = await OperatedCluster.create(dir, ...options);
  return cluster;
}

const standing = (agent: ChildAgent) => agent.snapshot()?.leadership.standing;
const untilStanding = (agent: ChildAgent, wanted: string) =>
  expect.poll(() => standing(agent), { timeout: 30_000, interval: 20 }).toBe(wanted);
const everyLog = { minLevel: 'debug', text: '', storageId: null, fromMs: null, toMs: null, limit: 500 };
const everyJob = { roles: [], states: [], storageId: null, nodeName: null, text: '', cursor: null, limit: 100 };

// One cluster and one agent for all of them, in order: starting these is what takes the time here.
describe('one node under its operator', () => {
  let home = '';
  let target: OperatedCluster;
  let running: ChildAgent | null = null;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'isg-pro-operator-'));
    target = await OperatedCluster.create(home, { config: { 'checksum-max-workers': 7 } });
  });
  afterAll(async () => {
    await target?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  async function leading(): Promise<ChildAgent> {
    if (running === null || running.process.exitCode !== null) running = target.start('node-a');
    await untilStanding(running, 'leader');
    return running;
  }

  it('shows itself, its roles, storages, jobs and throughput while it takes up a file', async () => {
    writeFileSync(join(target.media.mediaDir, 'notes.txt'), 'some words');
    const agent = await leading();
    await expect
      .poll(() => agent.snapshot()?.storages[0]?.files, { timeout: 30_000, interval: 100 })
      .toEqual({ ingested: 1 });
    await expect.poll(() => agent.snapshot()?.throughput.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const snapshot = agent.snapshot();
    expect(snapshot).toMatchObject({
      phase: 'running',
      node: { name: 'node-a', storageGatewayId: target.media.account.gatewayIds[0] },
      leadership: { standing: 'leader', term: 1, leaderName: 'node-a', why: '' },
      cluster: {
        enabled: true,
        uncoveredRoles: [],
        members: [{ name: 'node-a', isSelf: true, isLeader: true, isAlive: true }],
      },
      storages: [{ name: 'NAS Post', scans: true, health: { status: 'ok' } }],
    });
    expect(snapshot?.roles.map(({ role, state }) => [role, state])).toEqual(ALL_ROLES.map((role) => [role, 'working']));
    expect(snapshot?.throughput.find(({ role }) => role === 'CHECKSUM')).toMatchObject({ jobs: 1, bytes: 10 });
    expect(snapshot?.cluster.history).toMatchObject([{ term: 1, name: 'node-a', endedMs: null }]);
    expect(snapshot?.node.iconikContactMs).toBeGreaterThan(Date.now() - 60_000);
    const { rows } = await agent.call('jobs.list', everyJob);
    expect(rows.map(({ kind, subject }) => [kind, subject])).toContainEqual(['checksum', 'notes.txt']);
    const told = JSON.stringify(agent.messages);
    expect(told).not.toContain(target.media.standIn.authToken);
    expect(told).not.toContain(new URL(target.media.databaseUri).password);
  });

  it('diagnoses itself when asked, while it goes on leading its term', async () => {
    const agent = await leading();
    const term = agent.snapshot()?.leadership.term;
    const { ok, findings, checked } = await agent.call('doctor.run', {});
    // A machine that is busy with other tests may leave it no time for everything.
    expect(findings.filter(({ code }) => code !== 'not-checked')).toEqual([]);
    expect(ok).toBe(true);
    expect(checked).toContain('iconik');
    expect(agent.snapshot()?.leadership).toMatchObject({ standing: 'leader', term });
  });

  it('sends its logs to iconik when asked, as those of its gateway', async () => {
    const agent = await leading();
    const { filename } = await agent.call('logs.send', {});
    expect(filename).toMatch(/^isg-pro-.*\.log\.gz$/);
    const gatewayId = target.media.account.gatewayIds[0] ?? '';
    const arrived = target.media.standIn.objects().map(({ key }) => key);
    expect(arrived).toContainEqual(expect.stringContaining(`logs/${gatewayId}/${filename}`));
  });

  it('sends its log as it is written, the same lines that can be read from its store', async () => {
    const agent = await leading();
    const words = /This node leads the cluster/;
    await expect
      .poll(() => agent.logLines().some(({ message }) => words.test(message)), { timeout: 10_000 })
      .toBe(true);
    const { lines } = await agent.call('logs.read', { ...everyLog, text: 'LEADS THE CLUSTER' });
    expect(lines).toHaveLength(1);
    expect(agent.logLines()).toContainEqual(lines[0]);
  });

  it('paused, stops leading and taking jobs, says so everywhere, and goes on when resumed', async () => {
    const agent = await leading();
    await agent.call('node.pause', {});
    await untilStanding(agent, 'cannot-lead');
    expect(agent.snapshot()).toMatchObject({ isPaused: true, status: { availability: 'draining' } });
    expect(agent.snapshot()?.roles.every(({ state, why }) => state === 'paused' && why !== '')).toBe(true);
    // The lease is given back once the leader's work has settled.
    await expect.poll(() => target.media.leader(), { timeout: 10_000 }).toBeNull();
    await agent.call('node.resume', {});
    await untilStanding(agent, 'leader');
    expect(agent.snapshot()).toMatchObject({ isPaused: false, status: { availability: 'available' } });
  });

  it('disables and enables its cluster in iconik', async () => {
    const agent = await leading();
    await agent.call('cluster.set-enabled', { enabled: false });
    await expect.poll(() => agent.snapshot()?.status.availability, { timeout: 5_000 }).toBe('disabled');
    expect(agent.snapshot()?.cluster.enabled).toBe(false);
    const record = target.media.standIn.records.clusters.get(target.media.account.clusterId);
    expect(record).toMatchObject({ enabled: false, db_connection_uri: target.media.databaseUri });
    await agent.call('cluster.set-enabled', { enabled: true });
    await untilStanding(agent, 'leader');
    expect(target.media.standIn.state().violations).toEqual([]);
  });

  it('reads settings with their tiers and changes one without touching the others', async () => {
    const agent = await leading();
    const { gateways, clusters } = target.media.standIn.records;
    const gateway = gateways.get(target.media.account.gatewayIds[0]);
    const seeded = clusters.get(target.media.account.clusterId);
    if (gateway) gateway.settings = { max_transcoding_jobs: 3 };
    if (seeded) seeded.settings = { max_transcoding_jobs: 5, scanner_concurrency_value: 2 };
    const write = (name: string, tier: string, value: number | null) =>
      agent.call('settings.write', { name, tier, value });
    const row = async (name: string) => (await agent.call('settings.read', {})).rows.find((one) => one.name === name);
    await write('file_upload_parallel_uploads_num', 'node', 9);
    expect(gateway?.settings).toEqual({ max_transcoding_jobs: 3, file_upload_parallel_uploads_num: 9 });
    expect(await row('file_upload_parallel_uploads_num')).toMatchObject({ value: 9, wonBy: 'node' });
    expect(await row('checksum_max_workers')).toMatchObject({ value: 7, wonBy: 'config.ini' });
    await write('max_transcoding_jobs', 'node', null);
    expect(await row('max_transcoding_jobs')).toMatchObject({ value: 5, wonBy: 'cluster' });
    await write('visibility_timeout', 'cluster', 120);
    expect(await row('visibility_timeout')).toMatchObject({ value: 120, tiers: ['cluster'] });
    expect(seeded).toMatchObject({ settings: { scanner_concurrency_value: 2 }, visibility_timeout: 120 });
    for (const [name, tier, value] of [
      ['visibility_timeout', 'node', 120],
      ['max_transcoding_jobs', 'node', 65],
      ['no_such_setting', 'node', 1],
    ])
      expect(await agent.refusal('settings.write', { name, tier, value })).toMatchObject({ code: 'config-invalid' });
    expect(target.media.standIn.state().violations).toEqual([]);
  });

  it('shows a second agent on the same data folder as a duplicate', async () => {
    await leading();
    const second = target.start('node-a');
    await expect.poll(() => second.snapshot()?.status.availability, { timeout: 20_000 }).toBe('duplicate');
    expect(second.snapshot()?.reason).toMatch(/Another agent works with the data folder/);
    await second.end();
  });

  it('stops in order when asked: hands over the lease and ends with code 0', async () => {
    const agent = await leading();
    agent.process.send({ type: 'stop' });
    expect(await agent.untilExit()).toBe(0);
    expect(agent.ofType('snapshot').some(({ snapshot }) => snapshot.phase === 'stopping')).toBe(true);
    expect(await target.media.leader()).toBeNull();
  });
});

describe('a node that cannot start yet', () => {
  it('says what it waits for, and what to do, while iconik or the database are away', async () => {
    const target = await create({ dbConnectionUri: 'postgresql://isg:hunter2secret@127.0.0.1:9/isg?sslmode=disable' });
    target.media.standIn.setFaults({ outage: true });
    const agent = target.start('node-a');
    await expect.poll(() => agent.snapshot()?.reason, { timeout: 40_000, interval: 50 }).toMatch(/iconik/);
    expect(agent.snapshot()).toMatchObject({ phase: 'waiting-for-iconik', leadership: { standing: 'unknown' } });
    target.media.standIn.setFaults({});
    await expect.poll(() => agent.snapshot()?.phase, { timeout: 40_000 }).toBe('waiting-for-database');
    expect(agent.snapshot()?.reason).toContain('127.0.0.1:9');
    expect(await agent.refusal('jobs.list', everyJob)).toMatchObject({ retry: 'transient' });
    expect(JSON.stringify(agent.messages)).not.toContain('hunter2secret');
    for (const record of target.media.standIn.records.clusters.all())
      record.db_connection_uri = target.media.databaseUri;
    await untilStanding(agent, 'leader');
  });
});

describe('two nodes', () => {
  it('both show a new leader within 1 s of the change', async () => {
    const target = await create({
      nodes: [
        { name: 'node-a', roles: ALL_ROLES },
        { name: 'node-b', roles: ALL_ROLES },
      ],
    });
    const a = target.start('node-a');
    await untilStanding(a, 'leader');
    const b = target.start('node-b');
    await untilStanding(b, 'follower');
    expect(b.snapshot()?.leadership).toMatchObject({ leaderName: 'node-a', term: 1 });
    const shownMs: Record<string, number> = {};
    const note = (name: string, agent: ChildAgent, wanted: string) =>
      agent.onSnapshot(({ leadership }) => {
        if (leadership.leaderName === 'node-b' && leadership.standing === wanted) shownMs[name] ??= performance.now();
      });
    note('a', a, 'cannot-lead');
    note('b', b, 'leader');
    await a.call('node.pause', {});
    let changedMs = 0;
    await expect
      .poll(
        async () => {
          const leader = await target.media.leader();
          if (leader?.name === 'node-b') changedMs ||= performance.now();
          return leader?.name;
        },
        { timeout: 10_000, interval: 5 },
      )
      .toBe('node-b');
    await expect.poll(() => Object.keys(shownMs).length, { timeout: 5_000 }).toBe(2);
    for (const ms of Object.values(shownMs)) expect(ms - changedMs).toBeLessThan(1_000);
    await a.call('node.resume', {});
    await untilStanding(a, 'follower');
  });
});
