import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Pulse } from '../../../../agent/cluster/pulse/pulse.ts';
import type { JobHandler } from '../../../../agent/jobs/job-handler.ts';
import { createPgJobStore } from '../../../../agent/jobs/pg-job-store.ts';
import { JobRunner } from '../../../../agent/jobs/runner.ts';
import {
  type CollectionMapper,
  createEventJobHandlers,
} from '../../../../agent/roles/main/queues/event-job-handlers.ts';
import { EVENT_JOB_KINDS } from '../../../../agent/roles/main/queues/gateway-event-table.ts';
import { createQueueWork, type QueueWork } from '../../../../agent/roles/main/queues/queue-work.ts';
import { createSettleWork } from '../../../../agent/roles/main/queues/settle.ts';
import { createTranscoderProfiles } from '../../../../agent/roles/main/transcoders/transcoder-profiles.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createWorkbench, type TestLeadership, type Workbench } from '../workbench.ts';

/** A leader at work on a workbench: events, queues, settling, and a runner whose leases are renewed as in the agent. */
export interface LiveLeader {
  bench: Workbench;
  queues: QueueWork;
  /** Storages that were to be scanned at once, in order. */
  scans: string[];
  restarts: string[];
  /** Replaced by tests that map folders. */
  collections: CollectionMapper;
  /** Ends the leadership and begins another: what a take-over does to this work. */
  takeOver(): Promise<void>;
  /** What users do in iconik: the buttons of a job. */
  press(jobId: string, action: 'ABORT'): Promise<void>;
  prioritise(jobId: string, priority: number): Promise<void>;
  /** A job of iconik that an event may name. */
  iconikJob(type: string): string;
  close(): Promise<void>;
}

/** What may be replaced. */
export interface LiveOptions {
  /** More handlers, made once the workbench stands. */
  handlers?: (bench: Workbench) => Promise<readonly JobHandler[]>;
  pollIntervalMs?: number;
  busyPollIntervalMs?: number;
  settleIntervalMs?: number;
}

/** Starts everything (about a second). */
export async function createLiveLeader(options: LiveOptions = {}): Promise<LiveLeader> {
  const bench = await createWorkbench();
  const { database, iconik, log, storageId, standIn } = bench;
  const self = { runId: randomUUID(), workerId: randomUUID(), name: 'live' };
  const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };
  const pulse = new Pulse({ uri: bench.databaseUri, self, times, log: silentLogger });
  await pulse.start();
  const scans: string[] = [];
  const restarts: string[] = [];
  const collections: CollectionMapper = { place: async () => {}, mirror: async () => {} };
  const shared = { iconik, database, clock: systemClock, log, random: Math.random };
  const queues = createQueueWork({
    ...shared,
    transcoders: createTranscoderProfiles(shared),
    storageIds: () => [storageId],
    storage: () => ({
      id: storageId,
      name: 'NAS',
      method: 'FILE',
      purpose: 'FILES',
      status: 'ACTIVE',
      settings: { remote_storage_id: bench.cloudId, remote_path: '/archive/' },
      date_modified: null,
    }),
    restart: (id) => restarts.push(id),
    pollIntervalMs: options.pollIntervalMs ?? 20,
    ...(options.busyPollIntervalMs === undefined ? {} : { busyPollIntervalMs: options.busyPollIntervalMs }),
    reconcileIntervalMs: 100,
    vanishedMs: 300,
    forgetMs: 0,
  });
  const settle = createSettleWork({
    ...shared,
    intervalMs: options.settleIntervalMs ?? 20,
    progressIntervalMs: 50,
  });
  let leadership: TestLeadership;
  let running: Promise<unknown>;
  const lead = async () => {
    // MAIN jobs are given only to the run that leads.
    leadership = await bench.lead(self.runId);
    running = Promise.all([queues.run(leadership), settle.run(leadership)]);
  };
  await lead();
  const events = createEventJobHandlers({
    database,
    iconik,
    collections: {
      place: (...all) => collections.place(...all),
      mirror: (...all) => collections.mirror(...all),
    },
    scanOnDemand: (id) => scans.push(id),
  });
  const given = (await options.handlers?.(bench)) ?? [];
  const runner = new JobRunner({
    store: createPgJobStore(database, self),
    handlers: [...(events as JobHandler[]), ...given],
    lanes: [
      { role: 'MAIN', kinds: EVENT_JOB_KINDS, limit: () => 2 },
      ...given.map(({ role, kind }) => ({ role, kinds: [kind], limit: () => 1, perProfile: role === 'TRANSCODE' })),
    ],
    reach: () => ({
      roles: new Set(['MAIN', 'TRANSCODE', 'TRANSFER'] as const),
      storageIds: [storageId],
      term: leadership.term,
      visibilityTimeoutS: 3_600,
    }),
    renewer: pulse.leases,
    clock: systemClock,
    random: Math.random,
    log,
    pollMs: 30,
  });
  await runner.start();
  const put = async (path: string, body: unknown) => {
    const headers = { 'App-ID': standIn.appId, 'Auth-Token': standIn.authToken, 'content-type': 'application/json' };
    const answer = await fetch(`${standIn.url}${path}`, { method: 'PUT', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`the stand-in refused: ${answer.status} ${await answer.text()}`);
  };
  return {
    bench,
    queues,
    scans,
    restarts,
    collections,
    async takeOver() {
      leadership.end();
      await running;
      await lead();
    },
    press: (jobId, action) => put('/API/jobs/v1/jobs/state/', { job_ids: [jobId], action }),
    prioritise: (jobId, priority) => put('/API/jobs/v1/jobs/priority/', { job_ids: [jobId], priority }),
    iconikJob(type) {
      const id = randomUUID();
      const common = { id, type, title: type, status: 'READY', priority: 5, steps: [] };
      standIn.records.jobs.insert(common);
      return id;
    },
    async close() {
      await runner.stop();
      leadership.end();
      await running;
      await pulse.stop();
      await bench.close();
    },
  };
}

/** One row of the index as tests of events look at it. */
export const fileRow = z.object({
  path: z.string(),
  state: z.string(),
  md5: z.string().nullable(),
  asset_id: z.string().nullable(),
  attempts: z.number(),
});
/** All rows of the index, by path. */
export const FILES = 'SELECT path, state, md5, asset_id, attempts FROM storage_file ORDER BY path';
