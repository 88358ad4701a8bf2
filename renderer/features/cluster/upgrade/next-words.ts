import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { formatRelative, plural } from '../../../ui/format.ts';
import { isSilent } from './node-stage.ts';
import type { ClusterStep, NodeStep, UpgradePlan, UpgradeWay } from './upgrade-plan.ts';

// The one thing to do next, in words, with the button where this window can do it. Pure.

/** What this window can do of an upgrade; each asks first. */
export type UpgradeCall = 'pause' | 'resume' | 'disable' | 'enable';

/** The next thing to do. */
export interface NextWords {
  title: string;
  lines: readonly string[];
  /** The button; null where it is done elsewhere, or nothing is to be done but to wait. */
  call: UpgradeCall | null;
  /** A node that may be left out of this upgrade; null = none. */
  mayLeaveOut: ClusterMember | null;
}

interface Situation {
  plan: UpgradePlan;
  way: UpgradeWay;
  enabled: boolean;
}

const WAIT = 'Nothing to do; this goes on by itself.';

const say = (
  title: string,
  lines: readonly (string | null)[],
  rest: Partial<Pick<NextWords, 'call' | 'mayLeaveOut'>> = {},
): NextWords => ({
  title,
  lines: lines.filter((line): line is string => line !== null && line !== ''),
  call: null,
  mayLeaveOut: null,
  ...rest,
});

const mayTakeLead = (plan: UpgradePlan, member: ClusterMember): boolean =>
  plan.steps.some(
    (step) =>
      step.kind === 'node' &&
      step.member !== member &&
      !isSilent(step.member) &&
      step.member.availability === 'available' &&
      step.member.roles.includes('MAIN'),
  );

function pauseNode(member: ClusterMember, plan: UpgradePlan): NextWords {
  const { name, host, runningJobs, isSelf } = member;
  const isFirst = plan.phase === 'ready';
  const handsOver = member.isLeader && mayTakeLead(plan, member);
  const does = handsOver ? 'hand over the lead and pause' : 'pause';
  const title = `${isFirst ? `With a newer version at hand, ${does}` : does.charAt(0).toUpperCase() + does.slice(1)} ${isSelf ? `this node, ${name}` : name}`;
  const finishes =
    runningJobs === 0
      ? 'It takes no new jobs.'
      : `It finishes its ${plural(runningJobs, 'job')} and takes no new ones.`;
  const hands = handsOver ? 'Another MAIN node takes the lead within seconds.' : null;
  if (isSelf) return say(title, [finishes, hands], { call: 'pause' });
  return say(title, [
    `This is done at ${host}: “Pause this node”, in its Cluster screen or its tray menu. ${finishes}`,
    hands,
    'A server without a window: stop its agent. Its jobs are queued again, and other nodes go on with them.',
  ]);
}

function install({ member }: NodeStep, { plan, way, enabled }: Situation): NextWords {
  const { name, host, isSelf, lastSeenMs } = member;
  const version = plan.phase === 'ready' ? 'the newer version' : plan.target;
  const stopped = isSilent(member) ? `It stopped ${formatRelative(lastSeenMs, plan.nowMs)}.` : null;
  const how = isSelf
    ? 'Run its installer on this machine, or install the update that the overview offers. This window closes meanwhile, and shows how far the upgrade is when it opens again.'
    : `Run its installer on ${host}, or install the update that its window offers. On a server without a window replace the agent and start it.`;
  const isOpenEnd = plan.phase === 'ready' && way === 'all-stopped' && !enabled;
  const orDone = isOpenEnd ? 'If all nodes have the version you want, enable the cluster.' : null;
  return say(`Install ${version} on ${isSelf ? `this node, ${name}` : name}`, [stopped, how, orDone], {
    call: isOpenEnd ? 'enable' : null,
  });
}

