import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { percentile, rounded } from '../statistics.ts';
import { benchJob, lanesOf, newOwner, openDatabase, REACH } from './our-runner.ts';
import type { BenchDatabase, BenchServer } from './server.ts';

const SLOTS = 24;
const CLAIMS = 2_000;
/** A claim that is slow at depth must not make the bench endless; the figures say how many claims were made. */
const LONGEST_MS = 120_000;
const DEEP = 1_000_000;
const SHALLOW = 1_000;

/** Latencies of a claim of 24 jobs, milliseconds. */
interface ClaimLatency {
  p50: number;
  p99: number;
}

/** What claiming costs with many and with few rows queued; `ratio` is p99 against p99. */
export interface BacklogFigures {
  deep: ClaimLatency;
  shallow: ClaimLatency;
  ratio: number;
  claims: number;
}

const FILL = `INSERT INTO isg.job (role, kind, storage_id, payload, dedupe_key)
  SELECT 'CHECKSUM', 'checksum', 'bench', jsonb_build_object('at', at), 'bench:' || at FROM generate_series(1, `;

interface Side {
  rows: number;
  place: BenchDatabase;
  database: Database;
  tookMs: number[];
}

async function openSide(server: BenchServer, name: string, rows: number): Promise<Side> {
  const place = await server.createDatabase(name, true);
  await place.asSuperuser(`${FILL}${rows}) AS at`);
  await place.asSuperuser('VACUUM (ANALYZE) isg.job');
  return { rows, place, database: openDatabase(place.direct), tookMs: [] };
}

// What was claimed is ended and replaced by new rows, so that the depth stays and dead rows pile up as in production.
async function claimOnce({ database, tookMs }: Side): Promise<void> {
  const store = createPgJobStore(database, newOwner());
  const startedMs = performance.now();
  const claimed = await store.claim(lanesOf(SLOTS), REACH);
  tookMs.push(performance.now() - startedMs);
  if (claimed.length !== SLOTS) throw new Error(`claimed ${claimed.length} jobs instead of ${SLOTS}`);
  await database.execute(
    `UPDATE job SET state = 'done', leased_by = NULL, lease_expires_at = NULL, finished_at = now() WHERE job_id = ANY ($1)`,
    [claimed.map(({ jobId }) => jobId)],
  );
  await enqueueJobs(
    database,
    claimed.map((_, at) => benchJob(at)),
  );
}

const latencyOf = ({ tookMs }: Side): ClaimLatency => ({
  p50: rounded(percentile(tookMs, 0.5), 2),
  p99: rounded(percentile(tookMs, 0.99), 2),
});

/** Claims full batches in turn from a queue of a million rows and from one of a thousand. */
export async function measureBacklog(server: BenchServer, say: (words: string) => void): Promise<BacklogFigures> {
  const sides = [await openSide(server, 'deep', DEEP), await openSide(server, 'shallow', SHALLOW)] as const;
  say(`backlog: ${DEEP} and ${SHALLOW} rows are queued`);
  try {
    const endMs = performance.now() + LONGEST_MS;
    for (let at = 0; at < CLAIMS && performance.now() < endMs; at++) for (const side of sides) await claimOnce(side);
  } finally {
    for (const { database } of sides) await database.close();
  }
  const [deep, shallow] = [latencyOf(sides[0]), latencyOf(sides[1])];
  say(
    `backlog: claim of ${SLOTS} at ${DEEP} rows ${JSON.stringify(deep)}, at ${SHALLOW} rows ${JSON.stringify(shallow)} ms`,
  );
  return { deep, shallow, ratio: rounded(deep.p99 / shallow.p99, 2), claims: sides[0].tookMs.length };
}
