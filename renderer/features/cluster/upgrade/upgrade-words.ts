import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { formatDuration, formatList, plural } from '../../../ui/format.ts';
import type { Status } from '../../../ui/StatusMark.tsx';
import { isPaused } from '../member-rows.ts';
import { uncoveredConsequence } from '../role-coverage.ts';
import { isSilent, isUnwell } from './node-stage.ts';
import type { NodeStep, UpgradePlan, UpgradeStep } from './upgrade-plan.ts';
import type { UpgradeRisk } from './upgrade-risks.ts';

// What the guide says. Pure; ages are as of the plan's time.

const nodesOf = ({ steps }: UpgradePlan): NodeStep[] => steps.filter((step): step is NodeStep => step.kind === 'node');
const jobs = ({ runningJobs }: ClusterMember): string => plural(runningJobs, 'job');
const notSeen = ({ lastSeenMs }: ClusterMember, nowMs: number): string =>
  lastSeenMs > 0 ? `Not seen for ${formatDuration(Math.max(0, nowMs - lastSeenMs))}` : 'Not seen';

/** The guide's first line. `status` undefined = under way, nothing to judge. */
export function planSentence(plan: UpgradePlan): { status: Status | undefined; sentence: string } {
  const nodes = nodesOf(plan);
  const all = nodes.length === 1 ? 'The only node runs' : `All ${plural(nodes.length, 'node')} run`;
  const unwell = nodes.filter(isUnwell).map(({ member }) => member.name);
  const worst = unwell.length > 0 ? 'warning' : undefined;
  switch (plan.phase) {
    case 'empty':
      return { status: 'unknown', sentence: 'No node is there to upgrade.' };
    case 'ready':
      if (unwell.length === 0) return { status: 'ok', sentence: `${all} ${plan.target}.` };
      return { status: 'warning', sentence: `${all} ${plan.target}; ${are(unwell)} not available.` };
    case 'finished': {
      const open = nodes.filter(({ stage }) => stage !== 'done').map(({ member }) => member.name);
      if (plan.next === null) return { status: 'ok', sentence: `Upgrade finished: ${lower(all)} ${plan.target}.` };
      if (open.length === 0) return { status: undefined, sentence: `${all} ${plan.target}.` };
      return { status: worst, sentence: `${all} ${plan.target}; ${are(open)} not at work yet.` };
    }
    case 'under-way': {
      const older = nodes.filter(({ member }) => member.version !== plan.target).length;
      const done = nodes.length - older;
      const sentence = `${done} of ${plural(nodes.length, 'node')} ${done === 1 ? 'runs' : 'run'} ${plan.target}; ${older} still to go.`;
      return { status: worst, sentence };
    }
  }
}

const are = (names: readonly string[]): string => `${formatList(names)} ${names.length === 1 ? 'is' : 'are'}`;

const lower = (words: string): string => words.charAt(0).toLowerCase() + words.slice(1);

function drainingWord(member: ClusterMember): string {
  if (member.runningJobs > 0) return `Waiting for ${jobs(member)}`;
  if (member.isLeader) return 'Handing over the lead';
  return member.availability === 'draining' && !isPaused(member) ? 'Stopping' : 'Coming to rest';
}

function blockedWord({ member, why }: NodeStep, nowMs: number): string {
  switch (why) {
    case 'not-seen':
      return notSeen(member, nowMs);
    case 'duplicate':
      return 'Duplicate';
    case 'node-disabled':
      return 'Disabled in iconik';
    default:
      return 'Not available';
  }
}

