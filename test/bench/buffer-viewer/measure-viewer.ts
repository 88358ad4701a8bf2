import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { type DesktopPlace, openDesktop } from '../../e2e/desktop.ts';
import { openStorm, watchStorm } from '../../e2e/log-storm.ts';

/** What the Logs screen did with a log of that length. Milliseconds. */
export interface ViewerFigures {
  lines: number;
  /** From the call of the screen to the first frame that shows lines: the first time (its thread starts), and the median after it. */
  firstPaintColdMs: number;
  firstPaintMs: number;
  /** From the call of a place in the log to the first frame that shows it, median of places all over the log. */
  jumpMs: number;
  /** Time between frames, 95th percentile: scrolling by wheel through pages, and dragging the rail from end to end. */
  scrollFrameP95Ms: number;
  dragFrameP95Ms: number;
  /** From the call of the error log to its first line, where the only ten errors are the log's very first lines. */
  rareErrorsMs: number;
  /** Of the window's process, afterwards. */
  heapMb: number;
  follow: FollowFigures;
}

/** What the Logs screen did with lines that came at 5,000 a second for 4 s. */
interface FollowFigures {
  lines: number;
  skipped: number;
  /** From the writing of the last line to the frame that shows it. */
  lateMs: number;
  frameP95Ms: number;
}

const LINES = 10_000_000;
/** Rows of one statement. */
const BATCH = 500_000;
const OPENINGS = 5;
const JUMPS = 20;
const DAY_MS = 86_400_000;

/** A log as ten days of a busy node leave it, made by SQLite itself: every row says something else. */
function seed(path: string, lines: number): void {
  const file = new OutboxFile(path, 'seed', 16_000_000_000);
  const fill = file.database.prepare(`
WITH RECURSIVE n(i) AS (SELECT @from UNION ALL SELECT i + 1 FROM n WHERE i < @to)
INSERT INTO log_record (seq, at_ms, level, message, fields)
SELECT i, @first + CAST(i * @step AS INTEGER), CASE WHEN i <= 10 THEN 3 WHEN i % 50 = 0 THEN 2 WHEN i % 3 = 0 THEN 0 ELSE 1 END,
  'checksum of clip ' || i || ' done in ' || (i % 97) || ' ms',
  '{"role":"CHECKSUM","path":"Projects/Reel_' || (i % 512) || '/A' || i || '.mov"}' FROM n`);
  const first = Date.now() - 10 * DAY_MS;
  for (let from = 1; from <= lines; from += BATCH) {
    fill.run({ from, to: Math.min(lines, from + BATCH - 1), first, step: (10 * DAY_MS) / lines });
  }
  file.close();
}

const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
};

/** Opens the screen and answers when the first frame with lines was on it. */
async function openTime(page: Page, tab: 'lines' | 'errors' = 'lines'): Promise<number> {
  await page.evaluate(() => {
    location.hash = '#/overview';
  });
  await page.getByTestId('log-list').waitFor({ state: 'detached' });
  return page.evaluate(
    (to) =>
      new Promise<number>((resolve) => {
        const startedMs = performance.now();
        location.hash = to;
        const look = () => {
          const isThere = document.querySelector('[data-testid="log-line"]') !== null;
          // the frame after the one in which the lines are in the document has painted them
          requestAnimationFrame(isThere ? () => resolve(performance.now() - startedMs) : look);
        };
        look();
      }),
    `#/logs?tab=${tab}`,
  );
}

/** Goes to a share of the log by the rail's own keys and pointer, and answers when other lines are on the screen. */
async function jumpTime(page: Page, share: number): Promise<number> {
  const box = await page.getByTestId('log-rail').boundingBox();
  if (!box) throw new Error('the log has no rail');
  const before = await page.getByTestId('log-line').first().getAttribute('data-seq');
  const startedMs = performance.now();
  await page.mouse.click(box.x + box.width / 2, box.y + 15 + share * (box.height - 30));
  await page.waitForFunction(
    (old) => document.querySelector('[data-testid="log-line"]')?.getAttribute('data-seq') !== old,
    before,
    { polling: 'raf' },
  );
  return performance.now() - startedMs;
}

