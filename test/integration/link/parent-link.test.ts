import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT, ChildAgent } from './child-agent.ts';

const LINK_PROGRAM = fileURLToPath(new URL('./link-program.ts', import.meta.url));
const PARENT_PROGRAM = fileURLToPath(new URL('./parent-program.ts', import.meta.url));

let dir = '';
const closing: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-link-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

function start(program: string, args: readonly string[]): ChildAgent {
  const agent = new ChildAgent(program, args);
  closing.push(() => agent.end());
  return agent;
}

const absent = () => ['--config', join(dir, 'config.ini'), '--data-dir', join(dir, 'data')];

/** A parent's socket: the lines it got, with the time of each. */
async function listen(path: string): Promise<{ server: Server; beats: { atMs: number; loop: number }[] }> {
  const beats: { atMs: number; loop: number }[] = [];
  const server = createServer((socket) => {
    closing.push(() => socket.destroy());
    socket.on('data', (data) => {
      for (const line of data.toString('utf8').trim().split('\n'))
        beats.push({ atMs: performance.now(), loop: Number(line) });
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  closing.push(() => server.close());
  return { server, beats };
}

/** Whether a process runs; one that has ended and that nobody has asked about (a zombie) does not. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A parent process of its own, with the program as its child. */
async function startFamily(
  program: string,
  args: readonly string[],
): Promise<{ parent: ChildProcess; childPid: number }> {
  const socket = join(dir, 'family.sock');
  const parent = spawn(process.execPath, [PARENT_PROGRAM, program, socket, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  closing.push(() => parent.kill('SIGKILL'));
  const [line] = await once(parent.stdout ?? parent, 'data');
  const childPid = Number(String(line));
  expect(childPid).toBeGreaterThan(1);
  closing.push(() => isAlive(childPid) && process.kill(childPid, 'SIGKILL'));
  return { parent, childPid };
}

describe('the real agent under a parent', () => {
  it('says hello within 1.5 s of its start, before configuration and database', async () => {
    const agent = start(AGENT, absent());
    await agent.untilHello();
    expect(agent.messages[0]).toMatchObject({ type: 'hello', protocol: 1, pid: agent.process.pid });
    expect(agent.helloMs).toBeLessThan(1_500);
  });

  it('stays up without config.ini, shows that it is to be set up, and answers only what helps with that', async () => {
    const agent = start(AGENT, absent());
    await expect.poll(() => agent.snapshot()?.phase, { timeout: 20_000 }).toBe('set-up');
    expect(await agent.refusal('jobs.cancel', { jobId: '1' })).toMatchObject({ retry: 'transient' });
    expect(await agent.call('setup.test-mount', { mountPoint: dir, storageId: 's' })).toMatchObject({ ok: true });
    expect(agent.process.exitCode).toBeNull();
  });

  it('ends in order on the stop message, with code 0 and a goodbye', async () => {
    const agent = start(AGENT, absent());
    await expect.poll(() => agent.snapshot()?.phase, { timeout: 20_000 }).toBe('set-up');
    agent.process.send({ type: 'stop' });
    expect(await agent.untilExit()).toBe(0);
    expect(agent.ofType('goodbye')).toMatchObject([{ code: 0 }]);
  });

  it('obeys a stop that came before it was loaded', async () => {
    const agent = start(AGENT, absent());
    agent.process.send({ type: 'stop' });
    expect(await agent.untilExit()).toBe(0);
  });

  it('ends with code 2 and names all problems when config.ini is wrong; values are not repeated', async () => {
    const path = join(dir, 'config.ini');
    writeFileSync(path, '[main]\nauth-token = very secret words\nchecksum-max-workers = 900\n');
    const agent = start(AGENT, absent());
    expect(await agent.untilExit()).toBe(2);
    const [goodbye] = agent.ofType('goodbye');
    expect(goodbye?.code).toBe(2);
    for (const key of ['app-id', 'storage-gateway-id', 'checksum-max-workers', 'auth-token'])
      expect(goodbye?.reason).toContain(key);
    expect(goodbye?.reason).not.toContain('very secret words');
  });

  it('is gone within 3 s of its parent’s death', async () => {
    const { parent, childPid } = await startFamily(AGENT, absent());
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(childPid), { timeout: 3_000, interval: 20 }).toBe(false);
  });

  it('ends with code 5 when the channel is cut', async () => {
    const agent = start(AGENT, absent());
    await expect.poll(() => agent.snapshot()?.phase, { timeout: 20_000 }).toBe('set-up');
    agent.process.disconnect();
    expect(await agent.untilExit(3_000)).toBe(5);
  });
});

describe('calls over the link', () => {
  it('are refused when unknown, malformed or not possible now, and go on to be answered', async () => {
    const agent = start(LINK_PROGRAM, []);
    await agent.untilHello();
    expect(await agent.refusal('no.such-call', {})).toMatchObject({ retry: 'permanent' });
    expect(await agent.refusal('toString', {})).toMatchObject({ retry: 'permanent' });
    expect((await agent.refusal('jobs.cancel', { jobId: 7 })).message).toContain('jobId');
    expect(await agent.refusal('settings.read', {})).toMatchObject({ code: 'stopped', retry: 'transient' });
    expect(await agent.call('jobs.cancel', { jobId: '7' })).toEqual({});
  });

  it('that fail are refused with code and words, secrets struck out', async () => {
    const agent = start(LINK_PROGRAM, []);
    await agent.untilHello();
    expect(await agent.refusal('node.resume', {})).toEqual({
      code: 'unexpected',
      message: 'the password is ***',
      retry: 'transient',
    });
  });

  it('survive messages of no known shape', async () => {
    const agent = start(LINK_PROGRAM, []);
    await agent.untilHello();
    for (const odd of [null, 7, 'text', {}, { type: 'call' }, { type: 'dance' }]) agent.process.send(odd as object);
    expect(await agent.call('jobs.cancel', { jobId: '7' })).toEqual({});
  });
});

describe('beats', () => {
  it('come from the main loop twice a second, counting its turns', async () => {
    const agent = start(LINK_PROGRAM, []);
    await expect.poll(() => agent.ofType('beat').length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
    const loops = agent.ofType('beat').map(({ loop }) => loop);
    expect(loops).toEqual([...loops].sort((a, b) => a - b));
    expect(new Set(loops).size).toBe(loops.length);
  });

  it('of the thread go on while the main loop is blocked, with a counter that stands', async () => {
    const path = join(dir, 'beat.sock');
    const { beats } = await listen(path);
    const agent = start(LINK_PROGRAM, [path]);
    await expect.poll(() => beats.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(new Set(beats.map(({ loop }) => loop)).size).toBeGreaterThan(1);
    void agent.ask('node.pause', {});
    await expect.poll(() => new Set(beats.slice(-4).map(({ loop }) => loop)).size, { timeout: 10_000 }).toBe(1);
    const sent = agent.ofType('beat').length;
    const seen = beats.length;
    await expect.poll(() => beats.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(seen + 2);
    expect(agent.ofType('beat')).toHaveLength(sent);
    expect(new Set(beats.slice(-4).map(({ loop }) => loop)).size).toBe(1);
  });

  it('of the thread come back when the parent listens again', async () => {
    const path = join(dir, 'beat.sock');
    start(LINK_PROGRAM, [path]);
    const { beats } = await listen(path);
    await expect.poll(() => beats.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
  });

  it('end the process when its parent is gone and the main loop hangs', async () => {
    const socket = join(dir, 'family.sock');
    const { parent, childPid } = await startFamily(LINK_PROGRAM, [socket]);
    const call = { type: 'call', id: 1, name: 'node.pause', params: {} };
    parent.stdin?.write(JSON.stringify(call));
    // The child is blocked once its parent has passed the call on; nobody can tell, so its silence is awaited.
    await expect.poll(() => isAsleep(childPid), { timeout: 10_000, interval: 600 }).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(childPid), { timeout: 8_000, interval: 20 }).toBe(false);
  });
});

const lastSwitches = new Map<number, string>();
/** Whether the main thread of a process has not run since the last look. */
function isAsleep(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/task/${pid}/status`, 'utf8');
  const switches = status.slice(status.indexOf('voluntary_ctxt_switches'));
  const isSame = lastSwitches.get(pid) === switches;
  lastSwitches.set(pid, switches);
  return isSame;
}
