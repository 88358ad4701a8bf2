import type { CheckResult, NodeSnapshot } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import { isResting } from './tray-icon.ts';

/** Words of tooltip and menu. Pure. */

/** A menu line longer than this is cut at a word; systems cut less kindly. */
const LINE_LIMIT = 96;

/** Cuts at a word and says so with an ellipsis. */
export function clip(text: string, limit = LINE_LIMIT): string {
  if (text.length <= limit) return text;
  const cut = text.slice(0, limit - 1);
  const space = cut.lastIndexOf(' ');
  return `${(space > limit / 2 ? cut.slice(0, space) : cut).replace(/[ .,:;]+$/, '')}…`;
}

/** `1 job`, `2 jobs`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** `40 s`, `3 min`, `2 h`: coarse, so that a line that shows it seldom changes. */
function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 60) return `${Math.floor(seconds / 10) * 10} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h`;
}

/** What the agent does when it is not simply running, short. */
export function agentSentence(state: AppState): string {
  if (state.agent.service !== undefined) return state.agent.service.sentence;
  switch (state.agent.state) {
    case 'running':
      return 'The agent is running.';
    case 'starting':
      return 'The agent is starting.';
    case 'stopping':
      return 'The agent is stopping.';
    case 'unresponsive':
      return 'The agent does not answer.';
    case 'backing-off':
      return 'The agent ended and will be started again.';
    case 'gave-up-for-now':
      return 'The agent ended again and again; it is tried once a minute.';
    case 'stopped':
      return state.config.status === 'invalid'
        ? `The agent is stopped: config.ini has ${count(state.config.problems.length, 'problem')}.`
        : 'The agent is stopped.';
  }
}

/** The answer before the data: one sentence about the node. */
export function nodeSentence(snapshot: NodeSnapshot): string {
  switch (snapshot.phase) {
    case 'set-up':
      return 'ISG Pro is not set up yet.';
    case 'waiting-for-iconik':
      return 'This node is waiting for iconik.';
    case 'waiting-for-database':
      return 'This node is waiting for its database.';
    case 'stopping':
      return 'The agent is stopping.';
    case 'running':
      return runningSentence(snapshot);
  }
}

function runningSentence(snapshot: NodeSnapshot): string {
  const { leadership, cluster, status } = snapshot;
  if (status.availability === 'duplicate')
    return 'Another node uses the storage gateway id of this one, so this node does no work.';
  if (!cluster.enabled) return 'The cluster is disabled; no node does work.';
  if (snapshot.isPaused) return 'This node is paused; it takes no new work.';
  if (isResting(snapshot)) return `This node is ${status.availability}; it takes no new work.`;
  switch (leadership.standing) {
    case 'leader':
      return `This node leads the cluster. ${nodesAvailable(snapshot)}`;
    case 'follower':
    case 'worker':
      return `${leadership.leaderName ?? 'Another node'} leads the cluster. ${nodesAvailable(snapshot)}`;
    case 'cannot-lead':
      return leadership.leaderName === null
        ? 'Nobody leads the cluster, and this node cannot.'
        : `${leadership.leaderName} leads the cluster; this node could not take over.`;
    case 'nobody':
      return 'Nobody leads the cluster.';
    case 'unknown':
      return 'This node is finding out who leads the cluster.';
  }
}

function nodesAvailable({ cluster }: NodeSnapshot): string {
  const total = cluster.members.length;
  const available = cluster.members.filter((member) => member.isAlive && member.availability === 'available').length;
  if (total <= 1) return 'It is the only node.';
  return `${available} of ${total} nodes are available.`;
}

