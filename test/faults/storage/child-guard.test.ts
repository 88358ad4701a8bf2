import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type GuardCommand, nodeGuard, shellGuard } from '../../../agent/runtime/child-guard/guard-command.ts';
import { isRunning, until } from '../../integration/storage/storage-fixture.ts';
import { assertRoot } from '../../support/privileges.ts';
import { isOnDuty } from './guard-on-duty.ts';

// What README.md of the guard promises, of each program that can be the guard here.

/** Bash that behaves as the `sh` that it is on macOS: by the name that it is called by. */
const bashAsSh = join(mkdtempSync(join(tmpdir(), 'isg-guard-')), 'sh');
symlinkSync('/bin/bash', bashAsSh);
afterAll(() => rmSync(dirname(bashAsSh), { recursive: true }));

const guards: [string, GuardCommand][] = [
  ['the system shell', shellGuard()],
  ['bash as macOS runs it', shellGuard(bashAsSh)],
  ['Node', nodeGuard()],
];

const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

function start(command: string, args: string[], isLeader = false): ChildProcess & { pid: number } {
  const child = spawn(command, args, { stdio: 'ignore', detached: isLeader });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  started.push(pid);
  return Object.assign(child, { pid });
}

const sleeper = (isLeader = false) => start('sleep', ['600'], isLeader);

/** A guard on duty: it ignores the signals of a terminal. */
async function begin({ command, args, cwd, env }: GuardCommand): Promise<ChildProcess> {
  const guard = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd, env });
  const pid = guard.pid ?? 0;
  started.push(pid);
  await until(() => isOnDuty(pid), 20_000);
  return guard;
}

async function tell(guard: ChildProcess, ...lines: string[]): Promise<void> {
  await new Promise((resolve) => guard.stdin?.write(lines.map((line) => `${line}\n`).join(''), resolve));
}

/** Whether it has read what was written to it: woken by that, it sleeps again only when nothing is left. */
function isIdle(guard: ChildProcess): boolean {
  const stat = readFileSync(`/proc/${guard.pid}/stat`, 'latin1');
  return stat.startsWith('S', stat.lastIndexOf(')') + 2);
}

/** Ends its stdin, as the death of the agent does; resolves with its exit code. */
async function orphan(guard: ChildProcess, last = ''): Promise<number> {
  const ended = once(guard, 'exit');
  guard.stdin?.end(last);
  const [code] = await ended;
  return Number(code);
}

describe.each(guards)('the guard in %s', (_, command) => {
  it('kills what is listed, with its group, and nothing else', async () => {
    const guard = await begin(command);
    const [single, removed, unlisted, half] = [sleeper(), sleeper(), sleeper(), sleeper()];
    const leader = start('sh', ['-c', 'trap "" TERM; sleep 600 & sleep 600'], true);
    const inGroup = () =>
      readFileSync(`/proc/${leader.pid}/task/${leader.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    await until(() => inGroup().length === 2, 10_000);
    const group = inGroup();
    await tell(guard, `add ${single.pid}`, `add ${removed.pid}`, `add ${leader.pid}`, `remove ${removed.pid}`);
    process.kill(guard.pid ?? 0, 'SIGTERM');
    process.kill(guard.pid ?? 0, 'SIGHUP');
    // A line that the agent did not live to finish.
    expect(await orphan(guard, command.command === process.execPath ? '' : `add ${half.pid}`)).toBe(0);
    await until(() => ![single.pid, leader.pid, ...group].some(isRunning), 3_000);
    expect([removed.pid, unlisted.pid, half.pid].map(isRunning)).toEqual([true, true, true]);
  });

  it('takes no line that is not one, and none about itself', async () => {
    const guard = await begin(command);
    const [innocent, listed] = [sleeper(), sleeper()];
    const { pid } = innocent;
    const odd = [`$(kill -9 ${pid})`, '-1', '0', '1', '01', `0${pid}`, `-${pid}`, '*', '', `${pid};`, `${guard.pid}`];
    const lines = odd.map((digits) => `add ${digits}`);
    await tell(
      guard,
      ...lines,
      `ad ${pid}`,
      `add ${pid} x`,
      '',
      '`id`',
      '\0',
      `add ${listed.pid}`,
      'remove',
      'remove 7',
    );
    expect(await orphan(guard)).toBe(0);
    expect(isRunning(pid)).toBe(true);
    await until(() => !isRunning(listed.pid), 3_000);
  });

  it('keeps many apart, however often they are listed', async () => {
    const guard = await begin(command);
    const many = Array.from({ length: 40 }, () => sleeper());
    // Numbers of which one is the beginning or the end of another must not be taken for each other.
    const absent = Array.from({ length: 200 }, (__, index) => `add ${4_000_000 + index}`);
    const kept = many.filter((___, index) => index % 4 === 0);
    await tell(guard, ...absent, ...many.flatMap(({ pid }) => [`add ${pid}`, `remove ${pid}`, `add ${pid}`]));
    await tell(guard, ...kept.map(({ pid }) => `remove ${pid}`));
    expect(await orphan(guard)).toBe(0);
    await until(() => many.every((child) => isRunning(child.pid) === kept.includes(child)), 3_000);
  });

  it('does not kill another process that was given a listed number', async () => {
    assertRoot('to choose the number of the next process');
    const guard = await begin(command);
    // Numbers above the listed one are given out again while this test hunts for it.
    const marker = sleeper();
    const { pid } = sleeper();
    await tell(guard, `add ${pid}`, `add ${marker.pid}`);
    await until(() => isIdle(guard), 10_000);
    process.kill(pid, 'SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`), 5_000);
    await until(() => {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
      const other = sleeper();
      if (other.pid !== pid) other.kill('SIGKILL');
      return other.pid === pid;
    }, 10_000);
    expect(isRunning(pid)).toBe(true);
    expect(await orphan(guard)).toBe(0);
    await until(() => !isRunning(marker.pid), 3_000);
    expect(isRunning(pid)).toBe(true);
  });
});
