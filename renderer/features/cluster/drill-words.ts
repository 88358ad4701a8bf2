import type { DrillState, LeaderlessCause, NodeSnapshot } from '../../../agent/contract/index.ts';
import { formatList } from '../../ui/format.ts';
import type { Status } from '../../ui/StatusMark.tsx';

// Words of the failover drill and of a cluster that nobody leads. Pure.

/** A notice: what is so, what it means, and more lines. */
export interface ClusterNotice {
  status: Status;
  cause: string;
  consequence: string;
  remedy: string;
}

/** Whether the drill is offered (only to the leading node), and why it cannot begin now. */
export function drillOffer({ leadership, cluster }: NodeSnapshot): { isOffered: boolean; refusal: string | null } {
  return { isOffered: leadership.standing === 'leader' && cluster.enabled, refusal: cluster.drill.refusal };
}

/** What the drill does to running work, a sentence each. */
export function drillConsequences({ cluster }: NodeSnapshot): string[] {
  return [
    'Leadership goes to a healthy MAIN node for a moment and comes back; it takes a few seconds.',
    'Scanning and ingest pause during each of the two hand-overs and go on where they were.',
    `Checksums, proxies and transfers go on everywhere${cluster.members.length > 2 ? ', on all nodes' : ''}.`,
    'If anything is in the way, another node leads as it would after any hand-over.',
  ];
}

const ms = (value: number | null): string => (value === null ? 'an unknown time' : `${value} ms`);

/** How the drill goes on, or how it went; null before the first. */
export function drillNotice(last: DrillState | null): ClusterNotice | null {
  if (last === null) return null;
  const quiet = { consequence: '', remedy: '' };
  switch (last.phase) {
    case 'handing-over':
      return { ...quiet, status: 'unknown', cause: `Failover drill: handing the leadership to ${last.toName}.` };
    case 'handing-back':
      return { ...quiet, status: 'unknown', cause: `Failover drill: ${last.toName} leads and is about to hand back.` };
    case 'completed':
      return {
        ...quiet,
        status: 'ok',
        cause: `Failover drill completed in ${ms(last.totalMs)}: ${last.toName} led and handed back.`,
        consequence: `Without a leader: ${ms(last.outGapMs)} on the way out, ${ms(last.backGapMs)} on the way back. ${last.toName} led ${ms(last.handOverMs)} after the request.`,
      };
    case 'not-completed':
      return {
        status: 'warning',
        cause: `Failover drill not completed: ${last.why}.`,
        consequence: 'The cluster goes on as after any change of the leadership.',
        remedy: 'Look at the nodes and the leaderships below, mend what is named, and run it again.',
      };
  }
}

/** One line per cause for which nobody leads: the nodes, what is so, what to do. */
export function leaderlessLines(causes: readonly LeaderlessCause[]): string[] {
  return causes.map(({ nodes, cause, remedy }) => `${formatList(nodes)}: ${cause} ${remedy}`.trim());
}
