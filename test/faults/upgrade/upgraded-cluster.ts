import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Role } from '../../../agent/contract/index.ts';
import { machineMs } from '../../../agent/runtime/history.ts';
import { HistoryTail } from '../../bench/failover/history-tail.ts';
import { gatherEvidence } from '../../demo/evidence.ts';
import { checkOutcome } from '../../demo/outcome.ts';
import { checkHistory, type Rule } from '../../support/history/check.ts';
import { readHistory } from '../../support/history/events.ts';
import { CHECK_TIMES } from '../../support/history/simulation.ts';
import { type ClusterNodeProcess, MediaCluster } from '../../support/media-cluster.ts';
import { type LeaderBegin, leaderBegins } from './leader-begins.ts';
import { type AgentVersion, THIS_VERSION } from './next-version.ts';

/** Longest wait for one step; a machine that is shared needs many times what it needs alone. */
const WITHIN_MS = 180_000;
/** What passes between a check of trust and the noting of it on a busy machine. */
const TOLERANCE_MS = 1_000;
/** What a result of an ended term or lease would break. */
const STALE: readonly Rule[] = [
  'one writer per term',
  'terms only grow',
  'no write of an old term',
  'no overlapping trust windows',
  'no completion under an old lease token',
];

const workerRow = z.object({ name: z.string(), version: z.string(), status: z.string(), reason: z.string() });
const restRow = z.object({ ms: z.number().nullable() });
const waitRow = z.object({ ms: z.number() });
const jobsRow = z.object({
  left: z.number(),
  unsuccessful: z.number(),
  checksums: z.number(),
  open_origins: z.number(),
  foreign: z.string(),
});

/** How long MAIN work rested at a hand-over, milliseconds. */
export interface HandOver {
  /** The next term. */
  term: number;
  /** When the old leader was told to stop, machine milliseconds. */
  askedMs: number;
  /** From SIGTERM to the first accepted write of the next term (as the failover bench has it). */
  fromSignalMs: number;
  /** By the database's leader history: from the end of the old term to the first write of the next. */
  inDatabaseMs: number;
}

/** Three nodes with a storage, behind pgBouncer, that are brought from version to version. */
export class UpgradedCluster {
  readonly media: MediaCluster;
  readonly #dir: string;
  readonly #historyPath: string;
  readonly #history: HistoryTail;
  /** Leaderships that changed although nobody stopped the leader. */
  changesWithoutNeed = 0;

  private constructor(media: MediaCluster, dir: string, historyPath: string) {
    this.media = media;
    this.#dir = dir;
    this.#historyPath = historyPath;
    this.#history = new HistoryTail(historyPath);
  }

