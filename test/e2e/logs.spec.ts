import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { OutboxFile } from '../../agent/cache/log/outbox-file.ts';
import { localTimeText } from '../../renderer/ui/logs/log-text.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { type FrameSeen, recordFrames } from './log-frames.ts';
import { exported } from './log-storm.ts';
import { agentPid } from './main-record.ts';

// One application lives through all of it; the last test takes its agent away.
test.describe.configure({ mode: 'serial' });

const SEEDED = 100_000;
/** Most lines of one commit of the store. */
const BATCH = 5_000;
/** How far a view that stays still may be off, for fractions of pixels. */
const STILL_PX = 1;
const NEEDLE = 'One clip of a kind went by';
const LONG = 'a path that is so long that its row takes more than one line of the list, '.repeat(4);

let open: DesktopCluster;
let page: Page;
let list: Locator;
let follow: Locator;
let dropped = 0;
/** Instant of seeded line 0; ten lines a second follow. */
let seededMs = 0;

test.beforeAll(async () => {
  open = await openCluster({
    config: { 'log-level': 'debug' },
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      { name: 'node-b', roles: ['TRANSFER'] },
    ],
    beforeStart: async ({ mediaDir }) => seedLog(join(dirname(mediaDir), 'node-a', 'data')),
  });
  page = open.desktop.page;
  list = page.getByTestId('log-list');
  follow = page.getByTestId('log-follow');
  await expect.poll(async () => (await open.desktop.state()).snapshot?.phase, { timeout: 30_000 }).toBe('running');
});

test.afterAll(() => open.close());

/** Puts a history into the store as an earlier run of the agent would have left it: every hundredth line an error. */
function seedLog(dataDir: string): void {
  const file = new OutboxFile(join(dataDir, 'cache', 'log.db'), 'seed', 512_000_000);
  seededMs = Date.now() - SEEDED * 100;
  for (let at = 0; at < SEEDED; at += BATCH) {
    const records = Array.from({ length: BATCH }, (_, n) => seededRecord(at + n));
    file.append([{ no: at / BATCH + 1, records, dropped: [] }]);
  }
  file.close();
}

function seededRecord(at: number) {
  const level = at % 100 === 0 ? 3 : at % 10 === 5 ? 2 : 1;
  const message = at === SEEDED / 2 ? NEEDLE : `Seeded line ${at}${at % 7 === 0 ? `, ${LONG}` : ''}`;
  return { atMs: seededMs + at * 100, level, message, fields: JSON.stringify({ nth: at }) };
}

/** The log screen at its end, following; whatever was there before. */
async function openLogs(tab: 'lines' | 'errors' = 'lines'): Promise<void> {
  await page.evaluate(() => {
    location.hash = '#/overview';
  });
  await expect(list).toHaveCount(0);
  await page.evaluate((to) => {
    location.hash = to;
  }, `#/logs?tab=${tab}`);
  await expect.poll(lineCount, { timeout: 30_000 }).toBeGreaterThan(0);
  await expect(list).toHaveAttribute('data-follow', 'following');
  await expect.poll(distanceFromEnd).toBeLessThanOrEqual(STILL_PX);
}

const lineCount = async () => Number(await list.getAttribute('data-line-count'));
const distanceFromEnd = () => list.evaluate((box) => box.scrollHeight - box.clientHeight - box.scrollTop);
const newLines = async () =>
  Number(/([\d,]+) new line/.exec((await follow.textContent()) ?? '')?.[1]?.replace(',', ''));

/** How many lines there were when following ended: list and button are read at one instant. */
const linesAtPause = () =>
  page.evaluate(() => {
    const count = Number(document.querySelector('[data-testid="log-list"]')?.getAttribute('data-line-count'));
    const words = document.querySelector('[data-testid="log-follow"]')?.textContent ?? '';
    return count - Number(/([\d,]+) new line/.exec(words)?.[1]?.replace(',', '') ?? 0);
  });

