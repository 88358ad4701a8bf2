import { readdirSync, readFileSync } from 'node:fs';

/** How often the memory of all processes is added up. */
const EVERY_MS = 100;
/** Every so many looks the proportional figures are read too: the kernel goes through all pages for them. */
const PSS_EVERY = 5;

/** Children of a process, and theirs. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '')
    .map(Number);
  return [pid, ...children.flatMap(family)];
}

function residentMb(pid: number): number {
  return megabytesIn(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
}

function megabytesIn(text: string, ...fields: string[]): number {
  const kilobytes = fields.map((field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0));
  return kilobytes.reduce((sum, one) => sum + one, 0) / 1_024;
}

/** What a process is: its title, or the name of its program. */
function titleOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').filter(Boolean);
  const title = words.find((word) => word.startsWith('isg-pro '));
  return `${title ?? words.at(1) ?? words[0] ?? ''}`.replace(/^.*\//, '');
}

/** The most that a family had together at one instant, and what each of its members had then. */
export interface MemoryPeak {
  sum: number;
  each: string[];
}

/**
 * Watches the memory of a process and all below it. `rss`: resident pages, those that processes share counted in each of
 * them. `pss`: a shared page counted once, divided among those that share it (also with processes outside of the family, so
 * that it is smaller where other programs run on the same Node). `once`: what each has alone, and the shared pages of the one
 * that shares most: close to what the family would take on a machine of its own.
 */
export class FamilyMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  readonly #peaks: Record<'rss' | 'pss' | 'once', MemoryPeak> = {
    rss: { sum: 0, each: [] },
    pss: { sum: 0, each: [] },
    once: { sum: 0, each: [] },
  };
  #looks = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref();
  }

  get peaksMb(): Record<'rss' | 'pss' | 'once', MemoryPeak> {
    return this.#peaks;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#looks += 1;
    try {
      const members = family(this.#pid);
      this.#compare(
        'rss',
        members.map((pid) => ({ pid, mb: residentMb(pid) })),
      );
      if (this.#looks % PSS_EVERY === 0) this.#lookAtPages(members);
    } catch {
      // One of them has just ended; the next look is at the others.
    }
  }

  #lookAtPages(members: number[]): void {
    const pages = members.map((pid) => ({ pid, text: readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8') }));
    this.#compare(
      'pss',
      pages.map(({ pid, text }) => ({ pid, mb: megabytesIn(text, 'Pss') })),
    );
    const shared = Math.max(...pages.map(({ text }) => megabytesIn(text, 'Shared_Clean', 'Shared_Dirty')));
    const own = pages.map(({ pid, text }) => ({ pid, mb: megabytesIn(text, 'Private_Clean', 'Private_Dirty') }));
    this.#compare('once', own, shared);
  }

  #compare(what: 'rss' | 'pss' | 'once', sizes: readonly { pid: number; mb: number }[], besidesMb = 0): void {
    const sum = Math.round(sizes.reduce((total, { mb }) => total + mb, besidesMb));
    if (sum <= this.#peaks[what].sum) return;
    this.#peaks[what] = { sum, each: sizes.map(({ pid, mb }) => `${titleOf(pid)} ${Math.round(mb)}`) };
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
