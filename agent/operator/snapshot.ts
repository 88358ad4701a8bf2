import { leaderlessCauses } from '../cluster/leaderless.ts';
import type {
  CheckResult,
  ClusterMember,
  NodeSnapshot,
  Phase,
  Role,
  RoleState,
  RunningJob,
  StorageState,
} from '../contract/index.ts';
import { roleSchema } from '../contract/index.ts';
import { hasLeft } from '../db/queries/worker.ts';
import { type Figures, standingKey } from './figures.ts';
import { subjectOf } from './job-subject.ts';
import type { NodeView } from './operated-node.ts';
import { leaderRunId, leadershipOf } from './standing.ts';
import { settingsWords } from './storage-settings.ts';

// The one state object of a node, made of its facts and the cluster's figures. Pure.

/** What is known of this node before it runs. */
export interface NodeIdentity {
  storageGatewayId: string;
  workerId: string;
  version: string;
  host: string;
  startedMs: number;
  dataDir: string;
  iconikUrl: string;
}

/** A node that does not run yet, or no more. */
export interface IdleNode {
  phase: Phase;
  /** What is waited for and what to do. */
  reason: string;
  /** True while another process has the data folder or the gateway id. */
  isDuplicate: boolean;
}

const NO_DRILL = { refusal: 'This node does not run yet.', last: null };

/** The snapshot of a node that has nothing to show but what it waits for. */
export function idleSnapshot(identity: NodeIdentity, idle: IdleNode, atMs: number): NodeSnapshot {
  return {
    atMs,
    phase: idle.phase,
    reason: idle.reason,
    node: { name: '', ...identity, iconikContactMs: null },
    status: { availability: idle.isDuplicate ? 'duplicate' : 'unavailable', reason: idle.reason },
    isPaused: false,
    leadership: { standing: 'unknown', term: null, leaderName: null, sinceMs: null, why: '' },
    roles: [],
    checks: [],
    cluster: {
      id: null,
      name: '',
      enabled: true,
      members: [],
      uncoveredRoles: [],
      history: [],
      failedJobs: 0,
      leaderless: null,
      drill: NO_DRILL,
    },
    storages: [],
    running: [],
    throughput: [],
  };
}

/** What a running node's snapshot is made of. */
export interface RunningFacts {
  identity: NodeIdentity;
  view: NodeView;
  runId: string;
  figures: Figures;
  /** Whether the node is on its way out. */
  isStopping: boolean;
  /** Since when nobody has led, once that is worth a diagnosis. */
  leaderlessSinceMs?: number | null;
  atMs: number;
}

/** The snapshot of a running node. */
export function runningSnapshot(facts: RunningFacts): NodeSnapshot {
  const { identity, view, figures, isStopping, atMs } = facts;
  const { gateway, cluster } = view.entities;
  const { availability, reason } = view.status;
  return {
    atMs,
    phase: isStopping ? 'stopping' : 'running',
    reason: isStopping ? 'This node stops: it hands over what it leads and gives its jobs back.' : '',
    node: { ...identity, name: gateway.name, iconikContactMs: view.iconikReadMs },
    status: { availability, reason },
    isPaused: view.isPaused,
    leadership: leadershipOf(view, facts.runId, figures.cluster?.history ?? []),
    roles: gateway.roles.map((role) => roleState(role, facts)),
    checks: [...view.facts.checks],
    cluster: {
      id: cluster?.id ?? null,
      name: cluster?.name ?? '',
      enabled: cluster?.enabled ?? true,
      members: members(facts),
      uncoveredRoles: view.members.length === 0 ? [] : [...view.facts.uncoveredRoles],
      history: (figures.cluster?.history ?? []).map((span) => ({
        term: span.term,
        name: span.name,
        why: span.why,
        startedMs: span.started_ms,
        endedMs: span.ended_ms,
        endWhy: span.end_why,
      })),
      failedJobs: figures.cluster?.failed_jobs ?? 0,
      leaderless: leaderless(facts),
      drill: view.drill,
    },
    storages: view.storages.map((served) => storageState(served, facts)),
    running: view.running.map(runningJob),
    throughput: figures.throughput.map(({ minute_ms, role, jobs, bytes }) => ({
      minuteMs: minute_ms,
      role,
      jobs,
      bytes,
    })),
  };
}

function leaderless(facts: RunningFacts): NodeSnapshot['cluster']['leaderless'] {
  const { leaderlessSinceMs = null } = facts;
  if (leaderlessSinceMs === null || facts.isStopping) return null;
  return { sinceMs: leaderlessSinceMs, causes: leaderlessCauses(members(facts)) };
}

