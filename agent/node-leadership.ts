import type { ClusterDatabase } from './cluster/cluster-database.ts';
import type { Membership } from './cluster/membership.ts';
import type { Pulse } from './cluster/pulse/pulse.ts';
import { noteWorkBegan } from './db/queries/leader-lease.ts';
import type { WorkerIdentity } from './db/queries/worker.ts';
import { FailoverDrill } from './leader/drill.ts';
import { Elector, type ElectorOptions } from './leader/elector.ts';
import { openHighestTerm } from './leader/highest-term.ts';
import type { LeaderWork } from './leader/leadership.ts';
import { createHandOverStore } from './leader/lease-store.ts';
import { createNoteBegan } from './leader/note-began.ts';
import { createPgDrillStore } from './leader/pg-drill-store.ts';
import { createPgLeaseStore } from './leader/pg-lease-store.ts';
import type { NodeHost } from './node-host.ts';
import type { createNodeRecording } from './node-recording.ts';
import { systemClock } from './runtime/clock.ts';

/** What the leading of a node is wired from. */
export interface NodeLeadershipOptions {
  host: NodeHost;
  database: ClusterDatabase;
  self: WorkerIdentity;
  pulse: Pulse;
  membership: Membership;
  recording: ReturnType<typeof createNodeRecording>;
  /** What the node does while it leads, without what belongs to leading itself. */
  work: readonly LeaderWork[];
  eligibility: ElectorOptions['eligibility'];
  onChange: NonNullable<ElectorOptions['onChange']>;
}

/** Candidates look at the lease this often, plus or minus three tenths: less than five times a second. */
const LOOK_MS = 215;

/** How long leaderships of this node last and when it renews, milliseconds. */
export function leaderTimes(config: NodeHost['config']) {
  const { leaderTtlMs: ttlMs, leaderRenewMs: renewMs, leaderMarginMs: marginMs } = config;
  return { ttlMs, renewMs, marginMs };
}

/** Wires election, failover drill and the work of the leader; starts nothing. */
export function createNodeLeadership(options: NodeLeadershipOptions): { elector: Elector; drill: FailoverDrill } {
  const { host, database, self, membership, recording } = options;
  const lease = createHandOverStore(recording.lease(createLeaseStore(options)));
  const drill = new FailoverDrill({
    store: createPgDrillStore(database.work),
    runId: self.runId,
    members: () => drillMembers(membership),
    nameSuccessor: (named) => lease.nameSuccessor(named),
    stepAside: (why, forMs) => elector.stepAside(why, forMs),
    // The elector looks at least at each renewal.
    asideMs: host.config.leaderRenewMs + 500,
    clock: systemClock,
    log: host.log,
    onChange: () => host.observer?.changed(),
  });
  // Over the connections that are in use all the time: the first write must not wait for a new one.
  const noteBegan = createNoteBegan((leadership) => noteWorkBegan(database.pulse, leadership));
  const elector = new Elector({
    store: lease,
    runId: self.runId,
    times: { ...leaderTimes(host.config), lookMs: LOOK_MS },
    renewer: options.pulse.leadership,
    clock: systemClock,
    random: Math.random,
    log: host.log,
    eligibility: options.eligibility,
    work: recording.work([noteBegan, ...options.work, drill]),
    highestTerm: openHighestTerm(host.config.dataDir),
    onChange: options.onChange,
  });
  return { elector, drill };
}

function createLeaseStore({ host, database, self }: NodeLeadershipOptions) {
  return createPgLeaseStore(database.pulse, self, {
    onEnded: (backend) =>
      host.log.warn('Ended a connection whose open transaction blocked the take-over of the leadership', {
        ...backend,
      }),
  });
}

function drillMembers(membership: Membership) {
  return membership.members().map((member) => ({
    runId: member.run_id,
    name: member.name,
    isAlive: member.alive,
    availability: member.availability_status,
    roles: member.roles,
    health: member.health,
  }));
}
