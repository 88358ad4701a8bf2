import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { z } from 'zod';
import { type Finding, findingSchema } from '../../../agent/contract/index.ts';
import { coerceError } from '../../../agent/runtime/errors.ts';
import { MediaCluster } from '../../support/media-cluster.ts';
import { assertCanMount, SharedMount } from '../../support/shared-mount.ts';

/** Nodes that may lead, and one that only works. */
export const CANDIDATES = ['node-a', 'node-b', 'node-c'] as const;
const WORKER = 'node-w';

/** Leader ttl − margin at default settings, milliseconds. */
export const TRUST_MS = 2_250;

const workerRow = z.object({ name: z.string(), availability_status: z.string(), status_reason: z.string() });
const historyRow = z.object({
  term: z.coerce.number(),
  name: z.string(),
  why: z.string(),
  ended: z.boolean(),
  end_why: z.string().nullable(),
});
const jobRow = z.object({
  job_id: z.string(),
  state: z.string(),
  attempts: z.number(),
  lease_token: z.string().nullable(),
  path: z.string(),
});

/** Requests of telemetry and of the entity poll: those of every node. All others are work of the leader or of a job. */
const OF_EVERY_NODE =
  /^(POST .*\/telemetry\/|GET \/API\/files\/v1\/(storage_gateways\/[^/]+\/|storage_gateway_clusters\/[^/]+\/|storages\/[^/]+\/))$/;

/** A leader at the moment of its fault, and what came of it. */
export interface Failover {
  old: { name: string; term: number };
  next: { name: string; term: number };
  /** From the fault to the next term, as seen every 50 ms. */
  gapMs: number;
  /** `performance.now()` when the fault began and when the next leader was seen. */
  faultMs: number;
  takenMs: number;
}

/** A look at a database that is away for a moment has found nothing yet. */
function unlessAway(thrown: unknown): null {
  if (coerceError(thrown).retry === 'transient') return null;
  throw thrown;
}

/** A cluster of three candidates and a worker, each with its own network, the candidates with their own mounts. */
export class FailingCluster {
  readonly cluster: MediaCluster;
  readonly mounts = new Map<string, SharedMount>();
  readonly #dir: string;

  private constructor(cluster: MediaCluster, dir: string) {
    this.cluster = cluster;
    this.#dir = dir;
  }

