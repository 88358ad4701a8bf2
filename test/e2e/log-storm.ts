import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ElectronApplication } from '@playwright/test';
import { type Desktop, type DesktopPlace, openDesktop } from './desktop.ts';

const PROGRAM = fileURLToPath(new URL('../bench/buffer-viewer/log-storm-agent.ts', import.meta.url));

/** The application whose agent is a writer of lines, with its window open. The folder is the caller's to remove. */
export async function openStorm(dir: string): Promise<{ desktop: Desktop; place: DesktopPlace }> {
  const place = { configPath: join(dir, 'config.ini'), dataDir: join(dir, 'data'), userDataDir: join(dir, 'electron') };
  mkdirSync(place.dataDir, { recursive: true });
  const keys = ['app-id', 'auth-token', 'storage-gateway-id'].map((key) => `${key} = none`);
  writeFileSync(
    place.configPath,
    `[main]\niconik-url = http://127.0.0.1:9/\nlog-cache-max-megabytes = 16000\n${keys.join('\n')}\n`,
  );
  const agentNode = join(dir, 'storm-node');
  // the application names its own agent first
  writeFileSync(agentNode, `#!/bin/sh\nshift\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(agentNode, 0o755);
  const desktop = await openDesktop({ ...place, agentNode });
  for (let state = await desktop.state(); state.snapshot === null; state = await desktop.state()) {
    await desktop.page.waitForTimeout(50);
  }
  return { desktop, place };
}

/** How much is written, and how fast. */
export interface Storm {
  lines: number;
  perSecond: number;
  /** So many of them at once at first. */
  atOnce: number;
  /** So many short fields more in each line: their JSON is longer than what a row shows, so rows are guessed too tall. */
  shortFields?: number;
}

/** What the Logs screen made of a storm. */
export interface StormSeen {
  /** Numbers of the storm's lines that the window holds at the end, in the order in which it holds them. */
  held: number[];
  /** From the last line's writing to the frame that shows it, at most, milliseconds. */
  lateMs: number;
  /** Time between frames meanwhile, 95th percentile. */
  frameP95Ms: number;
  /** Most time between two frames that showed something new while lines came, milliseconds. */
  longestStillMs: number;
  /** Frames in which the screen did not follow. */
  framesNotFollowing: number;
  /** Lines shown last, from the list's foot. */
  shownLast: string;
}

/**
 * Lets the storm write while the Logs screen follows, and reads what the window holds by exporting all of it. At most some
 * 20,000 lines: older ones are let go by design. `meanwhile` is done once the lines come.
 */
export async function watchStorm(
  { app, page }: Desktop,
  dataDir: string,
  { storm, meanwhile = async () => undefined }: { storm: Storm; meanwhile?: () => Promise<void> },
): Promise<StormSeen> {
  await page.evaluate(() => {
    location.hash = '#/logs?tab=lines';
  });
  await page.getByText('The log is open').waitFor();
  const watched = page.evaluate(watchFrames, `Storm line ${storm.lines - 1} `);
  const order = join(dataDir, 'storm.json');
  writeFileSync(`${order}.new`, JSON.stringify(storm));
  renameSync(`${order}.new`, order);
  await page
    .getByText(/^Storm line \d+ /)
    .first()
    .waitFor();
  await meanwhile();
  const seen = await watched;
  const text = await exported(app, join(dataDir, 'exported.log'), () =>
    page.getByRole('button', { name: 'Export all' }).click(),
  );
  const held = [...text.matchAll(/ Storm line (\d+) /g)].map(([, nth]) => Number(nth));
  const writtenMs = Date.parse(text.trimEnd().split('\n').at(-1)?.slice(0, 24) ?? '');
  const { shownAtMs, ...figures } = seen;
  return { held, lateMs: shownAtMs - writtenMs, ...figures };
}

/** In the page: looks at each frame until the list's last row has this text. */
function watchFrames(lastText: string) {
  const list = document.querySelector<HTMLElement>('[data-testid="log-list"]');
  if (!list) throw new Error('there is no list');
  const gaps: number[] = [];
  let [last, newMs, longestStillMs, framesNotFollowing, shown] = [performance.now(), 0, 0, 0, ''];
  const deadline = last + 45_000;
  return new Promise<Omit<StormSeen, 'held' | 'lateMs'> & { shownAtMs: number }>((resolve, reject) => {
    const look = () => {
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      const rows = [...list.querySelectorAll('[data-testid="log-line"]')];
      const foot = list.getBoundingClientRect().bottom;
      const row = rows.findLast((each) => each.getBoundingClientRect().bottom <= foot + 1);
      const text = row?.querySelector('.isg-log-text')?.textContent ?? '';
      if (list.getAttribute('data-follow') !== 'following') framesNotFollowing += 1;
      if (text !== shown) {
        if (newMs > 0) longestStillMs = Math.max(longestStillMs, now - newMs);
        if (text.startsWith('Storm')) newMs = now;
        shown = text;
      }
      if (text.startsWith(lastText)) {
        gaps.sort((a, b) => a - b);
        const frameP95Ms = Math.round(gaps[Math.floor(gaps.length * 0.95)] ?? Number.NaN);
        const longest = Math.round(longestStillMs);
        const shownLast = text;
        resolve({ shownAtMs: Date.now(), frameP95Ms, longestStillMs: longest, framesNotFollowing, shownLast });
      } else if (now > deadline) {
        const { scrollTop, scrollHeight, clientHeight, isConnected } = list;
        const { follow, lineCount } = list.dataset;
        const seen = { follow, lineCount, scrollTop, scrollHeight, clientHeight, isConnected, framesNotFollowing };
        reject(new Error(`the list still ends with "${text}": ${JSON.stringify(seen)}`));
      } else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

/** The text that the window exports: the system's dialog is answered with a path. */
export async function exported(app: ElectronApplication, path: string, ask: () => Promise<void>): Promise<string> {
  await app.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
  }, path);
  rmSync(path, { force: true });
  await ask();
  for (const deadline = Date.now() + 15_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      const text = readFileSync(path, 'utf8');
      if (text.endsWith('\n')) return text;
    } catch {
      // ignored because it may not be there yet
    }
    if (Date.now() > deadline) throw new Error('nothing was exported');
  }
}