  /** Starts nodes of this version and waits until they work. */
  static async start(nodes: { name: string; roles: Role[] }[]): Promise<UpgradedCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'isg-pro-upgrade-'));
    const historyPath = join(dir, 'history.jsonl');
    // Nodes inherit it.
    process.env.ISG_PRO_HISTORY = historyPath;
    const media = await MediaCluster.create({
      dir,
      nodes,
      isPooled: true,
      storageSettings: ({ filesId }) => ({
        growing_files_threshold: 1,
        scan_interval_seconds: 1,
        upload_files: true,
        remote_storage_id: filesId,
        remote_path: 'originals',
      }),
      config: { 'iconik-settle-ms': 1_500, 'iconik-requests-per-second': 500 },
    });
    const cluster = new UpgradedCluster(media, dir, historyPath);
    try {
      for (const { name } of nodes) media.startNode(name);
      await cluster.until('all nodes work', async () => (await media.hasSchema()) && cluster.allRun(THIS_VERSION));
    } catch (thrown) {
      await cluster.stop();
      throw thrown;
    }
    return cluster;
  }

  /** Ends everything and removes its folder. */
  async stop(): Promise<void> {
    delete process.env.ISG_PRO_HISTORY;
    await this.media.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Looks until something is there; throws with the last words of the nodes. */
  async until<T>(what: string, look: () => Promise<T | null | false>): Promise<T> {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const found = await look();
      if (found !== null && found !== false) return found;
      if (performance.now() > deadline) {
        const tails = this.media.nodes.map(({ name }) => `${name}:\n${this.media.tail(name, 8)}`).join('\n');
        throw new Error(`never came: ${what}\n${JSON.stringify(await this.jobs())}\n${tails}`);
      }
      await sleep(100);
    }
  }

  /** Nodes with a heartbeat of the last seconds. */
  workers(): Promise<z.infer<typeof workerRow>[]> {
    return this.media.database.query(
      `SELECT name, version, availability_status AS status, status_reason AS reason FROM worker
       WHERE last_seen_at > clock_timestamp() - interval '5 s'`,
      [],
      workerRow,
    );
  }

  /** Whether every node has the version and the status. */
  async allRun({ version }: AgentVersion, status = 'available'): Promise<boolean> {
    const fit = (await this.workers()).filter((one) => one.status === status && one.version === version);
    return this.media.nodes.every(({ name }) => fit.some((one) => one.name === name));
  }

  /** Stops a node in order, starts it as another version and waits until its status is the given one. */
  async bring(name: string, to: AgentVersion, status = 'available'): Promise<HandOver | null> {
    const led = await this.media.leader();
    const askedMs = machineMs();
    await this.media.endNode(name, 'SIGTERM');
    const handOver = led?.name === name ? await this.#handOver(led.term, askedMs) : null;
    const before = await this.media.leader();
    this.media.startNode(name, to.program);
    await this.until(`${name} is ${status} with ${to.version}`, async () =>
      (await this.workers()).some((one) => one.name === name && one.version === to.version && one.status === status),
    );
    // A newer node does not push an older leader aside, nor do its migrations.
    if (before?.term !== (await this.media.leader())?.term) this.changesWithoutNeed += 1;
    return handOver;
  }

  async #handOver(oldTerm: number, askedMs: number): Promise<HandOver> {
    const first = await this.#history.firstWriteAbove(oldTerm, WITHIN_MS);
    const text = `SELECT (extract(epoch FROM next.work_began_at - old.ended_at) * 1000)::float8 AS ms
      FROM leader_history old, leader_history next WHERE old.term = $1 AND next.term = $2`;
    const inDatabaseMs = await this.until('the next term has begun its work', async () => {
      const [found] = await this.media.database.query(text, [oldTerm, first.term], restRow);
      return found?.ms ?? null;
    });
    return { term: first.term, askedMs, fromSignalMs: first.atMs - askedMs, inDatabaseMs };
  }

  /** All nodes, the leader of the moment last; `afterFirst` once the versions are mixed. */
  async rollThrough(to: AgentVersion, afterFirst = async (): Promise<void> => undefined): Promise<HandOver[]> {
    const handOvers: HandOver[] = [];
    const open = new Set(this.media.nodes.map(({ name }) => name));
    while (open.size > 0) {
      const { name: leader } = await this.until('somebody leads', () => this.media.leader());
      const name = [...open].find((one) => one !== leader) ?? leader;
      const handOver = await this.bring(name, to);
      if (handOver) handOvers.push(handOver);
      if (open.size === this.media.nodes.length) await afterFirst();
      open.delete(name);
    }
    return handOvers;
  }

  /** Longest time that a statement waited for a lock while something went on, milliseconds, as seen by looking often. */
  async longestLockWait<T>(during: Promise<T>): Promise<{ result: T; ms: number }> {
    const text = `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) * 1000, 0)::float8 AS ms
      FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
    const over = new AbortController();
    const ended = during.finally(() => over.abort());
    let ms = 0;
    while (!over.signal.aborted) {
      const [found] = await this.media.database.query(text, [], waitRow);
      ms = Math.max(ms, found?.ms ?? 0);
      await sleep(50);
    }
    return { result: await ended, ms };
  }

  /** Switches the cluster off or on, as somebody does in iconik. */
  setEnabled(enabled: boolean): void {
    const cluster = this.media.standIn.records.clusters.get(this.media.account.clusterId);
    if (!cluster) throw new Error('the cluster is gone');
    Object.assign(cluster, { enabled, date_modified: new Date().toISOString() });
  }

  /** Waits until no job is leased and nobody leads. */
  async untilIdle(): Promise<void> {
    const text = "SELECT count(*)::int AS jobs FROM job WHERE state = 'leased'";
    await this.until('nothing runs', async () => {
      const [leased] = await this.media.database.query(text, [], z.object({ jobs: z.number() }));
      return leased?.jobs === 0 && (await this.media.leader()) === null;
    });
  }

  /** Waits until a migration with this name is applied. */
  async untilApplied(migration: string): Promise<void> {
    const text = 'SELECT 1 FROM schema_migration WHERE name = $1';
    await this.until(`${migration} is applied`, async () => (await this.media.database.execute(text, [migration])) > 0);
  }

  /** Waits until a process has ended by itself; its exit code and how many jobs its node left leased. */
  async endOf({ name, process: child }: ClusterNodeProcess): Promise<{ code: number | null; leased: number }> {
    await this.until(
      `${name} ends`,
      async () => child === null || child.exitCode !== null || child.signalCode !== null,
    );
    const text = `SELECT count(*)::int AS jobs FROM job JOIN worker ON worker.worker_id = job.leased_worker
      WHERE worker.name = $1 AND job.state = 'leased'`;
    const [leased] = await this.media.database.query(text, [name], z.object({ jobs: z.number() }));
    return { code: child?.exitCode ?? null, leased: leased?.jobs ?? 0 };
  }

  /** What stands in the queue; `foreign`: the job of a kind that no version here knows, as "state attempts". */
  async jobs(): Promise<z.infer<typeof jobsRow>> {
    const text = `SELECT
      count(*) FILTER (WHERE state IN ('queued', 'leased') AND kind <> 'next-kind')::int AS left,
      count(*) FILTER (WHERE state IN ('failed', 'cancelled'))::int AS unsuccessful,
      count(*) FILTER (WHERE state = 'done' AND kind = 'checksum')::int AS checksums,
      (SELECT count(*)::int FROM job_origin WHERE settled_at IS NULL) AS open_origins,
      coalesce(max(state || ' ' || attempts) FILTER (WHERE kind = 'next-kind'), 'absent') AS foreign FROM job`;
    const [found] = await this.media.database.query(text, [], jobsRow);
    if (!found) throw new Error('no answer');
    return found;
  }

  /** Where the storage is. */
  get mediaDir(): string {
    return this.media.mediaDir;
  }

  /** How many files the nodes have done with. */
  async ingested(): Promise<number> {
    const text = "SELECT count(*)::int AS files FROM storage_file WHERE state = 'ingested'";
    const [found] = await this.media.database.query(text, [], z.object({ files: z.number() }));
    return found?.files ?? 0;
  }

  /** Waits until every file is ingested and every job has ended. */
  async untilDone(files: number): Promise<void> {
    await this.until(`all ${files} files are ingested`, async () => {
      const { files: states } = await this.media.counts();
      const { left, open_origins } = await this.jobs();
      return states.ingested === files && left === 0 && open_origins === 0;
    });
  }

  /** What is wrong at the end: twins, missing, differing and unfinished things, and what the stand-in objected to. */
  async problems(files: number): Promise<string[]> {
    const kindOf = (path: string) => (path.endsWith('.mov') ? 'video' : 'document');
    const outcome = checkOutcome(await gatherEvidence(this.media, kindOf));
    const { checksums } = await this.jobs();
    const unsuccessful = await this.#unsuccessful();
    const found = [...outcome.problems, ...this.media.standIn.state().violations.map((one) => JSON.stringify(one))];
    if (outcome.files !== files) found.push(`${files} files, but iconik has ${outcome.files}`);
    if (outcome.duplicates > 0) found.push(`${outcome.duplicates} things exist twice`);
    found.push(...unsuccessful);
    if (checksums !== files) found.push(`${files} files, but ${checksums} checksum jobs that are done`);
    return found;
  }

  /** Jobs that did not succeed, in words. */
  async #unsuccessful(): Promise<string[]> {
    const text = `SELECT kind, state, attempts, error::text AS error, coalesce(leased_worker::text, '') AS worker FROM job
      WHERE state IN ('failed', 'cancelled')`;
    const row = z.object({
      kind: z.string(),
      state: z.string(),
      attempts: z.number(),
      error: z.string().nullable(),
      worker: z.string(),
    });
    const rows = await this.media.database.query(text, [], row);
    return rows.map(
      ({ kind, state, attempts, error, worker }) =>
        `a ${kind} job ${state} at attempt ${attempts} on ${worker}: ${error}`,
    );
  }

  /** When the work of each leadership really went on. */
  leaderBegins(): LeaderBegin[] {
    return leaderBegins(readHistory([this.#historyPath]));
  }

  /** Writes and results of ended terms and leases that were accepted, and terms that overlap; in words. */
  stale(): string[] {
    const times = { ...CHECK_TIMES, toleranceMs: TOLERANCE_MS };
    const violations = checkHistory(readHistory([this.#historyPath]), times);
    return violations.filter(({ rule }) => STALE.includes(rule)).map(({ words }) => words);
  }
}
