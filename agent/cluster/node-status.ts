import { type Availability, type CheckResult, ROLES, type Role } from '../contract/index.ts';

/** What is known of this node; everything people are told is derived from it. */
export interface NodeFacts {
  name: string;
  roles: readonly Role[];
  clusterEnabled: boolean;
  nodeEnabled: boolean;
  draining: boolean;
  /** Whether the operator paused it; then it drains, too. */
  paused?: boolean;
  /** Whether this run holds its storage gateway id. */
  holdsGatewayId: boolean;
  /** "host (worker …)" of the run that holds it instead. */
  otherHolder: string | null;
  /** A reason that idles the node besides the above (database URI differs, no storage gateway). */
  idleReason: string | null;
  checks: readonly CheckResult[];
  /** Term of our trusted leadership. */
  term: number | null;
  /** Roles with no live, available holder in the cluster. */
  uncoveredRoles: readonly Role[];
}

/** Status words of telemetry (reference C.6). */
export type TelemetryStatus = 'LIVE' | 'WARNING' | 'ERROR' | 'STOPPED';

/** What the node says of itself. */
export interface NodeStatus {
  availability: Availability;
  telemetry: TelemetryStatus;
  /** Cause and remedy in words; empty when all is well. */
  reason: string;
}

/** How the status of a node that its operator paused begins; the diagnosis tells pauses by it. */
export const PAUSED = 'Paused by its operator';

const words = (check: CheckResult): string => `${check.reason} ${check.remedy}`.trim();

/** Derives the one status that the cluster table, telemetry and every view show. */
export function nodeStatus(facts: NodeFacts): NodeStatus {
  if (!facts.clusterEnabled || !facts.nodeEnabled) {
    const what = facts.clusterEnabled ? 'node' : 'cluster';
    return {
      availability: 'disabled',
      telemetry: 'STOPPED',
      reason: `The ${what} is disabled in iconik; nothing runs until it is enabled there.`,
    };
  }
  if (facts.otherHolder !== null && !facts.holdsGatewayId) {
    return {
      availability: 'duplicate',
      telemetry: 'ERROR',
      reason: `The storage gateway id of this node is in use by ${facts.otherHolder}. Stop that node, or give this one an id of its own; until then it runs nothing.`,
    };
  }
  if (facts.idleReason !== null) return { availability: 'degraded', telemetry: 'ERROR', reason: facts.idleReason };
  const bad = facts.checks.filter(({ status }) => status === 'failing');
  if (bad.length > 0) return { availability: 'degraded', telemetry: 'ERROR', reason: bad.map(words).join(' ') };
  if (facts.draining)
    return {
      availability: 'draining',
      telemetry: 'WARNING',
      reason: facts.paused
        ? `${PAUSED}: it finishes its jobs, takes no new ones and does not lead until it is resumed.`
        : 'This node is stopping: it finishes its jobs and takes no new ones.',
    };
  const warnings = facts.checks.filter(({ status }) => status === 'warning').map(words);
  if (facts.uncoveredRoles.length > 0) {
    warnings.unshift(`The cluster is not fully operational: no available node has ${facts.uncoveredRoles.join(', ')}.`);
  }
  return { availability: 'available', telemetry: warnings.length > 0 ? 'WARNING' : 'LIVE', reason: warnings.join(' ') };
}

/** Whether the node may take any work at all. */
const mayWork = (facts: NodeFacts): boolean =>
  facts.clusterEnabled && facts.nodeEnabled && facts.holdsGatewayId && facts.idleReason === null && !facts.draining;

const isOk = (facts: NodeFacts, check: string): boolean =>
  facts.checks.some((result) => result.check === check && result.status === 'ok');

/**
 * Whether the node may lead; `why` says what forbids it. Database, iconik and every storage must be fine. One that is not
 * checked yet (a storage just added in iconik) keeps it from standing, but ends no leadership that goes on.
 */
export function leadership(facts: NodeFacts): { eligible: true } | { eligible: false; why: string } {
  if (!facts.roles.includes('MAIN')) return { eligible: false, why: 'this node does not have the role MAIN' };
  if (!mayWork(facts)) return { eligible: false, why: nodeStatus(facts).reason || 'this node may not work now' };
  const needed = facts.checks.filter(
    ({ check }) => check === 'database' || check === 'iconik' || check.startsWith('storage:'),
  );
  const against = needed.find(({ status }) => status === 'failing' || (status !== 'ok' && facts.term === null));
  return against
    ? { eligible: false, why: against.reason || `${against.check} is not checked yet` }
    : { eligible: true };
}

/** Roles whose needs are met now: all need the database, all but CHECKSUM need iconik, TRANSCODE needs ffmpeg. */
export function workingRoles(facts: NodeFacts): ReadonlySet<Role> {
  if (!mayWork(facts) || !isOk(facts, 'database')) return new Set();
  const met: Record<Role, boolean> = {
    CHECKSUM: true,
    MAIN: isOk(facts, 'iconik'),
    TRANSFER: isOk(facts, 'iconik'),
    TRANSCODE: isOk(facts, 'iconik') && isOk(facts, 'ffmpeg'),
  };
  return new Set(facts.roles.filter((role) => met[role]));
}

/** Roles that no live, available worker holds. */
export function uncoveredRoles(
  members: readonly { alive: boolean; availability: string; roles: readonly string[] }[],
): Role[] {
  const covered = new Set(
    members.filter(({ alive, availability }) => alive && availability === 'available').flatMap(({ roles }) => roles),
  );
  return ROLES.filter((role) => !covered.has(role));
}
