import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, type Locator, type Page } from '@playwright/test';
import { z } from 'zod';
import type { Database } from '../../agent/runtime/sql.ts';
import type { ScreenId } from '../../renderer/state/route.ts';
import { runGenerator } from '../demo/clips.ts';
import type { MediaCluster } from '../support/media-cluster.ts';
import type { Desktop } from './desktop.ts';

/** Opens a screen as a user does, by the navigation, and waits until it says its sentence. */
export async function openScreen(page: Page, screen: ScreenId): Promise<void> {
  const name = screen.charAt(0).toUpperCase() + screen.slice(1);
  await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name }).click();
  await expect(page.locator('[aria-current="page"]')).toHaveText(new RegExp(`^${name}`));
  await expect(sentenceOf(page)).toBeVisible();
}

/** The sentence at the top of the screen. */
export function sentenceOf(page: Page): Locator {
  return page.getByTestId('screen-sentence');
}

/** Presses Tab until the wanted element has the keyboard; fails after `most` presses. */
export async function tabTo(page: Page, wanted: Locator, most = 40): Promise<void> {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press('Tab');
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab did not reach the element in ${most} presses`);
}

/** Process id of the agent that the application has started. */
export function agentPid(desktop: Desktop): number {
  const parent = String(desktop.app.process().pid);
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/));
  const agent = rows.find(([, ppid, ...args]) => ppid === parent && /agent[/\\]main\.js/.test(args.join(' ')));
  if (!agent?.[0]) throw new Error('the application has no agent now');
  return Number(agent[0]);
}

/** The only number that a statement selects, as `count`. */
export async function countRows(database: Database, text: string, values: readonly unknown[] = []): Promise<number> {
  const [row] = await database.query(text, [...values], z.object({ count: z.coerce.number() }));
  return row?.count ?? 0;
}

/** Waits until everything on the storage is in iconik and no job waits or runs. */
export async function untilQuiet(cluster: MediaCluster, ingested: number): Promise<void> {
  const look = async () => {
    if (!(await cluster.hasSchema())) return 'no tables yet';
    const { files, jobs } = await cluster.counts();
    const open = Object.keys(jobs).filter((key) => /queued|leased/.test(key));
    return open.length > 0 ? `open: ${open.join(', ')}` : `${files.ingested ?? 0} ingested`;
  };
  await expect.poll(look, { timeout: 50_000 }).toBe(`${ingested} ingested`);
}

/** Puts a video of some length on the storage, whole from its first moment there. */
export async function placeVideo(cluster: MediaCluster, path: string, seconds: number): Promise<void> {
  const made = join(dirname(cluster.mediaDir), 'being-made.mp4');
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=25:duration=${seconds}`];
  await runGenerator([...picture, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', `file:${made}`]);
  const target = join(cluster.mediaDir, path);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(made, target);
}
