import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SILENCE } from '../../support/fault-proxy.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { CANDIDATES, FailingCluster, TRUST_MS } from './failing-cluster.ts';

/**
 * Each way in which a cluster can lose its leader, with real agents, pgBouncer in front of PostgreSQL, and a network and a
 * mount of each node's own. The tests share one cluster and heal what they broke.
 */

/** From loss of health to the next leader (design: reach). */
const HEALTH_LOSS_MS = 8_000;
/** From death or isolation: ttl 3 s, the candidates' look, and a busy machine. */
const DEATH_MS = 6_000;
/** What a busy machine may add to the instant at which a timer fires. */
const SLACK_MS = 750;
/** The length of a fault, not a wait for something. */
const OUTAGE_MS = isLong ? 60_000 : 8_000;

let failing: FailingCluster;
beforeAll(async () => {
  failing = await FailingCluster.start();
});
afterAll(() => failing?.stop());

/** The old leader gave its lease back, said why, and sends nothing more that only a leader sends. */
async function expectSteppedDown(
  { old, takenMs }: { old: { name: string; term: number }; takenMs: number },
  why: RegExp,
) {
  expect(await failing.endOf(old.term)).toMatchObject({
    name: old.name,
    ended: true,
    end_why: expect.stringMatching(why),
  });
  await failing.until(
    'the old leader says what it lacks',
    async () => {
      const { availability_status: status, status_reason: reason } = await failing.worker(old.name);
      return status === 'degraded' && why.test(reason);
    },
    10_000,
  );
  expect(failing.leaderRequests(old.name, takenMs)).toEqual([]);
}

describe('when the machine of the leader dies', () => {
  it('another node leads in time, corrects its status, and a job elsewhere runs on', async () => {
    await failing.startLongJob('during-death.bin', '2G');
    const before = await failing.job('during-death.bin');
    const { old } = await failing.failOver((name) => failing.cluster.endNode(name, 'SIGKILL'), DEATH_MS);
    const isCorrected = async () => (await failing.worker(old.name)).availability_status === 'unavailable';
    await failing.until('its status was corrected', isCorrected, 15_000);
    expect((await failing.worker(old.name)).status_reason).toContain('stopped answering');
    await failing.until(
      'the job is done',
      async () => (await failing.job('during-death.bin'))?.state === 'done',
      60_000,
    );
    expect(await failing.job('during-death.bin')).toMatchObject({ job_id: before?.job_id, attempts: before?.attempts });
    rmSync(join(failing.cluster.mediaDir, 'during-death.bin'));
    failing.cluster.startNode(old.name);
    await failing.untilWell();
  });
});

describe('when the leader alone loses iconik', () => {
  it.each([
    { how: 'falls silent', faults: SILENCE },
    ...(isLong ? [{ how: 'refuses connections', faults: { refuse: true } }] : []),
  ])('and iconik $how: it releases its lease, another node leads in time', async ({ faults }) => {
    const failover = await failing.failOver(async (name) => {
      const { iconik } = failing.cluster.network(name);
      await iconik.setFaults(faults);
      if (faults.refuse) iconik.resetAll();
    }, HEALTH_LOSS_MS);
    await expectSteppedDown(failover, /iconik/);
    expect(await failing.endOf(failover.next.term)).toMatchObject({ why: 'the lease was released' });
    await failing.cluster.network(failover.old.name).iconik.setFaults({});
    await failing.untilWell();
  });
});

describe('when the leader alone loses a shared storage', () => {
  const losses = [
    {
      how: 'its mount hangs',
      why: /does not answer/,
      strike: async (name: string) => failing.mount(name).hang(),
      heal: async (name: string) => failing.mount(name).answerAgain(),
    },
    {
      how: 'its mount point is suddenly empty',
      why: /does not carry its marker file .* and is empty/,
      strike: async (name: string) => failing.mount(name).unmount(),
      heal: async (name: string) => failing.mount(name).mount('first.txt'),
    },
    {
      how: 'its directory is gone',
      why: /does not exist/,
      strike: async (name: string) => failing.mount(name).remove(),
      heal: async (name: string) => failing.mount(name).mount('first.txt'),
      isSlow: true,
    },
    {
      how: 'it is remounted read-only',
      why: /cannot be written/,
      strike: async (name: string) => failing.mount(name).setReadOnly(true),
      heal: async (name: string) => failing.mount(name).setReadOnly(false),
      isSlow: true,
    },
  ];
  it.each(losses.filter(({ isSlow }) => isLong || !isSlow))(
    'because $how: it releases its lease, another node leads in time',
    async ({ why, strike, heal }) => {
      const failover = await failing.failOver(strike, HEALTH_LOSS_MS);
      await expectSteppedDown(failover, why);
      expect(await failing.endOf(failover.next.term)).toMatchObject({ why: 'the lease was released' });
      await heal(failover.old.name);
      await failing.untilWell();
    },
  );
});

