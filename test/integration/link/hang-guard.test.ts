import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceAgent } from './service-agent.ts';

const HANG_PROGRAM = fileURLToPath(new URL('./hang-program.ts', import.meta.url));
const PRELOAD = new URL('./hang-preload.ts', import.meta.url);
/** Short, but no load keeps a main loop from turning once within it. */
const LIMIT_MS = 5_000;

let dir = '';
let child: ChildProcess | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-hang-'));
  chmodSync(dir, 0o755);
});
afterEach(async () => {
  if (child && isAlive(child)) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(dir, { recursive: true, force: true });
});

const isAlive = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;
const stateOf = (pid: number | undefined) => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];

async function start(): Promise<ChildProcess> {
  const started = spawn(process.execPath, [HANG_PROGRAM, String(LIMIT_MS), join(dir, 'service.log')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child = started;
  await once(started.stdout, 'data');
  return started;
}

async function killedBy(hung: ChildProcess, limitMs: number): Promise<NodeJS.Signals | null> {
  if (isAlive(hung)) await once(hung, 'exit', { signal: AbortSignal.timeout(limitMs) });
  return hung.signalCode;
}

describe('a service whose main loop hangs', { timeout: 180_000 }, () => {
  it('ends itself at the limit, not before, and says why in its log file', async () => {
    const service = await start();
    const sinceMs = performance.now();
    service.kill('SIGUSR2');
    expect(await killedBy(service, 60_000)).toBe('SIGKILL');
    // The thread may have begun to count before the loop stood: by one look.
    expect(performance.now() - sinceMs).toBeGreaterThan(LIMIT_MS - 600);
    expect(readFileSync(join(dir, 'service.log'), 'utf8')).toContain(
      'ERROR The agent has hung for 5 s and ends itself',
    );
  });

  it('ends itself also when its last words cannot be written', async () => {
    const args = [HANG_PROGRAM, String(LIMIT_MS), join(dir, 'no-such-folder', 'service.log')];
    // Nobody reads the pipe of standard error, which is full.
    const service = spawn('sh', ['-c', 'yes | head -c 4000000 >&2 & exec "$@"', 'sh', process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = service;
    service.stderr.pause();
    await once(service.stdout, 'data');
    service.kill('SIGUSR2');
    expect(await killedBy(service, 60_000)).toBe('SIGKILL');
    service.stderr.destroy();
  });

  it('is let live when the whole process was stopped for longer than the limit and goes on', async () => {
    const service = await start();
    service.kill('SIGSTOP');
    await expect.poll(() => stateOf(service.pid), { timeout: 20_000 }).toBe('T');
    const sinceMs = performance.now();
    await expect
      .poll(() => performance.now() - sinceMs, { timeout: 60_000, interval: 200 })
      .toBeGreaterThan(LIMIT_MS * 1.5);
    service.kill('SIGCONT');
    const onMs = performance.now();
    await expect.poll(() => performance.now() - onMs, { timeout: 60_000, interval: 200 }).toBeGreaterThan(2_000);
    expect(isAlive(service)).toBe(true);
    // The guard is awake again, too.
    service.kill('SIGUSR2');
    expect(await killedBy(service, 60_000)).toBe('SIGKILL');
  });

  it('is a real agent, which says it in logs/service.log of its data folder', async () => {
    const agent = new ServiceAgent(dir);
    const before = process.env.NODE_OPTIONS;
    process.env.NODE_OPTIONS = `--import=${PRELOAD.href}`;
    child = agent.start();
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
    const client = await agent.client();
    client.close();
    agent.process?.kill('SIGUSR2');
    expect(await killedBy(child, 120_000)).toBe('SIGKILL');
    expect(readFileSync(join(dir, 'data', 'logs', 'service.log'), 'utf8')).toContain('has hung for 30 s');
  });
});
