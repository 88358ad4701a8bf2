import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { freshness } from '../../state/freshness.ts';
import type { ScreenId } from '../../state/route.ts';
import { formatCount, formatList, plural } from '../../ui/format.ts';
import { gravest } from '../../ui/gravest.ts';
import { isHealthy } from '../../ui/member-health.ts';
import type { Status } from '../../ui/StatusMark.tsx';
import { waitingFiles } from './storage-bar.ts';

/** The answer before the data: how things stand, in plain words, and where to look when they do not stand well. */
export interface OverviewSentence {
  status: Status;
  sentence: string;
  action: { label: string; screen: ScreenId } | null;
}

const TO_DIAGNOSTICS = { label: 'Open diagnostics', screen: 'diagnostics' } as const;
const TO_CLUSTER = { label: 'Open cluster', screen: 'cluster' } as const;

/** With its full stop. */
function closed(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' || /[.?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** A reason of a check as a sentence; iconik is always written small. */
function asSentence(reason: string): string {
  const text = closed(reason);
  return text.startsWith('iconik') ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

function agentSentence(state: AppState): OverviewSentence {
  if (state.config.status === 'invalid') {
    return { status: 'failing', sentence: 'This node does not run, because its config.ini is wrong.', action: null };
  }
  const { service } = state.agent;
  if (service !== undefined) return { status: 'failing', sentence: service.sentence, action: TO_DIAGNOSTICS };
  switch (state.agent.state) {
    case 'starting':
      return { status: 'unknown', sentence: 'The agent of this node is starting.', action: null };
    case 'stopping':
      return { status: 'unknown', sentence: 'The agent of this node is stopping.', action: null };
    case 'unresponsive':
      return {
        status: 'warning',
        sentence: 'The agent of this node does not answer; how things stand is not known.',
        action: { label: 'Open logs', screen: 'logs' },
      };
    default:
      return {
        status: 'failing',
        sentence: 'The agent of this node does not run; how the cluster stands is not known here.',
        action: { label: 'Open logs', screen: 'logs' },
      };
  }
}

function idleSentence(snapshot: NodeSnapshot): OverviewSentence | null {
  if (snapshot.phase === 'waiting-for-iconik') {
    return { status: 'warning', sentence: 'This node waits for iconik and does no work yet.', action: TO_DIAGNOSTICS };
  }
  if (snapshot.phase === 'waiting-for-database') {
    return {
      status: 'warning',
      sentence: 'This node waits for the database and does no work yet.',
      action: TO_DIAGNOSTICS,
    };
  }
  if (snapshot.phase !== 'running') return { status: 'unknown', sentence: 'This node is stopping.', action: null };
  if (snapshot.status.availability === 'duplicate') {
    const sentence = 'Another node uses the storage gateway of this one, so this node runs nothing.';
    return { status: 'failing', sentence, action: TO_CLUSTER };
  }
  if (!snapshot.cluster.enabled) {
    const sentence = `The cluster ${snapshot.cluster.name} is disabled; no node takes work until it is enabled.`;
    return { status: 'warning', sentence, action: TO_CLUSTER };
  }
  if (snapshot.status.availability === 'disabled') {
    const sentence = 'This node is disabled in iconik; it takes no work until it is enabled there.';
    return { status: 'warning', sentence, action: TO_CLUSTER };
  }
  return null;
}

function leadershipWords({ leadership, cluster, isPaused }: NodeSnapshot): { status: Status; words: string } {
  const leader = leadership.leaderName ?? cluster.members.find(({ isLeader }) => isLeader)?.name ?? null;
  const why = leadership.why === '' ? '' : `: ${leadership.why}`;
  if (leadership.standing === 'leader') {
    const isAlone = cluster.members.length === 1;
    return {
      status: 'ok',
      words: isAlone ? 'This node leads; it is the only one of its cluster.' : 'This node leads the cluster.',
    };
  }
  if (leadership.standing === 'nobody' || (leader === null && leadership.standing !== 'unknown')) {
    if (cluster.leaderless === null && cluster.enabled) {
      return { status: 'unknown', words: 'The cluster is choosing a leader.' };
    }
    return { status: 'failing', words: closed(`Nobody leads the cluster${why}`) };
  }
  if (leadership.standing === 'unknown') return { status: 'unknown', words: 'Who leads the cluster is not known yet.' };
  if (leadership.standing === 'cannot-lead') {
    // That it is paused, and what that means, is said of its work.
    if (isPaused) return { status: 'warning', words: `${leader} leads the cluster.` };
    return { status: 'warning', words: closed(`${leader} leads the cluster; this node cannot lead${why}`) };
  }
  const part = leadership.standing === 'worker' ? 'is a worker' : 'follows';
  return { status: 'ok', words: `${leader} leads the cluster; this node ${part}.` };
}

function healthWords({ cluster, checks, leadership }: NodeSnapshot): { status: Status; words: string }[] {
  const said: { status: Status; words: string }[] = [];
  const healthy = cluster.members.filter(isHealthy).length;
  if (cluster.members.length > 1) {
    const words = `${formatCount(healthy)} of ${formatCount(cluster.members.length)} nodes healthy.`;
    said.push({ status: healthy === cluster.members.length ? 'ok' : 'warning', words });
  }
  if (cluster.uncoveredRoles.length > 0) {
    said.push({ status: 'warning', words: `No available node has ${formatList(cluster.uncoveredRoles, 'or')}.` });
  }
  const failing = checks.filter(({ status }) => status === 'failing');
  const [first] = failing;
  // What stands against leading has already said its reason.
  if (first && leadership.why === '') said.push({ status: 'failing', words: asSentence(first.reason) });
  return said;
}

function workWords(snapshot: NodeSnapshot): string {
  const inCluster = snapshot.cluster.members.reduce((sum, { runningJobs }) => sum + runningJobs, 0);
  const running = Math.max(inCluster, snapshot.running.length);
  const queued = snapshot.roles.reduce((sum, role) => sum + role.queued, 0);
  const files = snapshot.storages.reduce((sum, storage) => sum + waitingFiles(storage.files), 0);
  if (snapshot.isPaused) {
    const own = snapshot.running.length;
    return own === 0
      ? 'This node is paused and takes no jobs.'
      : `This node is paused: ${plural(own, 'job')} still ${own === 1 ? 'runs' : 'run'} to the end.`;
  }
  if (snapshot.storages.length === 0) return 'No storage is served yet.';
  const unseen = snapshot.storages.filter(({ scans, lastScanEndedMs }) => scans && lastScanEndedMs === null).length;
  if (unseen > 0 && running + queued === 0) {
    return `${plural(unseen, 'storage')} ${unseen === 1 ? 'has' : 'have'} not been scanned to the end yet.`;
  }
  if (running + queued + files === 0) return 'Everything is up to date.';
  if (running + queued === 0) return `${plural(files, 'file')} ${files === 1 ? 'waits' : 'wait'} to be ingested.`;
  const jobs = running === 0 ? 'No job runs' : `${plural(running, 'job')} ${running === 1 ? 'runs' : 'run'}`;
  return queued === 0 ? `${jobs}, none waits.` : `${jobs}, ${formatCount(queued)} ${queued === 1 ? 'waits' : 'wait'}.`;
}

const asService = ({ agent }: AppState): string[] =>
  agent.service === undefined ? [] : ['This node runs as a service.'];

/** How things stand, judged from the one state object. Never says "fine" of what is not known. */
export function overviewSentence(state: AppState, nowMs: number): OverviewSentence {
  const fresh = freshness(state, nowMs);
  if (fresh.kind === 'down') return agentSentence(state);
  const { snapshot } = state;
  if (snapshot === null) {
    return { status: 'unknown', sentence: 'The agent has started and has not reported yet.', action: null };
  }
  const idle = idleSentence(snapshot);
  if (idle !== null) return idle;
  const lead = leadershipWords(snapshot);
  const health = healthWords(snapshot);
  const said: Status[] = [lead.status, ...health.map(({ status }) => status)];
  if (fresh.kind === 'old') said.push('unknown');
  if (snapshot.isPaused) said.push('warning');
  const status = gravest(said);
  return {
    status,
    sentence: [lead.words, ...health.map(({ words }) => words), workWords(snapshot), ...asService(state)].join(' '),
    action: status === 'failing' || status === 'warning' ? TO_DIAGNOSTICS : null,
  };
}
