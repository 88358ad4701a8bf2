/** The clustered part of a node as a process of its own: pulse, membership, election, and one job under lease. Driven over IPC. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Membership } from '../../../../agent/cluster/membership.ts';
import { Pulse } from '../../../../agent/cluster/pulse/pulse.ts';
import { createDatabase } from '../../../../agent/db/database.ts';
import { createPgJobStore } from '../../../../agent/jobs/pg-job-store.ts';
import { Elector } from '../../../../agent/leader/elector.ts';
import { createPgLeaseStore } from '../../../../agent/leader/pg-lease-store.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { createLogger } from '../../../../agent/runtime/logger.ts';

const { uri, name } = z.object({ uri: z.string(), name: z.string() }).parse(JSON.parse(process.argv[2] ?? ''));
const commandSchema = z.object({ kind: z.string(), ms: z.number().default(0) });

const tell = (message: object) => process.send?.(message);
const log = createLogger([({ level, message, fields }) => tell({ log: `${level} ${message}`, fields })], Date.now);
const database = createDatabase({ uri, log, maxConnections: 3 });
const self = {
  workerId: randomUUID(),
  runId: randomUUID(),
  storageGatewayId: randomUUID(),
  name,
  host: 'host',
  machineId: 'machine',
  bootId: 'boot',
  version: '1.0.0',
};
const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };
const threads: { terminate(): Promise<unknown> }[] = [];
process.on('worker', (worker) => threads.push(worker));

const pulse = new Pulse({ uri, self, times, log });
const leaseNews: object[] = [];
pulse.leases.onNews((news) => leaseNews.push(news));
pulse.leases.setVisibilityTimeout(30);
const trust: (number | null)[] = [];
const elector = new Elector({
  store: createPgLeaseStore(database, self),
  renewer: pulse.leadership,
  runId: self.runId,
  times: { ...times, lookMs: 250 },
  clock: systemClock,
  random: Math.random,
  log,
  eligibility: () => ({ eligible: true }),
  work: [],
  highestTerm: { get: () => 0, set: () => {} },
  onChange: (term) => {
    trust.push(term);
    tell({ term });
  },
});
const membership = new Membership({
  database,
  self,
  heartbeat: pulse.heartbeat,
  lapseMs: 6_000,
  clock: systemClock,
  log,
  status: () => ({ roles: ['MAIN'], availability: 'available', reason: '', health: [] }),
  trustedTerm: () => elector.trustedTerm(),
  onHold: () => {},
});

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function claim(): Promise<number> {
  const store = createPgJobStore(database, self);
  const lanes = [{ role: 'CHECKSUM', kinds: ['checksum'], slots: 8 }];
  const jobs = await store.claim(lanes, { storageIds: [], term: null, visibilityTimeoutS: 30 });
  for (const job of jobs) pulse.leases.hold({ ...job, stallMs: 60_000 });
  return jobs.length;
}

async function perform({ kind, ms }: z.infer<typeof commandSchema>): Promise<object> {
  switch (kind) {
    case 'claim':
      return { claimed: await claim() };
    case 'block': {
      const before = elector.trustedTerm();
      block(ms);
      // Nothing else has run on this loop since: this is what work that was blocked asks first.
      return { before, after: elector.trustedTerm(), confirmedAgoMs: Math.round(membership.confirmedAgoMs()) };
    }
    case 'hang':
      for (;;) block(60_000);
    case 'kill-thread':
      await threads.at(-1)?.terminate();
      return { atOnce: elector.trustedTerm() };
    case 'state':
      return { term: elector.trustedTerm(), leaseNews, trust, confirmedAgoMs: Math.round(membership.confirmedAgoMs()) };
    default:
      await elector.stop();
      await membership.stop();
      await pulse.stop();
      await database.close();
      return {};
  }
}

process.on('message', (message) => {
  void perform(commandSchema.parse(message)).then((answer) => {
    tell({ answer });
    if (commandSchema.parse(message).kind === 'stop') process.disconnect();
  });
});
process.on('disconnect', () => process.exit(0));
await pulse.start();
await membership.start();
await elector.start();
tell({ up: self });