/** Makes the agent write about this many lines: it logs each file that it takes in. */
function dropFiles(count: number): void {
  for (let nth = 0; nth < count; nth += 1) {
    dropped += 1;
    writeFileSync(join(open.cluster.mediaDir, `note-${dropped}.txt`), `note ${dropped}`);
  }
}

const furthest = (frames: readonly FrameSeen[]) =>
  Math.max(...frames.map(({ offPx }) => (offPx === null ? Number.POSITIVE_INFINITY : Math.abs(offPx))));

test('older pages that join above leave every line in view where it was, in each frame', async () => {
  await openLogs();
  for (let pages = 0; pages < 4; pages += 1) {
    const before = await lineCount();
    // Far enough from the top that nothing is read yet, and then one step nearer.
    await list.evaluate((box) => {
      box.scrollTop = 1_300;
    });
    await expect.poll(() => list.getByTestId('log-line').first().getAttribute('data-index')).not.toBeNull();
    await expect(list).toHaveAttribute('data-follow', 'reading');
    const frames = await recordFrames(list, { scrollByPx: -150, untilMoreThan: before, framesAfter: 20 });
    expect(await lineCount()).toBeGreaterThanOrEqual(before + 500);
    expect(furthest(frames), JSON.stringify(frames.slice(0, 40))).toBeLessThanOrEqual(STILL_PX);
  }
});

test('lines that arrive do not pull down a reader of history, and the button counts them', async () => {
  await openLogs();
  await list.evaluate((box) => {
    box.scrollTop = 4_000;
  });
  await expect(list).toHaveAttribute('data-follow', 'reading');
  const before = await lineCount();
  dropFiles(5);
  const frames = await recordFrames(list, { scrollByPx: 0, untilMoreThan: before + 5, framesAfter: 20 });
  expect(furthest(frames), JSON.stringify(frames.slice(0, 40))).toBeLessThanOrEqual(STILL_PX);
  await expect(follow).toContainText(/^Follow newest · \d+ new lines$/);
  expect(await newLines()).toBeGreaterThanOrEqual(5);
});

test('at the end, lines that arrive keep the end in view', async () => {
  await follow.click();
  await expect(list).toHaveAttribute('data-follow', 'following');
  await expect(follow).toHaveText('Pause following');
  const before = await lineCount();
  dropFiles(5);
  await expect.poll(lineCount).toBeGreaterThanOrEqual(before + 5);
  await expect.poll(distanceFromEnd).toBeLessThanOrEqual(STILL_PX);
  await expect(list).toHaveAttribute('data-follow', 'following');
  const last = await lineCount();
  await expect(list.locator(`[data-index="${last - 1}"]`)).toBeInViewport();
});

test('a last line that grows stays in view down to its foot', async () => {
  await openLogs('errors');
  const last = list.locator(`[data-index="${(await lineCount()) - 1}"]`);
  const low = await last.boundingBox();
  await last.dblclick();
  await expect.poll(async () => (await last.boundingBox())?.height).toBeGreaterThan((low?.height ?? 0) + 10);
  await expect.poll(distanceFromEnd).toBeLessThanOrEqual(STILL_PX);
  await expect(last).toBeInViewport({ ratio: 1 });
  await expect(list).toHaveAttribute('data-follow', 'following');
});

test('the error log has nothing but errors, and all of them back to the first', async () => {
  await openLogs('errors');
  await expect(page.getByRole('tab', { name: 'Error log' })).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByLabel('Level', { exact: true })).toHaveCount(0);
  await expect
    .poll(async () => {
      await list.evaluate((box) => {
        box.scrollTop = 0;
      });
      return list.getAttribute('aria-rowcount');
    })
    .toMatch(/^\d+$/);
  expect(await lineCount()).toBeGreaterThanOrEqual(SEEDED / 100);
  await expect(list.locator('[data-level="error"]').first()).toBeVisible();
  await expect(list.locator('[data-testid="log-line"]:not([data-level="error"])')).toHaveCount(0);
  // the page that joined last kept the line in view where it was
  const firstLine = async () => {
    await list.evaluate((box) => {
      box.scrollTop = 0;
    });
    return list.getByTestId('log-line').first().textContent();
  };
  await expect.poll(firstLine).toContain('Seeded line 0');
});

