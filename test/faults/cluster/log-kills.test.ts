import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isLong } from '../../support/long-version.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const KILLS = isLong ? 300 : 10;
/** How long a writer lives after its first record is on disk, at most. */
const MOST_LIFE_MS = 300;

let test: TestDatabase;
let folder: string;
let child: ChildProcess | null = null;
beforeAll(async () => {
  test = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-log-kills-'));
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await test.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a writer; `acknowledged` is the last number that it said is on disk. */
function startWriter(run: string, most: number) {
  const program = fileURLToPath(new URL('./log-writer.ts', import.meta.url));
  const args = [program, join(folder, 'log.db'), test.uri, run, String(most)];
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  const seen = { acknowledged: 0, isShipping: false, isCaughtUp: false };
  let rest = '';
  started.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'shipping') seen.isShipping = true;
      else if (line === 'caught-up') seen.isCaughtUp = seen.acknowledged === most;
      else seen.acknowledged = Number(line);
    }
  });
  return { started, seen };
}

async function kill(started: ChildProcess): Promise<void> {
  const closed = once(started, 'close');
  started.kill('SIGKILL');
  await closed;
}

const countRow = z.object({
  run: z.string(),
  records: z.coerce.number(),
  distinct: z.coerce.number(),
  last: z.coerce.number(),
});

describe('a node that is killed again and again', () => {
  it(`loses no acknowledged record and doubles none in the database, over ${KILLS} kills at random moments`, {
    timeout: isLong ? 3_600_000 : 300_000,
  }, async () => {
    const acknowledged = new Map<string, number>();
    for (let n = 0; n < KILLS; n += 1) {
      const { started, seen } = startWriter(`run-${n}`, 1_000_000);
      await expect.poll(() => seen.acknowledged, { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
      await sleep(Math.random() * MOST_LIFE_MS);
      await kill(started);
      acknowledged.set(`run-${n}`, seen.acknowledged);
    }
    const { started, seen } = startWriter('last', 5);
    await expect.poll(() => seen.isCaughtUp, { timeout: 120_000 }).toBe(true);
    await kill(started);
    acknowledged.set('last', 5);
    const text = `SELECT split_part(message, ' ', 1) AS run, count(*) AS records, count(DISTINCT message) AS distinct,
        max(split_part(message, ' ', 2)::int) AS last FROM node_log GROUP BY 1`;
    const counts = await test.database.query(text, [], countRow);
    expect(counts).toHaveLength(KILLS + 1);
    for (const { run, records, distinct, last } of counts) {
      expect(records, `${run} has duplicates`).toBe(distinct);
      // None is missing in between: what was written is there from the first to the last.
      expect(distinct, `${run} has gaps`).toBe(last);
      expect(last, `${run} lost acknowledged records`).toBeGreaterThanOrEqual(acknowledged.get(run) ?? Infinity);
    }
    const all = [...acknowledged.values()].reduce((sum, count) => sum + count, 0);
    process.stderr.write(`log kills: ${KILLS}, records acknowledged: ${all}, lost 0, doubled 0\n`);
  });
});