/** Times between frames while `move` is under way. */
async function framesDuring(page: Page, move: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const frames: number[] = [];
    let last = performance.now();
    let isOn = true;
    const look = () => {
      const now = performance.now();
      frames.push(now - last);
      last = now;
      if (isOn) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    Object.assign(window, {
      endFrames: () => {
        isOn = false;
        return frames;
      },
    });
  });
  await move();
  return page.evaluate(() => (window as unknown as { endFrames: () => number[] }).endFrames());
}

async function wheel(page: Page): Promise<void> {
  const box = await page.getByTestId('log-list').boundingBox();
  if (!box) throw new Error('the log has no list');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  for (let turn = 0; turn < 200; turn += 1) await page.mouse.wheel(0, turn < 150 ? -400 : 400);
}

async function drag(page: Page): Promise<void> {
  const box = await page.getByTestId('log-rail').boundingBox();
  if (!box) throw new Error('the log has no rail');
  const x = box.x + box.width / 2;
  await page.mouse.move(x, box.y + box.height - 10);
  await page.mouse.down();
  for (const end of [box.y + 10, box.y + box.height - 10]) await page.mouse.move(x, end, { steps: 100 });
  await page.mouse.up();
}

async function measureScreen(place: DesktopPlace): Promise<Omit<ViewerFigures, 'lines' | 'follow'>> {
  const desktop = await openDesktop(place);
  try {
    const { page } = desktop;
    await page.waitForFunction(() => document.querySelector('nav') !== null);
    for (let state = await desktop.state(); state.agent.state !== 'running' || state.snapshot === null; ) {
      await page.waitForTimeout(100);
      state = await desktop.state();
    }
    const firstPaintColdMs = Math.round(await openTime(page));
    const openings: number[] = [];
    for (let n = 0; n < OPENINGS; n += 1) openings.push(await openTime(page));
    const scroll = await framesDuring(page, () => wheel(page));
    const jumps: number[] = [];
    for (let n = 1; n <= JUMPS; n += 1) jumps.push(await jumpTime(page, ((n * 7) % JUMPS) / JUMPS));
    const dragged = await framesDuring(page, () => drag(page));
    const rareErrorsMs = Math.round(await openTime(page, 'errors'));
    const heap = await page.evaluate(
      () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
    );
    return {
      firstPaintColdMs,
      firstPaintMs: percentile(openings, 0.5),
      jumpMs: percentile(jumps, 0.5),
      scrollFrameP95Ms: percentile(scroll, 0.95),
      dragFrameP95Ms: percentile(dragged, 0.95),
      rareErrorsMs,
      heapMb: Math.round(heap / 1_000_000),
    };
  } finally {
    await desktop.close();
  }
}

async function follow(dir: string, lines: number): Promise<FollowFigures> {
  const { desktop, place } = await openStorm(dir);
  try {
    const storm = { lines, perSecond: 5_000, atOnce: 0 };
    const { held, lateMs, frameP95Ms } = await watchStorm(desktop, place.dataDir, { storm });
    return { lines, skipped: lines - new Set(held).size, lateMs, frameP95Ms };
  } finally {
    await desktop.close();
  }
}

/**
 * Measures the Logs screen of the built application on a stored log of `lines` lines. Needs a display (xvfb) and Electron;
 * nothing answers for iconik, for a log can be read all the same.
 */
export async function measureViewer({ lines = LINES }: { lines?: number } = {}): Promise<ViewerFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-viewer-'));
  const place = { configPath: join(dir, 'config.ini'), dataDir: join(dir, 'data'), userDataDir: join(dir, 'electron') };
  mkdirSync(place.dataDir, { recursive: true });
  const config = {
    'iconik-url': 'http://127.0.0.1:9/',
    'app-id': 'none',
    'auth-token': 'none',
    'storage-gateway-id': 'none',
    'log-cache-max-megabytes': 16_000,
  };
  const text = Object.entries(config).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(place.configPath, `[main]\n${text.join('\n')}\n`);
  seed(join(place.dataDir, 'cache', 'log.db'), lines);
  try {
    const screen = await measureScreen(place);
    return { lines, ...screen, follow: await follow(dir, 20_000) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
