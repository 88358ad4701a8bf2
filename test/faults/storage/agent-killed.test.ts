import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { childPids, isRunning, until, useStorages } from '../../integration/storage/storage-fixture.ts';
import { isOnDuty } from './guard-on-duty.ts';

const storages = useStorages();
const started: number[] = [];

afterEach(() => {
  for (const pid of started.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

async function startAgent(): Promise<{ agent: ChildProcess; pids: number[] }> {
  const directory = await storages.directory();
  for (const name of ['a', 'b']) execFileSync('truncate', ['-s', '500G', join(directory, name)]);
  const program = fileURLToPath(new URL('./agent-like-program.ts', import.meta.url));
  const agent = fork(program, [directory, 'a', 'b'], { execArgv: [] });
  const [pids] = await once(agent, 'message');
  started.push(...z.array(z.number().int().positive()).parse(pids));
  return { agent, pids: [...started] };
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // Gone.
    return '';
  }
}

describe('when the agent is killed', () => {
  it('its storage processes, programs, their children and the guard are gone within 3 s', async () => {
    const { agent, pids } = await startAgent();
    // Guard, probe, two readers, shell, its two sleeps, plain sleep.
    expect(pids.filter(isRunning)).toHaveLength(8);
    agent.kill('SIGKILL');
    await until(() => !pids.some(isRunning), 3_000);
  });

  it('the same holds after its guard was killed before and came back', async () => {
    const { agent, pids } = await startAgent();
    const isGuard = (pid: number) => isRunning(pid) && commandOf(pid).includes('child guard');
    const guard = pids.find(isGuard) ?? 0;
    process.kill(guard, 'SIGKILL');
    const children = () =>
      readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim().split(' ').map(Number);
    await until(() => children().some((pid) => pid !== guard && isGuard(pid)), 10_000);
    // The agent has given it the list before it does anything else.
    agent.send('are you there');
    await once(agent, 'message');
    agent.kill('SIGKILL');
    await until(() => !pids.some(isRunning), 3_000);
  });

  it('frozen storage processes go too: they cannot notice by themselves', async () => {
    const { agent, pids } = await startAgent();
    const frozen = pids.filter((pid) => commandOf(pid).includes('storage process'));
    expect(frozen).toHaveLength(3);
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    agent.kill('SIGKILL');
    await until(() => !pids.some(isRunning), 3_000);
  });
});

describe('the guard', () => {
  it('survives the signals of a terminal and ends with stop, taking along what is still watched', async () => {
    const before = new Set(childPids());
    const guard = await createChildGuard();
    const [pid = 0] = childPids().filter((child) => !before.has(child));
    const [watched, finished] = [spawn('sleep', ['600']), spawn('true')];
    for (const child of [watched, finished]) guard.watch(child);
    await once(finished, 'exit');
    expect(commandOf(pid)).toContain('child guard');
    await until(() => isOnDuty(pid), 10_000);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    const ended = once(watched, 'exit');
    await guard.stop();
    await guard.stop();
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(isRunning(pid)).toBe(false);
  });

  it('leaves alone what does not belong to the list any more', async () => {
    const guard = await createChildGuard();
    const unwatched = spawn('sleep', ['600']);
    const other = spawn('sleep', ['600']);
    guard.watch(other);
    other.kill('SIGKILL');
    await once(other, 'exit');
    await guard.stop();
    expect(isRunning(unwatched.pid ?? 0)).toBe(true);
    unwatched.kill('SIGKILL');
  });
});