function roleState(role: Role, { view, figures }: RunningFacts): RoleState {
  const failure = figures.cluster?.last_failures.find((candidate) => candidate.role === role);
  const why = whyPaused(role, view);
  return {
    role,
    state: why === '' ? 'working' : 'paused',
    why,
    running: view.running.filter((job) => job.role === role).length,
    limit: view.lanes.filter((lane) => lane.role === role).reduce((sum, { limit }) => sum + limit, 0),
    queued: figures.cluster?.queued[role] ?? 0,
    lastFailure: failure
      ? { jobId: failure.job_id, kind: failure.kind, message: failure.message ?? '', atMs: failure.at_ms }
      : null,
  };
}

/** Why a role that this node holds is not worked on now; empty when it is. */
function whyPaused(role: Role, view: NodeView): string {
  if (role === 'MAIN' && view.facts.term !== null) return '';
  if (role === 'MAIN' && view.eligibility.eligible) return 'Another node leads; this one is ready to take over.';
  if (role === 'MAIN' && !view.eligibility.eligible) return sentence(view.eligibility.why);
  if (view.workingRoles.has(role)) return '';
  const inTheWay = view.facts.checks.find(({ check, status }) => isNeeded(role, check) && status !== 'ok');
  return view.workingRoles.size === 0 && view.status.reason !== ''
    ? view.status.reason
    : inTheWay
      ? `${inTheWay.reason} ${inTheWay.remedy}`.trim()
      : view.status.reason;
}

// Which checks a role's work hangs on, as `workingRoles` (cluster/node-status.ts) has it.
function isNeeded(role: Role, check: string): boolean {
  if (check === 'database') return true;
  if (check === 'iconik') return role !== 'CHECKSUM';
  return check === 'ffmpeg' && role === 'TRANSCODE';
}

const sentence = (words: string): string => words.slice(0, 1).toUpperCase() + words.slice(1);

function members({ view, figures, runId }: RunningFacts): ClusterMember[] {
  const leader = leaderRunId(view, runId);
  return view.members.map((member) => ({
    workerId: member.worker_id,
    name: member.name,
    host: member.host,
    version: member.version,
    roles: member.roles.flatMap((role) => roleSchema.safeParse(role).data ?? []),
    availability: member.run_id === runId ? view.status.availability : member.availability_status,
    reason: member.run_id === runId ? view.status.reason : member.status_reason,
    isLeader: member.run_id === leader,
    isAlive: member.alive,
    isSelf: member.run_id === runId,
    lastSeenMs: figures.cluster?.last_seen_ms[member.worker_id] ?? 0,
    startedMs: figures.cluster?.started_ms[member.worker_id] ?? null,
    runningJobs:
      member.run_id === runId ? view.running.length : (figures.cluster?.running_by_worker[member.worker_id] ?? 0),
    areJobsCounted: member.run_id === runId || figures.countedFor?.get(member.worker_id) === standingKey(member),
    hasLeft: hasLeft(member),
    health: member.run_id === runId ? [...view.facts.checks] : member.health,
  }));
}

function storageState(
  { storage, access }: NodeView['storages'][number],
  { view, figures }: RunningFacts,
): StorageState {
  const counted = figures.storages.get(storage.id);
  const health: CheckResult = view.storageHealth(storage.id);
  return {
    id: storage.id,
    name: storage.name,
    mountPoint: access.mountPoint,
    health,
    files: counted?.files ?? {},
    folders: counted?.folders ?? 0,
    lastScanEndedMs: counted?.last_scan_ended_ms ?? null,
    lastScanSeconds: counted?.last_scan_seconds ?? null,
    scanning: scanningOf(counted),
    problem: counted?.problem ?? null,
    scans: storage.settings.scan === true,
    settings: settingsWords(storage.settings),
  };
}

function scanningOf(counted: ReturnType<Figures['storages']['get']>): StorageState['scanning'] {
  if (counted === undefined || counted.scan_files === null) return null;
  return { files: counted.scan_files, ofFiles: counted.last_scan_ended_ms === null ? null : counted.root_files };
}

function runningJob(job: NodeView['running'][number]): RunningJob {
  return {
    jobId: job.jobId,
    role: job.role,
    kind: job.kind,
    subject: subjectOf(job.payload),
    // A thousandth is what a bar can show; finer steps would only make more snapshots.
    progress: Math.round(Math.min(1, Math.max(0, job.progress)) * 1_000) / 1_000,
    note: job.note,
    startedMs: job.startedMs,
  };
}
