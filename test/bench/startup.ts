import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DesktopCluster, openCluster } from '../e2e/desktop.ts';

/** Figures of one start of the desktop application. */
interface StartFigures {
  /** Spawn of the agent to its first message: a restart, seen by main's own clock. */
  agentReadyMs: number;
  /** Creation of the main process to the first painted content of its window. */
  windowMs: number;
  /** Processor time of the main process while no window is open, percent of one core. */
  idleCpuPercent: number;
  /** Resident memory of the main process while no window is open. */
  rssMb: number;
}

const STARTS = 3;
/** What follows the closing of a window (its renderer ends after a few seconds) is not idling yet. */
const CALM_MS = 15_000;
const WATCH_MS = 30_000;

/** Starts the built application several times and answers the median of each figure. */
export async function benchStartup() {
  const starts: StartFigures[] = [];
  for (let start = 1; start <= STARTS; start++) {
    const figures = await oneStart();
    process.stdout.write(`start ${start}: ${JSON.stringify(figures)}\n`);
    starts.push(figures);
  }
  const median = (pick: (figures: StartFigures) => number) =>
    starts.map(pick).toSorted((a, b) => a - b)[Math.floor(starts.length / 2)] ?? Number.NaN;
  const ours = {
    agentReadyMs: median(({ agentReadyMs }) => agentReadyMs),
    windowMs: median(({ windowMs }) => windowMs),
    idleCpuPercent: median(({ idleCpuPercent }) => idleCpuPercent),
    rssMb: median(({ rssMb }) => rssMb),
  };
  return { bench: 'startup', ours, peers: {}, ratios: {} };
}

async function oneStart(): Promise<StartFigures> {
  const place = await openCluster();
  try {
    const windowMs = await windowTime(place);
    const agentReadyMs = await agentTime(place);
    return { windowMs, agentReadyMs, ...(await idleFigures(place)) };
  } finally {
    await place.close();
  }
}

async function windowTime({ desktop }: DesktopCluster): Promise<number> {
  const createdMs = await desktop.app.evaluate(() => process.getCreationTime());
  await desktop.page.getByRole('navigation').first().waitFor();
  const paintedMs = await desktop.page.evaluate(() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    return performance.timeOrigin + (paint?.startTime ?? Number.NaN);
  });
  if (createdMs === null) throw new Error('Electron does not tell when it was started');
  return Math.round(paintedMs - createdMs);
}

async function agentTime({ desktop }: DesktopCluster): Promise<number> {
  return desktop.page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let startingMs: number | null = null;
        const stop = window.isg.on('app-state', ({ agent }) => {
          if (agent.state === 'starting') startingMs = agent.sinceMs;
          if (agent.state !== 'running' || startingMs === null) return;
          stop();
          resolve(agent.sinceMs - startingMs);
        });
        void window.isg.call('agent.restart', {});
      }),
  );
}

/** Processor time of a process so far, in clock ticks of 10 ms (Linux). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function idleFigures({ desktop }: DesktopCluster): Promise<Pick<StartFigures, 'idleCpuPercent' | 'rssMb'>> {
  const pid = await desktop.app.evaluate(() => process.pid);
  await desktop.page.close();
  await sleep(CALM_MS);
  const before = cpuTicks(pid);
  await sleep(WATCH_MS);
  const idleCpuPercent = ((cpuTicks(pid) - before) * 10 * 100) / WATCH_MS;
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { idleCpuPercent: Number(idleCpuPercent.toFixed(2)), rssMb: Math.round(Number(kilobytes) / 1_024) };
}
