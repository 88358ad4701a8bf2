import { expect, type Page, test } from '@playwright/test';
import { z } from 'zod';
import type { MediaCluster } from '../support/media-cluster.ts';
import { type DesktopCluster, openCluster } from './desktop.ts';
import { tellMeasured } from './main-record.ts';
import { chooseTrayItem, trayNow } from './tray-recorder.ts';
import { watchWindow, windowSeen } from './window-watch.ts';

// node-a runs in the application, node-b beside it; leadership goes to and fro.
test.describe.configure({ mode: 'serial' });

/** From the change in the database to the words in the window. */
const SHOWN_WITHIN_MS = 1_000;

let open: DesktopCluster;
let cluster: MediaCluster;
let page: Page;

test.beforeAll(async () => {
  open = await openCluster({
    nodes: [
      { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      { name: 'node-b', roles: ['MAIN'] },
    ],
    beforeStart: async (started) => {
      started.startNode('node-b');
      await expect.poll(() => leaderOf(started), { timeout: 60_000 }).toBe('node-b');
    },
  });
  cluster = open.cluster;
  page = open.desktop.page;
});

test.afterAll(() => open.close());

async function leaderOf(of: MediaCluster): Promise<string | null> {
  return (await of.hasSchema()) ? ((await of.leader())?.name ?? null) : null;
}

/** The newest leadership as the database has it; its clock is this machine's. */
async function newestTerm(): Promise<{ term: number; name: string; startedMs: number; endedMs: number | null }> {
  const row = z.object({
    term: z.coerce.number(),
    name: z.string(),
    started: z.coerce.number(),
    ended: z.coerce.number().nullable(),
  });
  const text = `
    SELECT term, name, extract(epoch FROM started_at) * 1000 AS started, extract(epoch FROM ended_at) * 1000 AS ended
    FROM leader_history ORDER BY term DESC LIMIT 1`;
  const [found] = await cluster.database.query(text, [], row);
  if (!found) throw new Error('nobody ever led');
  return { term: found.term, name: found.name, startedMs: found.started, endedMs: found.ended };
}

/** Whether a node's run that began after an instant has made its first health checks: before them it may not lead. */
async function isFitSince(name: string, sinceMs: number): Promise<boolean> {
  const row = z.object({ health: z.array(z.object({ status: z.string() })) });
  const text = `SELECT health FROM worker WHERE name = $1 AND started_at > to_timestamp($2 / 1000.0)`;
  const [found] = await cluster.database.query(text, [name, sinceMs], row);
  const isWell = ({ status }: { status: string }) => status === 'ok' || status === 'warning';
  return found !== undefined && found.health.length > 0 && found.health.every(isWell);
}

/** When the badge first said so, from an instant on. */
async function badgeSaid(words: string | RegExp, sinceMs: number): Promise<number> {
  const said = async () => {
    const { badges } = await windowSeen(page);
    return badges.find(({ atMs, text }) => atMs >= sinceMs && new RegExp(words).test(text))?.atMs ?? null;
  };
  await expect.poll(said).not.toBeNull();
  return (await said()) ?? Number.NaN;
}

const badge = () => page.getByTestId('leader-badge');

test('a follower names the leader, in the window and in the tray', async () => {
  await expect(badge()).toHaveText('Follower of node-b');
  await expect(badge()).toHaveAttribute('data-shape', 'crown-outlined');
  const { term } = await newestTerm();
  const leaderItem = async () => (await trayNow(open.desktop.app)).items.find(({ id }) => id === 'leader')?.label;
  await expect.poll(leaderItem).toBe(`Follower of node-b · term ${term}`);
  await expect.poll(async () => (await trayNow(open.desktop.app)).icon).toBe('follower');
});

test('when the leader is killed, this node leads and its badge says so within a second', async () => {
  await watchWindow(page);
  const killedMs = Date.now();
  await cluster.endNode('node-b', 'SIGKILL');
  await expect.poll(() => leaderOf(cluster), { timeout: 20_000 }).toBe('node-a');
  const { name, term, startedMs } = await newestTerm();
  expect(name).toBe('node-a');
  const saidMs = await badgeSaid(`^Primary · term ${term}`, startedMs - 1_000);
  await expect(badge()).toHaveAttribute('data-shape', 'crown-filled');
  await expect.poll(async () => (await trayNow(open.desktop.app)).icon).toBe('leader');
  tellMeasured('leader killed', { newLeaderMs: startedMs - killedMs, badgeAfterTermMs: saidMs - startedMs });
  expect(saidMs - startedMs).toBeLessThanOrEqual(SHOWN_WITHIN_MS);
  const early = (await windowSeen(page)).badges.filter(({ atMs, text }) => atMs < startedMs && /Primary/.test(text));
  expect(
    early.filter(({ text }) => !text.startsWith('No Primary')),
    'never before it leads',
  ).toEqual([]);
});

test('a leader that is paused hands over within a second, and follows the other when it is resumed', async () => {
  const startedMs = Date.now();
  cluster.startNode('node-b');
  await expect.poll(() => isFitSince('node-b', startedMs)).toBe(true);
  const before = await newestTerm();
  await watchWindow(page);
  const pausedMs = Date.now();
  await chooseTrayItem(open.desktop.app, 'pause');
  await expect.poll(() => leaderOf(cluster)).toBe('node-b');
  const next = await newestTerm();
  expect(next.term).toBeGreaterThan(before.term);
  const leftMs = await badgeSaid('^(?!Primary)', pausedMs);
  await expect.poll(async () => (await trayNow(open.desktop.app)).icon).toBe('paused');
  tellMeasured('leader paused', { newLeaderMs: next.startedMs - pausedMs, badgeAfterTermMs: leftMs - next.startedMs });
  expect(leftMs - next.startedMs).toBeLessThanOrEqual(SHOWN_WITHIN_MS);
  await expect(badge()).toHaveText('Paused by its operator');

  const resumedMs = Date.now();
  await chooseTrayItem(open.desktop.app, 'resume');
  const followsMs = await badgeSaid('^Follower of node-b$', resumedMs);
  tellMeasured('resumed', { badgeAfterResumeMs: followsMs - resumedMs });
  expect(followsMs - resumedMs).toBeLessThanOrEqual(SHOWN_WITHIN_MS);
});

test('a leader that stops in order hands the badge to this node at once', async () => {
  await watchWindow(page);
  const stoppedMs = Date.now();
  await cluster.endNode('node-b', 'SIGTERM');
  await expect.poll(() => leaderOf(cluster)).toBe('node-a');
  const { term, startedMs } = await newestTerm();
  const saidMs = await badgeSaid(`^Primary · term ${term}`, stoppedMs);
  tellMeasured('leader stopped in order', { newLeaderMs: startedMs - stoppedMs, badgeAfterTermMs: saidMs - startedMs });
  expect(saidMs - startedMs).toBeLessThanOrEqual(SHOWN_WITHIN_MS);
});
