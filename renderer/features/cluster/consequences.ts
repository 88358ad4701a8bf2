import type { NodeSnapshot, Role } from '../../../agent/contract/index.ts';
import { formatCount, formatList, plural } from '../../ui/format.ts';

const queuedJobs = ({ roles }: NodeSnapshot): number => roles.reduce((sum, { queued }) => sum + queued, 0);

function finish(jobs: number, where: string): string {
  if (jobs === 0) return `No job runs ${where} now.`;
  return jobs === 1
    ? `1 job that runs ${where} goes on to its end; no new one starts.`
    : `${formatCount(jobs)} jobs that run ${where} go on to their end; no new ones start.`;
}

/** What disabling the cluster does to running work, a sentence each. Queued jobs are those of the roles this node has. */
export function disableConsequences(snapshot: NodeSnapshot): string[] {
  const { members } = snapshot.cluster;
  const busy = members.filter(({ runningJobs }) => runningJobs > 0);
  const running = busy.reduce((sum, { runningJobs }) => sum + runningJobs, 0);
  const queued = queuedJobs(snapshot);
  const where = busy.length === 0 ? 'in the cluster' : `on ${plural(busy.length, 'node')}`;
  const wait = `At least ${plural(queued, 'queued job')} ${queued === 1 ? 'waits' : 'wait'} until the cluster is enabled again; nothing is lost.`;
  return [
    finish(running, where),
    ...(queued === 0 ? [] : [wait]),
    'Nobody leads: nothing is scanned or ingested, and orders of iconik are not taken.',
    `${members.length === 1 ? 'The node follows' : `All ${plural(members.length, 'node')} follow`} within 10 s.`,
  ];
}

/** What enabling it does. */
export function enableConsequences(snapshot: NodeSnapshot): string[] {
  const queued = queuedJobs(snapshot);
  const { members } = snapshot.cluster;
  return [
    `${members.length === 1 ? 'The node takes' : `All ${plural(members.length, 'node')} take`} work again within 10 s, and one of them begins to lead.`,
    ...(queued === 0 ? [] : [`At least ${plural(queued, 'queued job')} ${queued === 1 ? 'is' : 'are'} taken up.`]),
  ];
}

const others = (snapshot: NodeSnapshot, role: Role): boolean =>
  snapshot.cluster.members.some(
    ({ isSelf, isAlive, availability, roles }) =>
      !isSelf && isAlive && availability === 'available' && roles.includes(role),
  );

/** What pausing this node does: to its jobs, to leadership, and to roles that only it covers. */
export function pauseConsequences(snapshot: NodeSnapshot): string[] {
  const lines = [finish(snapshot.running.length, 'on this node')];
  if (snapshot.leadership.standing === 'leader') {
    lines.push(
      others(snapshot, 'MAIN')
        ? 'This node hands leadership over; another MAIN node takes it within seconds.'
        : 'This node is the only one that can lead: nothing is scanned or ingested while it is paused.',
    );
  }
  const alone = snapshot.roles.map(({ role }) => role).filter((role) => role !== 'MAIN' && !others(snapshot, role));
  if (alone.length > 0) lines.push(`No other available node has ${formatList(alone, 'or')}; such jobs wait.`);
  return [...lines, 'It stays paused until it is resumed here, or until the agent is restarted.'];
}
