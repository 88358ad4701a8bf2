/**
 * A node that does nothing but jobs, as a process of its own: the product's pulse, membership, runner and store with their
 * defaults. Its one argument is a plan (JSON); it ends when the channel to its parent closes.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Membership } from '../../../agent/cluster/membership.ts';
import { Pulse } from '../../../agent/cluster/pulse/pulse.ts';
import { createDatabase } from '../../../agent/db/database.ts';
import type { JobHandler } from '../../../agent/jobs/job-handler.ts';
import type { JobStore } from '../../../agent/jobs/job-store.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { JobRunner } from '../../../agent/jobs/runner.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { createLogger } from '../../../agent/runtime/logger.ts';
import { applyEffect, type Order, orderSchema, WORK } from './ledger.ts';
import { machineMs, writeNote } from './node-notes.ts';
import { nodePlanSchema } from './queue-nodes.ts';

const { uri, name, workerId, slots, lapseMs, visibilityS, notes } = nodePlanSchema.parse(
  JSON.parse(process.argv[2] ?? ''),
);
const self = {
  workerId,
  runId: randomUUID(),
  storageGatewayId: workerId,
  name,
  host: name,
  machineId: name,
  bootId: name,
  version: '1.0.0',
};
const log = createLogger(
  [({ level, message, fields }) => process.send?.({ log: `${name} ${level} ${message} ${JSON.stringify(fields)}` })],
  Date.now,
);
const database = createDatabase({ uri, log, maxConnections: 10 });
const pulseDatabase = createDatabase({
  uri,
  log,
  maxConnections: 3,
  connectTimeoutMs: 3_000,
  statementTimeoutMs: 1_000,
});
const pulse = new Pulse({ uri, self, times: { ttlMs: 3_000, renewMs: 750, marginMs: 750 }, log });
const membership = new Membership({
  database: pulseDatabase,
  self,
  heartbeat: pulse.heartbeat,
  lapseMs,
  clock: systemClock,
  log,
  status: () => ({ roles: [WORK.role], availability: 'available', reason: '', health: [] }),
  trustedTerm: () => null,
  onHold: () => {},
});

/** The store with its answers to ends noted. */
function noting(store: JobStore): JobStore {
  const noteEnd = (lease: { jobId: string; leaseToken: string }, state: string, verdict: string) =>
    writeNote(notes, { kind: 'end', node: name, jobId: lease.jobId, token: lease.leaseToken, state, verdict });
  return {
    ...store,
    exchange: async (ends, lanes, reach) => {
      const answer = await store.exchange(ends, lanes, reach);
      for (const { lease, end } of ends) noteEnd(lease, end.state, answer.verdicts.get(lease.jobId) ?? 'none');
      return answer;
    },
    end: async (lease, end, alongside) => {
      const { jobId, leaseToken } = lease;
      const verdict = await store.end(lease, end, alongside);
      noteEnd({ jobId, leaseToken }, end.state, verdict);
      return verdict;
    },
  };
}

/** Nothing else of the main loop runs meanwhile. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function work({ how, workMs, listens }: Order, signal: AbortSignal): Promise<void> {
  if (how === 'block') block(workMs);
  else await sleep(workMs, undefined, listens ? { signal } : {});
}

const handler: JobHandler<Order> = {
  ...WORK,
  payload: orderSchema,
  run: async (context) => {
    const { job, payload, signal } = context;
    const { at, how } = payload;
    writeNote(notes, { kind: 'start', node: name, at, token: job.leaseToken, atMs: machineMs() });
    await work(payload, signal);
    if (how === 'external') {
      const confirmMs = machineMs();
      await context.confirmLease();
      writeNote(notes, { kind: 'effect', node: name, at, token: job.leaseToken, confirmMs, atMs: machineMs() });
    }
    if (how === 'plain') return { kind: 'done', result: {} };
    if (how === 'fails' && Math.random() < 0.5) {
      return { kind: 'failed', error: { code: 'media-unreadable', message: 'as ordered', retry: 'permanent' } };
    }
    return { kind: 'done', result: {}, alongside: (sql) => applyEffect(sql, at, job.leaseToken) };
  },
};
const { leases } = pulse;
const runner = new JobRunner({
  store: noting(createPgJobStore(database, self)),
  handlers: [handler as JobHandler],
  lanes: [{ role: WORK.role, kinds: [WORK.kind], limit: () => slots }],
  reach: () => ({ storageIds: [], roles: new Set([WORK.role]), term: null, visibilityTimeoutS: visibilityS }),
  renewer: {
    onNews: (listener) =>
      leases.onNews((news) => {
        writeNote(notes, { kind: 'news', node: name, news: news.kind });
        listener(news);
      }),
    hold: (lease) => leases.hold(lease),
    report: (jobId, progress, note) => leases.report(jobId, progress, note),
    drop: (jobId) => leases.drop(jobId),
    confirm: (jobId) => leases.confirm(jobId),
    setVisibilityTimeout: (seconds) => leases.setVisibilityTimeout(seconds),
  },
  clock: systemClock,
  random: Math.random,
  log,
});

process.on('disconnect', () => process.exit(0));
/** The parent may have the main loop blocked. */
const commandSchema = z.object({ blockMs: z.number() });
process.on('message', (message) => {
  block(commandSchema.parse(message).blockMs);
  process.send?.({ log: `${name} warn blocked` });
});
await pulse.start();
await membership.start();
await runner.start();
writeNote(notes, { kind: 'up', node: name, atMs: machineMs() });
