import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it; the start tells it from a later one with the same id. */
export interface RunningProcess {
  pid: number;
  parentPid: number;
  name: string;
  startTicks: string;
  command: string;
}

function readProcess(pid: number): RunningProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const nameEnd = stat.lastIndexOf(')');
    const name = stat.slice(stat.indexOf('(') + 1, nameEnd);
    const fields = stat.slice(nameEnd + 2).split(' ');
    // a zombie has ended; that nobody has asked for its exit code keeps only its number
    if (fields[0] === 'Z') return null;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parentPid: Number(fields[1]), name, startTicks: fields[19] ?? '', command };
  } catch {
    // ignored because a process that cannot be read has ended meanwhile
    return null;
  }
}

function allProcesses(): RunningProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((name) => readProcess(Number(name))).filter((found) => found !== null);
}

/** All processes whose command line names a path, whoever started them. */
export function processesNaming(path: string): RunningProcess[] {
  return allProcesses().filter(({ command }) => command.includes(path));
}

/** All processes that a process started, and those that they started. */
export function descendantsOf(pid: number): RunningProcess[] {
  const all = allProcesses();
  const below = (parent: number): RunningProcess[] =>
    all.filter(({ parentPid }) => parentPid === parent).flatMap((child) => [child, ...below(child.pid)]);
  return below(pid);
}

/** Those of them that still run. */
export function stillRunning(processes: readonly RunningProcess[]): RunningProcess[] {
  return processes.filter(({ pid, startTicks }) => readProcess(pid)?.startTicks === startTicks);
}
