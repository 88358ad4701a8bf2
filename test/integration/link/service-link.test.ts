import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT, LINK_PROTOCOL } from '../../../agent/contract/index.ts';
import { assertRoot } from '../../support/privileges.ts';
import { LINK_ALONE, ServiceAgent } from './service-agent.ts';
import { ServiceClient } from './service-client.ts';

/** Without config.ini all of the link is there, and neither database nor iconik is needed. */

let dir = '';
let agent: ServiceAgent;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-service-'));
  chmodSync(dir, 0o755);
  agent = new ServiceAgent(dir, LINK_ALONE);
  closing.push(() => agent.end());
});
const useRealAgent = () => {
  agent = new ServiceAgent(dir);
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

const open = async (): Promise<ServiceClient> => {
  const client = await agent.client();
  closing.push(() => client.close());
  return client;
};

describe('an agent that runs as a service', { timeout: 120_000 }, () => {
  it('serves two clients at once: hello, snapshot, beats and answers; one that is killed changes nothing', async () => {
    useRealAgent();
    agent.start();
    const first = await open();
    const second = await open();
    for (const client of [first, second]) {
      expect(client.ofType('hello')[0]).toMatchObject({ protocol: LINK_PROTOCOL, pid: agent.process?.pid });
      await expect.poll(() => client.snapshot()?.phase, { timeout: 20_000 }).toBe('set-up');
      expect(await client.call('service.config-read', {})).toMatchObject({ path: agent.configPath, status: 'absent' });
    }
    first.socket.destroy();
    const heard = second.ofType('beat').length;
    await expect.poll(() => second.ofType('beat').length, { timeout: 20_000 }).toBeGreaterThan(heard);
    expect(await second.refusal('jobs.cancel', { jobId: 'x' })).toContain('cannot be done now');
    expect(agent.isAlive()).toBe(true);
  });

  it('is not stopped by a client, takes no token from it, and starts anew when asked', async () => {
    useRealAgent();
    agent.start();
    const client = await open();
    client.say({ type: 'stop' });
    client.say({ type: 'token', token: 'stolen' });
    expect(await client.call('service.config-read', {})).toMatchObject({ status: 'absent' });
    expect(client.ofType('goodbye')).toEqual([]);
    await client.call('service.restart', {});
    expect(await agent.untilExit()).toBe(EXIT.restart);
    await client.untilClosed();
    expect(client.ofType('goodbye')).toMatchObject([{ code: EXIT.restart }]);
  });

  it('tells nothing to a connection that says nothing, and lets it go', async () => {
    agent.start();
    const witness = await open();
    const silent = new ServiceClient(agent.socketPath);
    closing.push(() => silent.close());
    await silent.untilClosed();
    expect(silent.messages).toEqual([]);
    expect(await witness.call('service.config-read', {})).toMatchObject({ status: 'absent' });
  });

  it('replaces the socket that a killed one left, and leaves it to nobody when it stops', async () => {
    agent.start();
    await open();
    agent.process?.kill('SIGKILL');
    await agent.untilExit();
    expect(statSync(agent.socketPath).isSocket()).toBe(true);
    agent.start();
    await open();
    agent.process?.kill('SIGTERM');
    expect(await agent.untilExit()).toBe(EXIT.stopped);
    expect(statSync(agent.socketPath, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('does not take the place of another that listens there', async () => {
    mkdirSync(join(dir, 'run'), { mode: 0o750 });
    const other = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => other.listen(agent.socketPath, resolve));
    closing.push(() => other.close());
    agent.start();
    await expect.poll(() => agent.stderr, { timeout: 45_000 }).toContain('another process listens there');
    const still = new ServiceClient(agent.socketPath);
    closing.push(() => still.close());
    await expect.poll(() => still.socket.readyState, { timeout: 20_000 }).toBe('open');
  });

  it('lets owner and group in and nobody else, whatever the umask', async () => {
    assertRoot('to be other users');
    const umask = process.umask(0);
    agent.start();
    process.umask(umask);
    await open();
    const modes = [join(dir, 'run'), agent.socketPath].map((path) => (statSync(path).mode & 0o777).toString(8));
    expect(modes).toEqual(['750', '660']);
    const connectAs = async (ids: readonly string[]): Promise<string> => {
      const script = `const s = require('node:net').connect(${JSON.stringify(agent.socketPath)});
        s.on('connect', () => { console.log('in'); s.destroy(); }); s.on('error', (e) => console.log(e.code));`;
      const { stdout } = await promisify(execFile)('setpriv', [...ids, process.execPath, '-e', script]);
      return stdout.trim();
    };
    expect(await connectAs(['--reuid=65533', '--regid=65533', '--clear-groups'])).toBe('EACCES');
    expect(await connectAs(['--reuid=65533', '--regid=65533', '--groups=0'])).toBe('in');
  });

  it('refuses a folder that others can write to, and says so', async () => {
    mkdirSync(join(dir, 'run'));
    chmodSync(join(dir, 'run'), 0o777);
    agent.start();
    await expect.poll(() => agent.stderr, { timeout: 45_000 }).toContain('can be written to by others');
    expect(statSync(agent.socketPath, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('writes its config.ini: keeps every other byte, tells no secret, and refuses what would give its rights away', async () => {
    const text = '; mine\n[main]\napp-id = app\nauth-token = hunter2\nstorage-gateway-id = gw\nunknown = kept\n';
    agent.start();
    const client = await open();
    writeFileSync(agent.configPath, text);
    const save = (changes: Record<string, string | null>) => client.call('service.config-write', { changes });
    expect(await save({ 'log-level': 'debug' })).toEqual({ problems: [], conflicts: [] });
    const saved = text.replace('unknown = kept\n', 'unknown = kept\nlog-level = debug\n');
    expect(readFileSync(agent.configPath, 'utf8')).toBe(saved);
    const read = await client.call('service.config-read', {});
    expect(read).toMatchObject({ status: 'ok', waiting: expect.arrayContaining(['auth-token']) });
    expect(JSON.stringify(client.messages)).not.toContain('hunter2');

    expect((await save({ 'ffmpeg-path': '/tmp/evil' })).problems.join()).toContain('an administrator changes it');
    expect((await save({ 'iconik-url': 'https://evil.example/' })).problems.join()).toContain('enter auth-token again');
    expect((await save({ 'leader-ttl-ms': '1' })).problems).not.toEqual([]);
    expect(readFileSync(agent.configPath, 'utf8')).toBe(saved);
    const seen = { 'log-level': 'stale' };
    const { conflicts } = await client.call('service.config-write', { changes: { 'log-level': 'warn' }, seen });
    expect(conflicts).toMatchObject([{ key: 'log-level', value: 'debug' }]);
  });

  it('never lets its token meet an address that was not typed with it, in whatever order the calls come', async () => {
    const good =
      '[main]\niconik-url = https://app.iconik.io/\napp-id = app\nauth-token = hunter2\nstorage-gateway-id = gw\n';
    agent.start();
    const client = await open();
    writeFileSync(agent.configPath, good);
    const evil = 'https://evil.example/';
    const write = (changes: Record<string, string>) => client.call('service.config-write', { changes });
    // an address with a token of its own is allowed, and makes the good file the copy
    expect(await write({ 'iconik-url': evil, 'auth-token': 'typed' })).toEqual({ problems: [], conflicts: [] });
    // now the address is no change, until the copy is back: all three arrive together
    const [, , late] = await Promise.all([
      write({ 'iconik-url': evil }),
      client.call('service.config-restore', {}),
      write({ 'iconik-url': evil }),
    ]);
    expect(late.problems.join()).toContain('enter auth-token again');
    expect(readFileSync(agent.configPath, 'utf8')).toBe(good);
  });

  it('goes on beside a client that never reads, which is cut off, without growing', async () => {
    agent.start();
    const witness = await open();
    const before = agent.memory();
    const frozen = new ServiceClient(agent.socketPath);
    closing.push(() => frozen.close());
    frozen.socket.pause();
    frozen.socket.on('connect', () => frozen.socket.pause());
    // within the budget of messages, so that only what it does not read can end it
    const startedMs = performance.now();
    for (let asked = 0; asked < 3_000 && !agent.stderr.includes('was cut off'); asked += 10) {
      await expect
        .poll(() => performance.now() - startedMs, { interval: 5, timeout: 20_000 })
        .toBeGreaterThan(asked * 3);
      for (let i = 0; i < 10; i += 1) frozen.say({ type: 'call', id: i, name: 'service.config-read', params: {} });
      expect(await witness.call('service.config-read', {})).toMatchObject({ status: 'absent' });
    }
    await expect.poll(() => agent.stderr, { timeout: 30_000 }).toContain('cut off: it did not read');
    expect(await witness.call('service.config-read', {})).toMatchObject({ status: 'absent' });
    expect(agent.memory() - before).toBeLessThan(120_000_000);
  });
});
