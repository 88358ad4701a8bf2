import type { NodeStatus } from './cluster/node-status.ts';
import type { ServedStorage } from './cluster/served-storages.ts';
import type { ResolvedTunables } from './config/precedence.ts';
import type { CheckResult } from './contract/index.ts';
import type { IconikClient } from './iconik/iconik-client.ts';
import type { NodeHost } from './node-host.ts';
import type { ChildGuard } from './runtime/child-guard/child-guard.ts';
import type { Database } from './runtime/sql.ts';
import type { Bandwidth } from './storage/bandwidth/bandwidth.ts';

/** What the roles work with; functions answer for this instant. */
export interface NodeRolesOptions {
  host: NodeHost;
  guard: ChildGuard;
  api: IconikClient;
  database: Database;
  machine: { name: string; ip: string; info: string };
  /** What all transfers of this node may move together. */
  bandwidth: Bandwidth;
  workerId: string;
  served: () => readonly ServedStorage[];
  isStorageHealthy: (storageId: string) => boolean;
  storageHealth: (storageId: string) => CheckResult;
  tunables: () => ResolvedTunables;
  status: () => NodeStatus;
  isLeader: () => boolean;
  /** Whether this node does TRANSFER work now: enabled, not draining, no duplicate. */
  isTransferring: () => boolean;
  /** PEM of `direct-transfer-ca`; null = none. */
  extraCa: string | null;
  /** Whether no other node can lead now. */
  isLast: () => boolean;
}