/** The leader line: how this node stands, in the words of its badge. */
export function leaderLine({ leadership, isPaused }: NodeSnapshot, nowMs: number): string {
  const term = leadership.term === null ? '' : ` · term ${leadership.term}`;
  const leader = leadership.leaderName;
  switch (leadership.standing) {
    case 'leader':
      return `Primary${term}`;
    case 'follower':
      return `Follower${leader === null ? '' : ` of ${leader}`}${term}`;
    case 'worker':
      return `Worker${leader === null ? '' : ` · ${leader} leads`}`;
    case 'cannot-lead':
      return isPaused ? 'Paused by its operator' : `Cannot lead: ${leadership.why}`;
    case 'nobody':
      return leadership.sinceMs === null ? 'No Primary' : `No Primary for ${duration(nowMs - leadership.sinceMs)}`;
    case 'unknown':
      return 'Leadership not known yet';
  }
}

/** Name of a check as people call what it checks. */
export function checkName({ check }: CheckResult, snapshot: NodeSnapshot): string {
  const storageId = /^storage:(.+)$/.exec(check)?.[1];
  if (storageId !== undefined) return snapshot.storages.find(({ id }) => id === storageId)?.name ?? 'Storage';
  const names: Partial<Record<string, string>> = {
    database: 'Database',
    disk: 'Disk',
    iconik: 'iconik',
    ffmpeg: 'ffmpeg',
    jobs: 'Jobs',
  };
  return names[check] ?? check;
}

interface Problem {
  /** In few words, for the tooltip. */
  name: string;
  /** In a line of the menu. */
  line: string;
}

/** What is not fine, what stops work first: failing checks, roles that nobody holds, warnings; `unknown` is not fine. */
function problemsOf(snapshot: NodeSnapshot): { problems: Problem[]; unknown: Problem[] } {
  const ofStatus = (status: CheckResult['status']): Problem[] =>
    snapshot.checks
      .filter((check) => check.status === status)
      .map((check) => {
        const name = checkName(check, snapshot);
        return { name, line: `${name}: ${status === 'unknown' ? 'not checked yet' : check.reason}` };
      });
  const roles = snapshot.cluster.uncoveredRoles.join(', ');
  const uncovered = roles === '' ? [] : [{ name: `no ${roles} node`, line: `No node works on ${roles}` }];
  return { problems: [...ofStatus('failing'), ...uncovered, ...ofStatus('warning')], unknown: ofStatus('unknown') };
}

/** One line per problem, or one line that all is well. */
export function healthLines(snapshot: NodeSnapshot): string[] {
  const { problems, unknown } = problemsOf(snapshot);
  const lines = [...problems, ...unknown].map(({ line }) => line);
  if (lines.length > 0) return lines;
  if (snapshot.checks.length === 0) return ['Health not checked yet'];
  const storages = snapshot.checks.filter(({ check }) => check.startsWith('storage:')).length;
  return [
    storages === 0
      ? 'Database and iconik are healthy'
      : `Database, iconik and ${count(storages, 'storage')} are healthy`,
  ];
}

/** Health for the tooltip, at most `limit` characters: as many names as fit, the gravest first and cut last. */
export function healthSummary(snapshot: NodeSnapshot, limit: number): string {
  const names = problemsOf(snapshot).problems.map(({ name }) => name);
  if (names.length === 0) {
    return snapshot.checks.some(({ status }) => status === 'ok') ? 'Healthy' : 'Health not checked yet';
  }
  const naming = (shown: number): string => {
    const rest = names.length - shown;
    return `${count(names.length, 'problem')}: ${names.slice(0, shown).join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
  };
  for (let shown = names.length; shown > 0; shown -= 1) if (naming(shown).length <= limit) return naming(shown);
  return clip(`${count(names.length, 'problem')}: ${names[0] ?? ''}`, limit);
}

/** Running jobs of this node by role. */
export function jobsLine({ running }: NodeSnapshot): string {
  if (running.length === 0) return 'No running jobs';
  const roles = new Map<string, number>();
  for (const { role } of running) roles.set(role, (roles.get(role) ?? 0) + 1);
  const parts = [...roles].map(([role, number]) => (roles.size === 1 ? role : `${number} ${role}`));
  return `${count(running.length, 'running job')}: ${parts.join(', ')}`;
}
