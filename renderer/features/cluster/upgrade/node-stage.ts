import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { isPaused } from '../member-rows.ts';

// How far one node is with its upgrade. Pure; README.md draws the stages.

/**
 * `to-do`: has the older version and works. `draining`: takes nothing new; jobs or the leadership are not off it yet, or that is
 * not known yet. `install`: has nothing to do any more, or is stopped. `start`: has the new version and was stopped again. `away`:
 * is not seen and did not say goodbye, so that it may still be at work. `checking`: came back with the new version a moment ago.
 * `resume`: has it and is paused. `blocked`: a person has to look.
 */
export type NodeStage =
  | 'to-do'
  | 'draining'
  | 'install'
  | 'start'
  | 'away'
  | 'checking'
  | 'resume'
  | 'done'
  | 'blocked';

/** Why a node is `blocked`. `unwell`: runs the new version and does not become available. */
export type BlockCode = 'not-seen' | 'duplicate' | 'node-disabled' | 'unwell';

/** How far a node is. */
export interface NodeJudgement {
  stage: NodeStage;
  /** Null unless `blocked`. */
  why: BlockCode | null;
}

/** Installing takes minutes; a node that is away for longer is asked about. */
const LONG_AWAY_MS = 10 * 60_000;
/** The first health checks of a node and its look at the storages are done long before. */
const SETTLES_WITHIN_MS = 2 * 60_000;

const at = (stage: NodeStage): NodeJudgement => ({ stage, why: null });
const blocked = (why: BlockCode): NodeJudgement => ({ stage: 'blocked', why });

/** Whether a node does not run, by its own last word or by what this node sees. */
export function isSilent({ isAlive, availability }: ClusterMember): boolean {
  return !isAlive || availability === 'unavailable';
}

/** Whether a node is at work with all it needs. */
export function works(member: ClusterMember): boolean {
  return !isSilent(member) && member.availability === 'available';
}

/** Whether something is wrong with a node, other than that it is being upgraded. */
export function isUnwell({ stage, member }: { stage: NodeStage; member: ClusterMember }): boolean {
  return stage === 'blocked' || stage === 'away' || (stage === 'to-do' && !works(member));
}

/** The stages that do not depend on the way; null for a node that runs. */
function stageAway(member: ClusterMember, isCurrent: boolean, nowMs: number): NodeJudgement | null {
  if (isSilent(member)) {
    const isLong = member.lastSeenMs > 0 && nowMs - member.lastSeenMs > LONG_AWAY_MS;
    if (isLong) return blocked('not-seen');
    if (member.hasLeft !== true) return at('away');
    return at(isCurrent ? 'start' : 'install');
  }
  return member.availability === 'duplicate' ? blocked('duplicate') : null;
}

function stageReturned(member: ClusterMember, nowMs: number): NodeJudgement {
  switch (member.availability) {
    case 'available':
      return at('done');
    case 'draining':
      return at(isPaused(member) ? 'resume' : 'checking');
    case 'disabled':
      return blocked('node-disabled');
    default: {
      const isYoung = member.startedMs === null || nowMs - member.startedMs < SETTLES_WITHIN_MS;
      return isYoung ? at('checking') : blocked('unwell');
    }
  }
}

// A count from before it came to rest tells nothing of jobs that it took in between.
const hasWork = ({ runningJobs, areJobsCounted = true, isLeader }: ClusterMember): boolean =>
  runningJobs > 0 || !areJobsCounted || isLeader;

/** How far a node is while the cluster stays on. `nowMs` by the database's clock, as are the times of the member. */
export function stageOneByOne(member: ClusterMember, isCurrent: boolean, nowMs: number): NodeJudgement {
  const away = stageAway(member, isCurrent, nowMs);
  if (away !== null) return away;
  if (isCurrent) return stageReturned(member, nowMs);
  const isOff = isPaused(member) || member.availability === 'disabled';
  if (isOff) return at(hasWork(member) ? 'draining' : 'install');
  return at(member.availability === 'draining' ? 'draining' : 'to-do');
}

/** How far a node is while the cluster is disabled. */
export function stageAllStopped(member: ClusterMember, isCurrent: boolean, nowMs: number): NodeJudgement {
  const away = stageAway(member, isCurrent, nowMs);
  if (away !== null) return away;
  if (isCurrent) return at(member.availability === 'disabled' ? 'done' : 'checking');
  return at(member.availability === 'disabled' && !hasWork(member) ? 'install' : 'draining');
}
