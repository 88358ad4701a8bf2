import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AGENT, type ChildAgent } from '../link/child-agent.ts';
import { ALL_ROLES, OperatedCluster } from '../operator/operated-cluster.ts';

// One cluster and one agent for all of them, in order: starting these is what takes the time here.
describe('settings that change while the node runs', () => {
  let dir = '';
  let configPath = '';
  let first = '';
  let target: OperatedCluster;
  let agent: ChildAgent;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'isg-pro-live-'));
    target = await OperatedCluster.create(dir, { nodes: [{ name: 'node-a', roles: [] }] });
    configPath = join(dir, 'node-a', 'config.ini');
    first = readFileSync(configPath, 'utf8');
    agent = target.start('node-a');
  });
  beforeEach(() => untilRunning(agent));
  afterAll(async () => {
    // what a failed test left behind; an agent that has ended is none
    agent.process.kill('SIGKILL');
    if (agent.process.exitCode === null && agent.process.signalCode === null) await once(agent.process, 'exit');
    await target?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const untilRunning = (started: ChildAgent) =>
    expect.poll(() => started.snapshot()?.phase, { timeout: 40_000, interval: 20 }).toBe('running');
  const row = async (name: string) => (await agent.call('settings.read', {})).rows.find((each) => each.name === name);
  const untilRow = (name: string, wanted: object) =>
    expect.poll(() => row(name), { timeout: 20_000, interval: 20 }).toMatchObject(wanted);
  const untilLogged = (words: RegExp) =>
    expect.poll(() => agent.stderr, { timeout: 20_000, interval: 20 }).toMatch(words);
  const gateway = () => {
    const record = target.media.standIn.records.gateways.get(target.media.account.gatewayIds[0]);
    if (!record) throw new Error('the gateway is gone');
    return record;
  };

  it('the first node of a cluster has no roles and takes all four', () => {
    expect(gateway().roles).toEqual(ALL_ROLES);
  });

  it('an edit of config.ini counts within a second, and the log says who won and what was beaten', async () => {
    const savedMs = performance.now();
    writeFileSync(configPath, `${first}max_transcoding_jobs = 7 ; a comment\nlog-level = debug\n`);
    await untilRow('max_transcoding_jobs', { value: 7, wonBy: 'config.ini', beaten: [{ tier: 'default', value: 2 }] });
    const tookMs = performance.now() - savedMs;
    process.stdout.write(`config.ini counted after ${Math.round(tookMs)} ms\n`);
    // a second on a machine that has nothing else to do
    expect(tookMs).toBeLessThan(10_000);
    await untilLogged(/max_transcoding_jobs is now 7, said by config\.ini, which beats default \(2\)/);
    await untilLogged(/log-level is now debug, said by config\.ini.*It counts from now on/);
  });

  it('what needs a restart is said to, and secrets are never repeated', async () => {
    const saved = readFileSync(configPath, 'utf8');
    const token = target.media.standIn.authToken;
    writeFileSync(configPath, `${saved.replace(token, 'another-token-7c1e')}stall-ms = 20000\n`);
    await untilLogged(/stall-ms is now 20000.*next start/);
    await untilLogged(/auth-token is now a value that is not shown.*next start/);
    expect(JSON.stringify(agent.messages) + agent.stderr).not.toContain('another-token-7c1e');
  });

  it('a broken edit changes nothing and is told with its lines; so is a file that is gone, and the recovery', async () => {
    const lines = first.split('\n').length;
    writeFileSync(configPath, `${first}max-transcoding-jobs = 700\nscanner-concurrency-value = 9\nnonsense\n`);
    await untilLogged(
      new RegExp(`cannot be used as it stands.*line ${lines}: max-transcoding-jobs .* 1 to 64; line ${lines + 2}: `),
    );
    expect(await row('max_transcoding_jobs')).toMatchObject({ value: 7 });
    expect(await row('scanner_concurrency_value')).toMatchObject({ value: 4 });
    renameSync(configPath, `${configPath}.away`);
    await untilLogged(/the file is gone/);
    expect(await row('max_transcoding_jobs')).toMatchObject({ value: 7 });
    writeFileSync(configPath, `${first}max-transcoding-jobs = 8\n`);
    await untilRow('max_transcoding_jobs', { value: 8 });
    await untilLogged(/can be used again/);
  });

  it('what node and cluster say in iconik arrives within 10 s', async () => {
    gateway().settings = { max_transcoding_jobs: 3, checksum_max_workers: 5 };
    await untilRow('checksum_max_workers', { value: 5, wonBy: 'node' });
    await untilLogged(/max_transcoding_jobs stays 8, said by config\.ini, which beats node \(3\)/);
  });

  it('--print-settings says the same as the running node, and no secret', async () => {
    gateway().settings = { max_transcoding_jobs: 3, checksum_max_workers: 5 };
    await untilRow('checksum_max_workers', { value: 5 });
    const { stdout } = await promisify(execFile)(process.execPath, [
      AGENT,
      '--config',
      configPath,
      '--print-settings',
      '--json',
    ]);
    const printed = z
      .object({ settings: z.record(z.string(), z.unknown()), unknown: z.null() })
      .parse(JSON.parse(stdout));
    for (const { name, value, wonBy, beaten } of (await agent.call('settings.read', {})).rows)
      expect(printed.settings[name]).toMatchObject({ value, wonBy, beaten });
    expect(stdout).not.toContain(target.media.standIn.authToken);
  });

  it('a role that is taken away in iconik is left, and one that is given starts', async () => {
    const working = () => agent.snapshot()?.roles.map(({ role, state }) => `${role} ${state}`);
    gateway().roles = ['MAIN', 'CHECKSUM'];
    await expect.poll(working, { timeout: 20_000 }).toEqual(['MAIN working', 'CHECKSUM working']);
    gateway().roles = [...ALL_ROLES];
    await expect.poll(working, { timeout: 20_000 }).toEqual(ALL_ROLES.map((role) => `${role} working`));
  });

  it('a token that the parent keeps reaches the agent over the link, and stands in no argument', async () => {
    await agent.end();
    writeFileSync(configPath, first.replace(/^auth-token.*\n/m, ''));
    agent = target.start('node-a', '--token-by-parent');
    await agent.untilHello();
    agent.process.send({ type: 'token', token: target.media.standIn.authToken });
    // without a token it would end before its first snapshot
    await expect.poll(() => agent.snapshot()?.node.storageGatewayId, { timeout: 20_000 }).toBe(gateway().id);
    expect(agent.process.spawnargs.join(' ')).not.toContain(target.media.standIn.authToken);
    expect(agent.stderr).not.toContain(target.media.standIn.authToken);
    await agent.end();
  });
});