describe('when the leader loses all network', () => {
  it('it stops within its trust window, another node leads in time, and it follows when it is back', async () => {
    const { old, next, faultMs } = await failing.failOver(
      (name) => failing.cluster.network(name).setCut(true),
      DEATH_MS,
    );
    const isCorrected = async () => (await failing.worker(old.name)).availability_status === 'unavailable';
    await failing.until('its status was corrected', isCorrected, 15_000);
    expect(failing.leaderRequests(old.name, faultMs + TRUST_MS + SLACK_MS)).toEqual([]);
    await failing.cluster.network(old.name).setCut(false);
    await failing.untilWell();
    expect(await failing.cluster.leader()).toEqual(next);
    expect(failing.leaderRequests(old.name, faultMs + TRUST_MS + SLACK_MS)).toEqual([]);
  });
});

describe('when no node is fit to lead', () => {
  it('nobody leads, every node says why, and the doctor agrees', async () => {
    const networks = CANDIDATES.map((name) => failing.cluster.network(name));
    await Promise.all(networks.map(({ iconik }) => iconik.setFaults(SILENCE)));
    const allSayWhy = async () => {
      const workers = (await failing.workers()).filter(({ name }) =>
        CANDIDATES.some((candidate) => candidate === name),
      );
      return workers.every(
        ({ availability_status: status, status_reason: reason }) =>
          status === 'degraded' && /iconik.*Check/.test(reason),
      );
    };
    await failing.until('every candidate says why', allSayWhy, 30_000);
    await failing.until('nobody leads', async () => (await failing.cluster.leader()) === null, 20_000);
    const { iconik } = failing.cluster.network('node-a');
    await iconik.setFaults({ refuse: true });
    const findings = await failing.doctor('node-a');
    expect(findings[0]).toMatchObject({ code: 'iconik-unreachable', severity: 'error' });
    expect(await failing.cluster.leader()).toBeNull();
    await Promise.all(networks.map((network) => network.iconik.setFaults({})));
    await failing.untilWell(45_000);
  });
});

/** What the database's absence must not do: change the leader more than once, or cost a job its work. */
async function expectHarmless(path: string, fault: () => Promise<void>): Promise<void> {
  await failing.startLongJob(path);
  const job = await failing.job(path);
  const terms = (await failing.history()).length;
  await fault();
  await failing.until(`the job of ${path} is done`, async () => (await failing.job(path))?.state === 'done', 60_000);
  await failing.untilWell(45_000);
  const changes = (await failing.history()).length - terms;
  expect(changes).toBeLessThanOrEqual(1);
  expect(await failing.job(path)).toMatchObject({ job_id: job?.job_id, attempts: job?.attempts });
  rmSync(join(failing.cluster.mediaDir, path));
}

describe('leadership changes at most once and a running job finishes and commits', () => {
  it.runIf(isLong)(`when pgBouncer restarts${onlyLong}`, async () => {
    await expectHarmless('pooler.bin', () => failing.cluster.restartPooler());
  });

  it('when PostgreSQL restarts', async () => {
    await expectHarmless('server.bin', () => failing.cluster.killDatabase());
  });

  it(`when the database is silent for all nodes for ${OUTAGE_MS / 1_000} s`, async () => {
    const databases = failing.cluster.nodes.map(({ name }) => failing.cluster.network(name).database);
    await expectHarmless('outage.bin', async () => {
      await Promise.all(databases.map((database) => database.setFaults(SILENCE)));
      await sleep(OUTAGE_MS);
      await Promise.all(databases.map((database) => database.setFaults({})));
    });
  });
});

describe('over all of it', () => {
  it('terms only grew, one leader each, and every call to iconik was allowed', async () => {
    const history = await failing.history();
    expect(history.map(({ term }) => term)).toEqual(history.map((_, at) => at + 1));
    expect(failing.cluster.standIn.state().violations).toEqual([]);
  });
});
