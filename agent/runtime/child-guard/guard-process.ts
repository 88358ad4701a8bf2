/**
 * The guard process: reads `add <pid>` and `remove <pid>` lines from stdin and, once stdin ends because the agent is
 * gone, kills what is still listed. It imports nothing of ours, never touches a storage, and ignores the signals that
 * reach a whole terminal or service, so that it outlives the agent by just those moments.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Killing is repeated this often, because a child may fork between two rounds. */
const ROUND_MS = 100;
/** After this the guard leaves: what still lives is stuck in the kernel and dies when its call returns. */
const KILL_FOR_MS = 3_000;

/** Start time by pid ('' where the platform does not tell): a number that was given to another process is not killed. */
const listed = new Map<number, string>();

/** State letter and start time from /proc; null where there is no such process or no such file. */
function readProcess(pid: number): { state: string; startTime: string } | null {
  if (process.platform !== 'linux') return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; what follows it: state first, start time as the 20th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch {
    // No such process (any more).
    return null;
  }
}

function signalled(pid: number, signal: 0 | 'SIGKILL'): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // ESRCH: gone. EPERM: not ours, so not one we were told to end.
    return false;
  }
}

/** Kills a process, and its group where it leads one (no group has a number that is not its leader's). False = gone. */
function kill(pid: number, startTime: string): boolean {
  const found = readProcess(pid);
  if (found && startTime !== '' && found.startTime !== startTime) return false;
  if (process.platform === 'win32') {
    if (!signalled(pid, 0)) return false;
    execFile('taskkill', ['/PID', String(pid), '/T', '/F'], { windowsHide: true }, () => {
      // Ignored: the next round looks whether it is still there.
    });
    return true;
  }
  const group = signalled(-pid, 'SIGKILL');
  const single = signalled(pid, 'SIGKILL');
  // A zombie still takes signals until its new parent reaps it.
  return found?.state === 'Z' ? false : single || group;
}

function killAllAndLeave(): void {
  const since = performance.now();
  const round = () => {
    for (const [pid, startTime] of listed) if (!kill(pid, startTime)) listed.delete(pid);
    if (listed.size === 0 || performance.now() - since > KILL_FOR_MS) process.exit(0);
    setTimeout(round, ROUND_MS);
  };
  round();
}

function obey(line: string): void {
  const [, verb, digits] = /^(add|remove) ([1-9]\d{0,9})$/.exec(line) ?? [];
  const pid = Number(digits);
  if (verb === undefined || pid <= 1 || pid === process.pid) return;
  if (verb === 'add') listed.set(pid, readProcess(pid)?.startTime ?? '');
  else listed.delete(pid);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Ignored: only the end of the pipe says that the agent is gone.
  });
}
process.stdin.on('error', killAllAndLeave);
createInterface({ input: process.stdin }).on('line', obey).on('close', killAllAndLeave);
// Last, so that whoever sees the name sees a guard on duty.
process.title = 'isg-pro child guard';