  static async start(): Promise<FailingCluster> {
    assertCanMount();
    const dir = mkdtempSync(join(tmpdir(), 'isg-pro-failing-'));
    const cluster = await MediaCluster.create({
      dir,
      nodes: [
        ...CANDIDATES.map((name) => ({ name, roles: ['MAIN' as const], mountPoint: join(dir, `mount-${name}`) })),
        { name: WORKER, roles: ['CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
      ],
      storageSettings: () => ({
        growing_files_threshold: 1,
        local_proxy_creation: false,
        local_keyframe_creation: false,
      }),
      config: { 'iconik-settle-ms': 1_500 },
      ownNetworks: true,
    });
    const failing = new FailingCluster(cluster, dir);
    try {
      await failing.#begin();
      return failing;
    } catch (thrown) {
      await failing.stop();
      throw thrown;
    }
  }

  async #begin(): Promise<void> {
    const { cluster } = this;
    writeFileSync(join(cluster.mediaDir, 'first.txt'), 'first');
    for (const name of CANDIDATES) {
      const mount = new SharedMount({ source: cluster.mediaDir, path: join(this.#dir, `mount-${name}`) }, (server) =>
        cluster.watch(server),
      );
      this.mounts.set(name, mount);
      await mount.mount('first.txt');
    }
    for (const { name } of cluster.nodes) cluster.startNode(name);
    await this.until('the first node made the tables', () => cluster.hasSchema(), 60_000);
    await this.untilWell(60_000);
    await this.until('the first file was ingested', async () => (await cluster.counts()).files.ingested === 1, 30_000);
  }

  async stop(): Promise<void> {
    for (const name of CANDIDATES) this.mounts.get(name)?.answerAgain();
    await this.cluster.stop();
    for (const mount of this.mounts.values()) await mount.unmount();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  mount(name: string): SharedMount {
    const mount = this.mounts.get(name);
    if (!mount) throw new Error(`${name} has no mount`);
    return mount;
  }

  /** Looks every 50 ms until `holds` gives something; throws with the nodes' last words after the deadline. */
  async until<T>(what: string, holds: () => Promise<T | null | undefined | false>, deadlineMs: number): Promise<T> {
    const since = performance.now();
    for (;;) {
      const found = await holds().catch(unlessAway);
      if (found) return found;
      if (performance.now() - since > deadlineMs)
        throw new Error(await this.#explain(`not within ${deadlineMs} ms: ${what}`));
      await sleep(50);
    }
  }

  async #explain(what: string): Promise<string> {
    const rows = (await this.cluster.hasSchema()) ? [await this.workers(), await this.history()] : [];
    const tails = this.cluster.nodes.map(({ name }) => `${name}:\n${this.cluster.tail(name, 8)}`);
    return [what, JSON.stringify(rows), ...tails].join('\n');
  }

  /** Somebody leads and all nodes are available. */
  async untilWell(deadlineMs = 30_000): Promise<void> {
    const isWell = async () => {
      const workers = await this.workers();
      const living = workers.filter(({ availability_status: status }) => status === 'available');
      return living.length === this.cluster.nodes.length && (await this.cluster.leader()) !== null;
    };
    await this.until('all nodes are available and one leads', isWell, deadlineMs);
  }

  workers() {
    const text = 'SELECT name, availability_status, status_reason FROM worker ORDER BY name';
    return this.cluster.database.query(text, [], workerRow);
  }

  async worker(name: string) {
    const found = (await this.workers()).find((worker) => worker.name === name);
    if (!found) throw new Error(`${name} is not registered`);
    return found;
  }

  history() {
    const text = 'SELECT term, name, why, ended_at IS NOT NULL AS ended, end_why FROM leader_history ORDER BY term';
    return this.cluster.database.query(text, [], historyRow);
  }

  async currentLeader(): Promise<{ name: string; term: number }> {
    return this.until('a node leads', () => this.cluster.leader(), 20_000);
  }

  /** What only a leader sends (no candidate has another role), later than `sinceMs`. */
  leaderRequests(name: string, sinceMs: number): string[] {
    const { requests } = this.cluster.network(name);
    return requests.filter(({ atMs, line }) => atMs > sinceMs && !OF_EVERY_NODE.test(line)).map(({ line }) => line);
  }

  /** Strikes the leader, waits for the next one, and asserts what must hold whatever the fault is. */
  async failOver(strike: (leader: string) => void | Promise<void>, withinMs: number): Promise<Failover> {
    const old = await this.currentLeader();
    await this.until('the leader does MAIN work', async () => this.leaderRequests(old.name, 0).length > 0, 10_000);
    const faultMs = performance.now();
    await strike(old.name);
    const isNext = async () => {
      const leader = await this.cluster.leader();
      return leader !== null && leader.term > old.term && leader;
    };
    const next = await this.until('another node leads', isNext, withinMs + 20_000);
    const takenMs = performance.now();
    expect(next.name).not.toBe(old.name);
    expect(takenMs - faultMs, await this.#explain('the failover took too long')).toBeLessThan(withinMs);
    await this.until('the new leader works', async () => this.leaderRequests(next.name, takenMs).length > 0, 10_000);
    return { old, next, gapMs: takenMs - faultMs, faultMs, takenMs };
  }

  /** The end of a term as the history has it. */
  async endOf(term: number) {
    return (await this.history()).find((span) => span.term === term);
  }

  /** A file big enough for its hashing to outlast a failover; resolves when the worker hashes it. */
  async startLongJob(path: string, size = '1G'): Promise<void> {
    await promisify(execFile)('truncate', ['-s', size, join(this.cluster.mediaDir, path)]);
    await this.until(`${path} is being hashed`, async () => (await this.job(path))?.state === 'leased', 20_000);
  }

  async job(path: string) {
    const text = `SELECT job_id::text, state, attempts, lease_token::text, payload->>'path' AS path
      FROM job WHERE kind = 'checksum' AND payload->>'path' = $1 ORDER BY job_id DESC LIMIT 1`;
    return (await this.cluster.database.query(text, [path], jobRow))[0];
  }

  /** What `--doctor` finds on a node; never throws for findings. */
  async doctor(name: string): Promise<Finding[]> {
    const output = await this.cluster.doctor(name);
    return z.object({ findings: z.array(findingSchema) }).parse(JSON.parse(output)).findings;
  }
}
