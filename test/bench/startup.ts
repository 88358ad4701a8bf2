import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from '@playwright/test';
import { type DesktopCluster, type DesktopPlace, desktopCommand, openCluster } from '../e2e/desktop.ts';
import { median } from './statistics.ts';

/** Figures of one start of the desktop application. */
interface StartFigures {
  /** Spawn of the agent to its first message: a restart, seen by main's own clock. */
  agentReadyMs: number;
  /** Start of the program to the first painted content of its window: the frame that says what it is. */
  windowMs: number;
  /** Start of the program to the largest painted content of its window: the first screen. */
  contentMs: number;
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
  const middle = (pick: (figures: StartFigures) => number) => median(starts.map(pick));
  const ours = {
    agentReadyMs: middle(({ agentReadyMs }) => agentReadyMs),
    windowMs: middle(({ windowMs }) => windowMs),
    contentMs: middle(({ contentMs }) => contentMs),
    idleCpuPercent: middle(({ idleCpuPercent }) => idleCpuPercent),
    rssMb: middle(({ rssMb }) => rssMb),
  };
  return { bench: 'startup', ours, peers: {}, ratios: {} };
}

async function oneStart(): Promise<StartFigures> {
  const opened = await openCluster();
  try {
    const agentReadyMs = await agentTime(opened);
    const idle = await idleFigures(opened);
    await opened.desktop.close();
    const window = await windowTimes(opened.place);
    return { ...window, agentReadyMs, ...idle };
  } finally {
    await opened.cluster.stop();
    rmSync(opened.dir, { recursive: true, force: true });
  }
}

/** What the page tells of its painting; milliseconds since the epoch. */
interface Painted {
  firstMs: number;
  largestMs: number;
}

/**
 * A start without the test driver between program and system, as a person starts it: by the debugging port only what the
 * page itself has noted is read afterwards.
 */
async function windowTimes(place: DesktopPlace): Promise<Pick<StartFigures, 'windowMs' | 'contentMs'>> {
  const portFile = join(place.userDataDir, 'DevToolsActivePort');
  rmSync(portFile, { force: true });
  const { executablePath, args, env } = desktopCommand(place);
  const startedMs = Date.now();
  const child = spawn(executablePath, ['--remote-debugging-port=0', ...args], { env, stdio: 'ignore' });
  try {
    const { firstMs, largestMs } = await readPainting(await portOf(portFile));
    return { windowMs: Math.round(firstMs - startedMs), contentMs: Math.round(largestMs - startedMs) };
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

async function portOf(portFile: string): Promise<string> {
  for (let waited = 0; waited < 200; waited += 1) {
    // Looked at rarely and late: whoever watches a start makes it slower.
    await sleep(waited === 0 ? 3_000 : 100);
    try {
      const [port] = readFileSync(portFile, 'utf8').split('\n');
      if (port) return port;
    } catch {
      // not written yet
    }
  }
  throw new Error('Electron opened no debugging port');
}

async function readPainting(port: string): Promise<Painted> {
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  try {
    const page = browser.contexts()[0]?.pages()[0];
    if (page === undefined) throw new Error('the application shows no window');
    await page.getByRole('navigation').first().waitFor();
    return await page.evaluate(async () => {
      const newest = (type: string) =>
        new Promise<number>((resolve) => {
          new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime ?? Number.NaN)).observe({
            type,
            buffered: true,
          });
        });
      const [first] = performance.getEntriesByName('first-contentful-paint');
      return {
        firstMs: performance.timeOrigin + (first?.startTime ?? Number.NaN),
        largestMs: performance.timeOrigin + (await newest('largest-contentful-paint')),
      };
    });
  } finally {
    await browser.close();
  }
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