/** State of one step, in a few words. */
export function stageWord(step: UpgradeStep, plan: UpgradePlan): string {
  if (step.kind === 'cluster') {
    return { 'to-do': 'To do', waiting: 'Nodes are following', done: 'Done' }[step.stage];
  }
  const { member, stage } = step;
  switch (stage) {
    case 'to-do':
      if (plan.phase !== 'ready') return 'To do';
      return step === plan.next ? 'To begin with' : 'After that';
    case 'draining':
      return drainingWord(member);
    case 'install':
      return isSilent(member) ? 'Stopped: install now' : 'At rest: install now';
    case 'start':
      return 'Stopped: start it again';
    case 'away':
      return notSeen(member, plan.nowMs);
    case 'checking':
      return 'Back, checking';
    case 'resume':
      return 'Back, still paused';
    case 'done':
      return 'Done';
    case 'blocked':
      return blockedWord(step, plan.nowMs);
  }
}

/** What a step is called in the list. */
export function clusterStepName({ to }: { to: 'disabled' | 'enabled' }): string {
  return to === 'disabled' ? 'Disable the cluster' : 'Enable the cluster';
}

/** Why a risk matters and what to do, as a notice shows it. */
export function riskWords(risk: UpgradeRisk): { cause: string; consequence: string; remedy: string } {
  switch (risk.kind) {
    case 'leaves-roles':
      return {
        cause: `${formatList(risk.roles)} ${risk.roles.length === 1 ? 'has' : 'have'} no other node than ${risk.member.name}.`,
        consequence: `While it is away: ${lower(uncoveredConsequence(risk.roles))}`,
        remedy:
          'Such work waits and nothing is lost. If it cannot wait, give the role to another node in iconik first.',
      };
    case 'roles-away':
      return {
        cause: `${formatList(risk.roles)} ${risk.roles.length === 1 ? 'has' : 'have'} no node until ${formatList(risk.names)} ${risk.names.length === 1 ? 'is' : 'are'} back.`,
        consequence: uncoveredConsequence(risk.roles),
        remedy: 'Such work waits and nothing is lost.',
      };
    case 'no-main':
      return {
        cause: 'No node has the role MAIN.',
        consequence: 'Nobody can lead: nothing is scanned or ingested.',
        remedy: 'Give MAIN to a node in iconik.',
      };
    case 'too-far':
      return {
        cause: `${formatList(risk.names)} ${risk.names.length === 1 ? 'is' : 'are'} more than one release behind (${risk.from}).`,
        consequence:
          'Only neighbouring releases are made to run together; a node too old for the tables stops and says so.',
        remedy: 'Disable the cluster and use the vendor’s order, or bring these nodes to the release between first.',
      };
    case 'went-back':
      return {
        cause: `${risk.name} went back from ${risk.from} to ${risk.to}.`,
        consequence: 'This guide leads to the newest version that any node has.',
        remedy: 'To go back with the whole cluster, take the other nodes back in the same order, the Primary last.',
      };
    case 'unchanged':
      return {
        cause: `${risk.name} was restarted and still runs ${risk.version}.`,
        consequence: '',
        remedy: 'Look whether the new version was installed there, and whether the old one is what starts.',
      };
    case 'mixed-long':
      return {
        cause: `Two versions have run together for at least ${formatDuration(risk.forMs)}.`,
        consequence:
          'That works, but is meant for the time of an upgrade; what only the newer version can do waits for the others.',
        remedy: 'Finish the upgrade.',
      };
    case 'several-away':
      return {
        cause: `${formatList(risk.names)} are away at the same time.`,
        consequence: 'Their work falls to fewer nodes, and one more failure may leave a role without any.',
        remedy: 'Bring all but one back before you go on.',
      };
    case 'unwell': {
      const names = risk.members.map(({ name }) => name);
      return {
        cause: `${are(names)} not available, and not because of the upgrade.`,
        consequence: risk.members.map(({ reason }) => reason).join(' '),
        remedy: 'Mend it before another node is taken away; Diagnostics at that node says more.',
      };
    }
    case 'left-out':
      return {
        cause: `Not counted: ${formatList(risk.names)}.`,
        consequence: 'Left out by hand, or not seen for more than a day.',
        remedy: '',
      };
  }
}
