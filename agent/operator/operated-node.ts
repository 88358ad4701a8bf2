import type { Entities } from '../cluster/entities.ts';
import type { Member } from '../cluster/membership.ts';
import type { NodeFacts, NodeStatus } from '../cluster/node-status.ts';
import type { ServedStorage } from '../cluster/served-storages.ts';
import type { ResolvedSetting, ResolvedTunables } from '../config/precedence.ts';
import type { CheckResult, DrillState, Role } from '../contract/index.ts';
import type { IconikApi } from '../iconik/api.ts';
import type { RunningJobView } from '../jobs/runner.ts';
import type { ElectionView } from '../leader/elector.ts';

/** A running node's facts at one instant, for people to look at. */
export interface NodeView {
  entities: Entities;
  /** Last successful read of the entities, milliseconds since the epoch; null = none yet. */
  iconikReadMs: number | null;
  facts: NodeFacts;
  status: NodeStatus;
  isPaused: boolean;
  election: ElectionView;
  /** A lease that stands still for this long has no holder any more. */
  leaderTtlMs: number;
  /** Whether the node may lead now, and why not. */
  eligibility: { eligible: true } | { eligible: false; why: string };
  workingRoles: ReadonlySet<Role>;
  members: readonly Member[];
  running: readonly RunningJobView[];
  /** Slots of each lane now. */
  lanes: readonly { role: Role; limit: number }[];
  storages: readonly ServedStorage[];
  storageHealth: (storageId: string) => CheckResult;
  tunables: ResolvedTunables;
  visibilityTimeout: ResolvedSetting;
  drill: { refusal: string | null; last: DrillState | null };
}

/** What operators may see of a running node and ask of it. */
export interface OperatedNode {
  view(): NodeView;
  /** Paused: takes no jobs and does not lead; running jobs finish. */
  setPaused(isPaused: boolean): Promise<void>;
  /** Begins a failover drill; throws with the reason when none can begin. */
  beginDrill(): Promise<{ successor: string }>;
  /** Sends this node's logs to iconik and answers the file's name; throws what iconik or the object store refuses. */
  sendLogs(): Promise<string>;
  /** Reads gateway, cluster and storages now; never throws. */
  rereadEntities(): Promise<void>;
}

/** A running node and the parts through which its operator works. */
export interface RunningNode {
  node: OperatedNode;
  api: IconikApi;
  /** URI of the database in use; a secret. */
  databaseUri: string;
  self: { workerId: string; runId: string };
}

/** Is told how the node comes up and goes down. Must not throw. */
export interface NodeObserver {
  /** Something needed is away; told at each try. */
  waiting(what: 'iconik' | 'database', reason: string): void;
  /** The node starts. */
  running(node: RunningNode): void;
  /** Leadership, hold or health changed: the views should, too. */
  changed(): void;
  stopping(): void;
}