test('a rare line is found among 100,000 by its text, and the level narrows what is shown', async () => {
  await openLogs();
  await page.getByRole('combobox', { name: 'Search log lines' }).fill(NEEDLE.toUpperCase());
  await expect.poll(lineCount).toBe(1);
  await expect(list.getByTestId('log-line')).toContainText(NEEDLE);
  await page.getByRole('button', { name: 'Clear search' }).click();
  await expect.poll(lineCount).toBeGreaterThan(100);
  await page.getByRole('combobox', { name: 'Level' }).click();
  await page.getByRole('option', { name: 'Warnings and errors' }).click();
  await expect(list.locator('[data-level="info"], [data-level="debug"]')).toHaveCount(0);
  await expect(list.locator('[data-level="warn"]').first()).toBeVisible();
  await page.getByRole('combobox', { name: 'Search log lines' }).fill('no line says this');
  await expect(page.getByText('No line matches')).toBeVisible({ timeout: 30_000 });
});

test('any place of the log is one step away, and a line found by a pattern is shown among its neighbours', async () => {
  await openLogs();
  const rail = page.getByTestId('log-rail');
  await rail.focus();
  await page.keyboard.press('Home');
  await expect(list.getByTestId('log-line').first()).toContainText('Seeded line 0');
  await expect(list).toHaveAttribute('data-follow', 'reading');
  await expect(rail).toHaveAttribute('aria-valuenow', '0');
  await page.getByRole('button', { name: 'Regular expression' }).click();
  const search = page.getByRole('combobox', { name: 'Search log lines' });
  await search.fill('^one CLIP of .* went by$');
  await expect.poll(lineCount, { timeout: 30_000 }).toBe(1);
  await list.getByTestId('log-line').click();
  await expect(page.getByRole('button', { name: 'Copy selection' })).toBeVisible();
  await page.getByRole('button', { name: 'Show in context' }).click();
  await expect(list.getByText(`Seeded line ${SEEDED / 2 - 1}`)).toBeVisible();
  await expect(list.getByText(NEEDLE)).toBeInViewport();
  await expect(list.getByText(`Seeded line ${SEEDED / 2 + 1}`)).toBeVisible();
  await page.getByRole('button', { name: 'Regular expression' }).click();
  await search.fill('(');
  await expect(page.getByText(/This is no regular expression yet/)).toBeVisible();
  // the line that was chosen is not shown any more
  await expect(page.getByRole('button', { name: 'Copy all' })).toBeVisible();
});

test('a span of time holds its lines and no others, and a jump leads to an instant of the whole log', async () => {
  await openLogs();
  const fromMs = Math.ceil((seededMs + 4_000_000) / 1_000) * 1_000;
  const first = Math.ceil((fromMs - seededMs) / 100);
  await page.getByRole('combobox', { name: 'Time range' }).click();
  await page.getByRole('option', { name: 'From – to' }).click();
  await page.getByLabel('From', { exact: true }).fill(localTimeText(fromMs));
  await page.getByLabel('To', { exact: true }).fill(localTimeText(fromMs + 10_000));
  await expect.poll(lineCount, { timeout: 30_000 }).toBeLessThanOrEqual(101);
  await expect.poll(lineCount).toBeGreaterThanOrEqual(100);
  await expect(list.getByText(`Seeded line ${first + 99}`).first()).toBeInViewport();

  await page.getByRole('combobox', { name: 'Time range' }).click();
  await page.getByRole('option', { name: 'Any time' }).click();
  await expect.poll(lineCount).toBeGreaterThanOrEqual(500);
  const jump = page.getByLabel('Jump to time');
  await jump.fill(localTimeText(fromMs));
  await jump.press('Enter');
  await expect(list.getByText(new RegExp(`^Seeded line ${first}\\b`))).toBeInViewport();
  await expect(list).toHaveAttribute('data-follow', 'reading');
});

