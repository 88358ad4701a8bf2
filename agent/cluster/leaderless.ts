import type { CheckResult, LeaderlessCause } from '../contract/index.ts';
import { PAUSED } from './node-status.ts';

// Why no node leads: what stands in the way of each, combined. Pure.

/** A node as the cluster's table has it. */
export interface LeaderlessMember {
  name: string;
  isAlive: boolean;
  availability: string;
  /** What the node says of itself. */
  reason: string;
  roles: readonly string[];
  health: readonly CheckResult[];
}

type Cause = Omit<LeaderlessCause, 'nodes'>;

const NOT_ALIVE: Cause = {
  code: 'not-alive',
  cause: 'Has the role MAIN but is not seen alive.',
  remedy: 'Start the agent there, or check that it reaches the database.',
};
const NO_MAIN: Cause = {
  code: 'no-main-role',
  cause: 'Does not have the role MAIN.',
  remedy: 'Give the role MAIN to a node in iconik.',
};
const NOT_KNOWN: Cause = {
  code: 'not-known',
  cause: 'Has not finished its first checks, or its last words are too old.',
  remedy: 'Wait a few seconds; if it stays so, look at the log of that node.',
};
const ABOUT_TO_LEAD: Cause = {
  code: 'about-to-lead',
  cause: 'Could lead, and should within seconds.',
  remedy: 'If it stays so, look at the log of that node: the take-over may be blocked in the database.',
};

/** Reasons in the order in which they are worth mending. */
const ORDER: readonly LeaderlessCause['code'][] = [
  'database',
  'database-differs',
  'iconik',
  'storage',
  'duplicate',
  'disabled',
  'paused',
  'stopping',
  'not-alive',
  'no-main-role',
  'not-known',
  'about-to-lead',
];

const BY_AVAILABILITY: Partial<Record<string, (reason: string) => Cause>> = {
  disabled: (cause) => ({ code: 'disabled', cause, remedy: 'Enable the cluster, or the node, in iconik.' }),
  duplicate: (cause) => ({
    code: 'duplicate',
    cause,
    remedy: 'Stop the other run, or give this one a gateway id of its own.',
  }),
  draining: (cause) =>
    cause.startsWith(PAUSED)
      ? { code: 'paused', cause: `${PAUSED}.`, remedy: 'Resume it at that node.' }
      : { code: 'stopping', cause: 'Is stopping.', remedy: 'Start its agent again.' },
};

function causesOf(member: LeaderlessMember): Cause[] {
  if (!member.roles.includes('MAIN')) return [NO_MAIN];
  if (!member.isAlive || member.availability === 'unavailable') return [NOT_ALIVE];
  const own = BY_AVAILABILITY[member.availability]?.(member.reason);
  if (own !== undefined) return [own];
  if (member.reason.includes('db-uri-differs'))
    return [{ code: 'database-differs', cause: member.reason, remedy: 'Restart that node.' }];
  if (member.health.length === 0) return [NOT_KNOWN];
  const causes = member.health.flatMap(causeOfCheck);
  return causes.length > 0 ? causes : [ABOUT_TO_LEAD];
}

function causeOfCheck({ check, status, reason, remedy }: CheckResult): Cause[] {
  const code = check === 'database' || check === 'iconik' ? check : check.startsWith('storage:') ? 'storage' : null;
  if (code === null || status === 'ok') return [];
  return status === 'unknown' ? [NOT_KNOWN] : [{ code, cause: reason, remedy }];
}

/** What keeps each node from leading; nodes with the same cause together, what is worth mending first. */
export function leaderlessCauses(members: readonly LeaderlessMember[]): LeaderlessCause[] {
  const found = new Map<string, LeaderlessCause>();
  for (const member of members) {
    for (const cause of causesOf(member)) {
      const key = `${cause.code} ${cause.cause}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { ...cause, nodes: [member.name] });
      else if (!known.nodes.includes(member.name)) known.nodes.push(member.name);
    }
  }
  return [...found.values()].sort((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code));
}

/** The diagnosis as one finding: who is kept from leading by what, and what to do. */
export function leaderlessFinding(causes: readonly LeaderlessCause[]): { reason: string; remedy: string } {
  const lines = causes.map(({ nodes, cause }) => `${nodes.join(', ')}: ${cause}`);
  const remedies = new Set(causes.filter(({ code }) => code !== 'about-to-lead').map(({ remedy }) => remedy));
  const why = lines.length > 0 ? lines.join(' ') : 'No node is registered.';
  return { reason: `No node becomes Primary. ${why}`, remedy: [...remedies].filter(Boolean).join(' ') };
}
