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

/**
 * Watches the resident memory of a process and all below it, pages that they share counted in each. `peakMb`: the most that
 * they had together at one instant, and what each of them had then. `peaksMb`: the most that each ever had.
 */
export class FamilyMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peak = { sum: 0, each: [0] };

  constructor(pid: number) {
    this.#pid = pid;
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
      const each = family(this.#pid).map((member) => residentMb(member, 'VmRSS'));
      const sum = each.reduce((total, one) => total + one, 0);
      if (sum > this.#peak.sum) this.#peak = { sum, each };
    } catch {
      // One of them has just ended; the next look is at the others.
    }
  }
}