test('what is chosen is copied, and what was found is exported, a record a line', async () => {
  const { app } = open.desktop;
  await openLogs();
  await page.getByRole('combobox', { name: 'Search log lines' }).fill('Seeded line 4242');
  await expect.poll(lineCount, { timeout: 30_000 }).toBe(11);
  const text = await exported(app, join(open.dir, 'exported.log'), () =>
    page.getByRole('button', { name: 'Export all' }).click(),
  );
  const numbers = [...text.matchAll(/^\S+Z (?:INFO|WARN|ERROR) +Seeded line (\d+)/gm)].map(([, nth]) => Number(nth));
  expect(numbers).toEqual([4_242, ...Array.from({ length: 10 }, (_, n) => 42_420 + n)]);
  await expect(page.getByText('Exported 11 lines.')).toBeVisible();
  await list.getByTestId('log-line').first().click();
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Control+c');
  await expect(page.getByText('Copied 2 lines.')).toBeVisible();
  const copied = await app.evaluate(({ clipboard }) => clipboard.readText());
  expect(copied).toBe(`${text.split('\n').slice(0, 2).join('\n')}\n`);
});

test('the log of another node is read and searched like that of this one', async () => {
  test.setTimeout(120_000);
  open.cluster.startNode('node-b');
  await openLogs();
  const nodes = page.getByRole('combobox', { name: 'Node' });
  await expect(nodes).toBeVisible({ timeout: 45_000 });
  await nodes.click();
  await page.getByRole('option', { name: 'node-b', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'What node-b wrote' })).toBeVisible();
  await expect.poll(lineCount, { timeout: 30_000 }).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Regular expression' }).click();
  // \b means something else to PostgreSQL
  await page.getByRole('combobox', { name: 'Search log lines' }).fill('^isg pro .*\\bstarts$');
  await expect.poll(lineCount, { timeout: 30_000 }).toBe(1);
  await expect(list.getByTestId('log-line')).toContainText('ISG Pro');
  await page.getByRole('tab', { name: 'Error log' }).click();
  await expect(nodes).toHaveValue('node-b');
  await open.cluster.endNode('node-b', 'SIGTERM');
});

test('a pause holds the view, says how many lines arrived meanwhile, and ends when asked', async () => {
  await openLogs();
  await follow.click();
  await expect(list).toHaveAttribute('data-follow', 'paused');
  const held = await linesAtPause();
  const before = await lineCount();
  const frames = recordFrames(list, { scrollByPx: 0, untilMoreThan: before + 5, framesAfter: 10 });
  dropFiles(5);
  expect(furthest(await frames)).toBeLessThanOrEqual(STILL_PX);
  // counted from the pause on: lines may have come before the count was read
  expect(await linesAtPause()).toBe(held);
  expect(await newLines()).toBeGreaterThanOrEqual(5);
  await follow.click();
  await expect(follow).toHaveText('Pause following');
  await expect.poll(distanceFromEnd).toBeLessThanOrEqual(STILL_PX);
});

test('while the agent is down the lines come from its text files, and the screen says so', async () => {
  await openLogs();
  const { configPath, dataDir } = open.place;
  const good = readFileSync(configPath, 'utf8');
  writeFileSync(configPath, good.replace('log-level = debug', 'log-level = loud'));
  process.kill(agentPid(dataDir), 'SIGKILL');
  const view = page.getByTestId('log-view');
  await expect(view).toHaveAttribute('data-source', 'files');
  await expect(view.getByText('The agent is not running: these lines come from its log files.')).toBeVisible();
  await expect(view.getByRole('button', { name: 'Open log folder' })).toBeVisible();
  await page.getByRole('combobox', { name: 'Search log lines' }).fill('This node holds its storage gateway id');
  await expect(list.getByTestId('log-line').last()).toContainText('This node holds its storage gateway id');
  await page.getByRole('button', { name: 'Clear search' }).click();

  writeFileSync(configPath, good);
  await expect(view).toHaveAttribute('data-source', 'agent', { timeout: 30_000 });
  await expect.poll(lineCount, { message: 'the store speaks again' }).toBeGreaterThanOrEqual(500);
});
