import { readdirSync, readFileSync } from 'node:fs';

/** How often the resident memory of all processes is added up. */
const EVERY_MS = 100;

/** Children of a process, and theirs. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '')
    .map(Number);
  return [pid, ...children.flatMap(family)];
}

function residentMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status) ?? [];
  return Math.round(Number(kilobytes ?? 0) / 1_024);
}

/** Resident memory with each shared page counted once among those who share it (the kernel's "proportional set size"). */
function proportionalMb(pid: number): number {
  const [, kilobytes] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kilobytes ?? 0) / 1_024;
}

/**
 * Watches the resident memory of a process and all below it, pages that they share counted in each. `peakMb`: the most that
 * they had together at one instant, and what each of them had then. `peaksMb`: the most that each ever had. With `counted: 'once'` a
 * shared page counts once: five processes of one program hold its code in memory only once.
 */
export class FamilyMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  readonly #mbOf: (pid: number) => number;
  #peak = { sum: 0, each: [0] };

  constructor(pid: number, counted: 'in-each' | 'once' = 'in-each') {
    this.#pid = pid;
    this.#mbOf = counted === 'once' ? proportionalMb : (member) => residentMb(member, 'VmRSS');
    this.#timer = setInterval(() => this.#sample(), EVERY_MS).unref();
  }

  get peakMb(): { sum: number; each: number[] } {
    return this.#peak;
  }

  get peaksMb(): number[] {
    return family(this.#pid).map((member) => residentMb(member, 'VmHWM'));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    try {
      const each = family(this.#pid).map((member) => this.#mbOf(member));
      const sum = Math.round(each.reduce((total, one) => total + one, 0));
      if (sum > this.#peak.sum) this.#peak = { sum, each };
    } catch {
      // One of them has just ended; the next look is at the others.
    }
  }
}

/** `sysconf(_SC_CLK_TCK)` of every Linux. */
const TICKS_PER_SECOND = 100;

/** Processor time of one process: what it took itself, and what its ended children took, seconds. */
export function cpuSecondsOf(pid: number): { own: number; ended: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name in brackets: state is field 3, utime and stime 14 and 15, the children's 16 and 17.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const sum = (from: number) => ((fields[from - 3] ?? 0) + (fields[from - 2] ?? 0)) / TICKS_PER_SECOND;
  return { own: sum(14), ended: sum(16) };
}

/** Processor time that a process and all below it have taken so far, the ended ones included, seconds. */
export function familyCpuSeconds(pid: number): number {
  return family(pid)
    .map(cpuSecondsOf)
    .reduce((total, { own, ended }) => total + own + ended, 0);
}
