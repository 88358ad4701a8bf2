import type { CheckResult } from '../contract/index.ts';

// What a failover drill decides (README: planned hand-over). Pure.

/** A node as a drill looks at it. */
export interface DrillMember {
  runId: string;
  name: string;
  isAlive: boolean;
  availability: string;
  roles: readonly string[];
  health: readonly CheckResult[];
}

/** A drill that goes on, as its row tells. */
export interface OpenDrill {
  drillId: string;
  fromRun: string;
  fromTerm: number;
  toRun: string;
  toName: string;
  isHandedOver: boolean;
  /** The successor has led for its time and wanted to hand back. */
  isTurnOver: boolean;
  /** Since it was asked for, by the database's clock, milliseconds. */
  ageMs: number;
}

/** The successor leads for this long before it hands back, milliseconds; also the time in which the first may stand again. */
export const TURN_MS = 1_500;
/** A drill takes a few seconds; one this old was left behind by a fault, and is not played on. */
export const DRILL_LIMIT_MS = 30_000;

/** Why a node could not lead at once; null when it could. */
export function whyUnfit(member: DrillMember | undefined): string | null {
  if (member === undefined || !member.isAlive) return 'it is not seen alive';
  if (!member.roles.includes('MAIN')) return 'it does not have the role MAIN';
  if (member.availability !== 'available') return `it is ${member.availability}`;
  if (member.health.length === 0) return 'its health is not known';
  const bad = member.health.find(({ status }) => status !== 'ok');
  return bad === undefined ? null : `its check of ${bad.check} is ${bad.status}`;
}

/** The follower that is to lead for a moment (the first by name), or why there is none. */
export function chooseSuccessor(
  members: readonly DrillMember[],
  ownRunId: string,
): { successor: DrillMember } | { why: string } {
  const others = members.filter(({ runId }) => runId !== ownRunId);
  const fit = others.filter((member) => whyUnfit(member) === null);
  const [successor] = fit.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  if (successor !== undefined) return { successor };
  if (others.length === 0) return { why: 'There is no other node that could lead meanwhile.' };
  const reasons = others.map((member) => `${member.name}: ${whyUnfit(member)}`);
  return { why: `No other node is fit to lead meanwhile (${reasons.join('; ')}).` };
}

/** What a node that leads has to do about an open drill. */
export type DrillPart = { kind: 'none' } | { kind: 'turn' } | { kind: 'end'; outcome: string };

/** Word of a drill that went both ways. */
export const COMPLETED = 'completed';
/** Words of one that did not. */
export const notCompleted = (why: string): string => `not completed: ${why}`;

/** A leadership as its part is asked for; `turnOf`: the drill in which it plays its turn already. */
export interface DrillPlayer {
  runId: string;
  term: number;
  turnOf?: string | null;
}

/** The part of the run `runId`, which leads in `term`. Whoever has no part ends the drill: it must not stay open. */
export function partIn(drill: OpenDrill, { runId, term, turnOf = null }: DrillPlayer): DrillPart {
  // The leadership that asked for it and has not stepped aside yet.
  if (term === drill.fromTerm) return { kind: 'none' };
  const end = (outcome: string): DrillPart => ({ kind: 'end', outcome });
  if (drill.ageMs > DRILL_LIMIT_MS) return end(notCompleted('it was interrupted and nobody ended it in time'));
  // Its own stamps, whose answers were lost, do not make it a leadership that came back.
  if (drill.drillId === turnOf) return { kind: 'turn' };
  if (runId === drill.toRun) {
    return drill.isHandedOver
      ? end(notCompleted(`the leadership came back to ${drill.toName} instead of the node that asked for the drill`))
      : { kind: 'turn' };
  }
  if (runId !== drill.fromRun) return end(notCompleted('a third node took the leadership'));
  if (drill.isTurnOver) return end(COMPLETED);
  return drill.isHandedOver
    ? end(notCompleted(`${drill.toName} led but did not hand back`))
    : end(notCompleted(`${drill.toName} did not take the leadership`));
}