function away({ name, host, lastSeenMs, runningJobs }: ClusterMember, nowMs: number): NextWords {
  const last =
    lastSeenMs > 0 ? `It was last seen ${formatRelative(lastSeenMs, nowMs)}, on ${host},` : `It is on ${host},`;
  const mayWork =
    runningJobs > 0
      ? `If it runs, it may still be at work on ${plural(runningJobs, 'job')}: see whether it reaches the database.`
      : 'If it runs, see whether it reaches the database.';
  return say(`See what became of ${name}`, [
    `${last} and did not say that it stops.`,
    `If it is being installed or restarted, go on with that. ${mayWork}`,
  ]);
}

function blocked({ member, why }: NodeStep, nowMs: number): NextWords {
  const { name, host, reason, lastSeenMs } = member;
  const mayLeaveOut = member;
  switch (why) {
    case 'not-seen':
      return say(
        `Bring ${name} back`,
        [
          `It was last seen ${formatRelative(lastSeenMs, nowMs)}, on ${host}.`,
          'If it is being installed, finish that and start it. If it runs, see whether it reaches the database. If it is gone for good, leave it out.',
        ],
        { mayLeaveOut },
      );
    case 'duplicate':
      return say(`Stop one of the two that run as ${name}`, [reason], { mayLeaveOut });
    case 'node-disabled':
      return say(
        `Enable ${name} in iconik`,
        ['It has the new version, and is switched off in iconik under Admin › ISG.'],
        {
          mayLeaveOut,
        },
      );
    default:
      return say(
        `See what ${name} lacks`,
        [reason, 'Mend it before the next node is taken away; Diagnostics at that node says more.'],
        { mayLeaveOut },
      );
  }
}

function nodeWords(step: NodeStep, situation: Situation): NextWords {
  const { member, stage } = step;
  const { name, host, isSelf, runningJobs } = member;
  switch (stage) {
    case 'to-do':
      return pauseNode(member, situation.plan);
    case 'draining':
      return say(
        `Wait until ${name} ${runningJobs > 0 ? `has finished ${plural(runningJobs, 'job')}` : 'is at rest'}`,
        [WAIT],
      );
    case 'install':
      return install(step, situation);
    case 'start':
      return say(`Start ${name} again`, [`It has ${member.version} and was stopped. Start ISG Pro on ${host}.`]);
    case 'away':
      return away(member, situation.plan.nowMs);
    case 'checking':
      return say(`Wait for ${name}`, ['It is back and looks at its storages and connections.', WAIT]);
    case 'resume':
      return isSelf
        ? say(`Resume this node, ${name}`, ['It has the new version and is still paused.'], { call: 'resume' })
        : say(`Resume ${name}`, [
            `This is done at ${host}: “Resume this node”, in its Cluster screen or its tray menu.`,
          ]);
    case 'blocked':
      return blocked(step, situation.plan.nowMs);
    case 'done':
      return say('Nothing is left to do', []);
  }
}

function clusterWords({ to, stage }: ClusterStep, { plan, way }: Situation): NextWords {
  const nodes = plan.steps.flatMap((step) => (step.kind === 'node' ? [step.member] : []));
  const running = nodes.reduce((sum, { runningJobs }) => sum + runningJobs, 0);
  if (to === 'disabled' && stage === 'waiting')
    return say(`Wait until all nodes are at rest${running > 0 ? `: ${plural(running, 'job')} to finish` : ''}`, [WAIT]);
  if (to === 'disabled')
    return say(
      plan.phase === 'ready' ? 'With a newer version at hand, disable the cluster' : 'Disable the cluster',
      ['Running jobs finish; nothing is scanned, ingested or taken up until it is enabled again. Nothing is lost.'],
      { call: 'disable' },
    );
  if (way === 'one-by-one')
    return say(
      'Enable the cluster',
      ['It is disabled, so no node works. Enable it to go on node by node, or choose the vendor’s order above.'],
      { call: 'enable' },
    );
  return say('Enable the cluster', [`All nodes have ${plan.target}. They take work again within 10 s.`], {
    call: 'enable',
  });
}

/** The next thing to do; null when nothing is. */
export function nextWords(situation: Situation): NextWords | null {
  const { next } = situation.plan;
  if (next === null) return null;
  return next.kind === 'node' ? nodeWords(next, situation) : clusterWords(next, situation);
}
