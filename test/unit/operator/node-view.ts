import { resolveTunables, resolveVisibilityTimeout } from '../../../agent/config/precedence.ts';
import type { CheckResult, Role } from '../../../agent/contract/index.ts';
import type { NodeView } from '../../../agent/operator/operated-node.ts';

export const OWN_RUN = 'run-own';
export const OTHER_RUN = 'run-other';

export const ok = (check: string): CheckResult => ({ check, status: 'ok', reason: '', remedy: '' });

const member = (name: string, runId: string) => ({
  worker_id: `worker-${name}`,
  run_id: runId,
  storage_gateway_id: name,
  name,
  host: `${name}.local`,
  version: '1.0.0',
  roles: ['MAIN', 'ROLE-OF-THE-FUTURE'],
  availability_status: 'available' as const,
  status_reason: '',
  health: [],
  heartbeat: '1',
  leads: false,
  alive: true,
});

const ALL: Role[] = ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'];

/** A healthy follower of node-b; `over` changes what a test is about. */
export function nodeView(over: Partial<NodeView> = {}): NodeView {
  const gateway = {
    id: 'gw-a',
    name: 'node-a',
    enabled: true,
    cluster_id: 'c',
    roles: ALL,
    storages: {},
    settings: {},
    date_modified: null,
  };
  return {
    entities: { gateway, cluster: null, storages: new Map(), fromCopy: false },
    iconikReadMs: 1_000,
    facts: {
      name: 'node-a',
      roles: ALL,
      clusterEnabled: true,
      nodeEnabled: true,
      draining: false,
      holdsGatewayId: true,
      otherHolder: null,
      idleReason: null,
      checks: [ok('database'), ok('iconik'), ok('ffmpeg')],
      term: null,
      uncoveredRoles: [],
    },
    status: { availability: 'available', telemetry: 'LIVE', reason: '' },
    isPaused: false,
    election: {
      state: 'following',
      term: null,
      holderRunId: OTHER_RUN,
      released: false,
      leaseTerm: 42,
      silentMs: 500,
      readAgoMs: 100,
    },
    leaderTtlMs: 3_000,
    eligibility: { eligible: true },
    workingRoles: new Set(ALL),
    members: [member('node-a', OWN_RUN), member('node-b', OTHER_RUN)],
    running: [],
    lanes: [
      { role: 'TRANSFER', limit: 4 },
      { role: 'TRANSFER', limit: 3 },
      { role: 'CHECKSUM', limit: 2 },
    ],
    storages: [],
    storageHealth: (id) => ok(`storage:${id}`),
    tunables: resolveTunables({}),
    visibilityTimeout: resolveVisibilityTimeout(null),
    drill: { refusal: 'This node does not lead; a drill begins at the leading node.', last: null },
    ...over,
  };
}
