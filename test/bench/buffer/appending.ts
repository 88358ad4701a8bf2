import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createLogCache } from '../../../agent/cache/log/log-cache.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { percentile } from '../statistics.ts';

/** What appending gave. */
export interface AppendFigures {
  recordsPerSecond: number;
  /** How long the caller of one append was held, 99th percentile. */
  appendP99Ms: number;
  /** From asking to knowing that all so far is on disk, 99th percentile. */
  durableP99Ms: number;
}

const recordOf = (n: number) => ({
  level: 'info' as const,
  message: `The upload of part ${n} of a file has been done`,
  fields: {
    role: 'TRANSFER',
    jobId: String(n),
    storageId: '7c1d5f5e-0000-4000-8000-000000000000',
    part: n,
    attempt: 1,
  },
  atMs: Date.now(),
});

/** Records are written so many at a time before the loop gets its turn, as in a program that does other things. */
const TURN = 500;
/** As much may wait for the disk before the writer does. */
const MOST_WAITING = 16_000_000;

/** Appends through the product's cache, as fast as it takes records without dropping any. */
export async function appendOurs(folder: string, records: number): Promise<AppendFigures> {
  const cache = createLogCache({ path: join(folder, 'ours.db'), startThread: startLogThread });
  await cache.flush();
  const held: number[] = [];
  const durable: number[] = [];
  let asked: Promise<void> | null = null;
  const ask = async () => {
    const beganMs = performance.now();
    await cache.flush(60_000);
    durable.push(performance.now() - beganMs);
    asked = null;
  };
  const beganMs = performance.now();
  for (let n = 0; n < records; n += 1) {
    const calledMs = performance.now();
    cache.sink(recordOf(n));
    held.push(performance.now() - calledMs);
    if (n % TURN > 0) continue;
    asked ??= ask();
    if (cache.status().waitingBytes > MOST_WAITING) await asked;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const isStored = await cache.flush(60_000);
  const tookMs = performance.now() - beganMs;
  const lost = cache.status().dropped.reduce((sum, count) => sum + count, 0);
  cache.close();
  if (!isStored || lost > 0) throw new Error(`the cache did not take all records (${lost} dropped)`);
  return {
    recordsPerSecond: (records / tookMs) * 1_000,
    appendP99Ms: percentile(held, 0.99),
    durableP99Ms: percentile(durable, 0.99),
  };
}

/** The peer: each record a transaction of its own, in the caller's thread, equally durable. */
export function appendPlain(folder: string, records: number): AppendFigures {
  const database = new Database(join(folder, 'plain.db'));
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec(
      'CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, at_ms INTEGER, level TEXT, message TEXT, fields TEXT)',
    );
    const insert = database.prepare('INSERT INTO log (at_ms, level, message, fields) VALUES (?, ?, ?, ?)');
    const held: number[] = [];
    const beganMs = performance.now();
    for (let n = 0; n < records; n += 1) {
      const { atMs, level, message, fields } = recordOf(n);
      const calledMs = performance.now();
      insert.run(atMs, level, message, JSON.stringify(fields));
      held.push(performance.now() - calledMs);
    }
    const p99 = percentile(held, 0.99);
    const tookMs = performance.now() - beganMs;
    return { recordsPerSecond: (records / tookMs) * 1_000, appendP99Ms: p99, durableP99Ms: p99 };
  } finally {
    database.close();
  }
}
