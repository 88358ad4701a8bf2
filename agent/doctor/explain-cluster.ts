import { leaderlessCauses, leaderlessFinding } from '../cluster/leaderless.ts';
import { type Finding, ROLES, type Role } from '../contract/index.ts';
import type { ClusterLook } from '../db/queries/doctor.ts';

// What is wrong with the cluster as a whole, in words. Pure.

/** What iconik says of the cluster, and by which limits its nodes live. */
export interface ClusterTerms {
  nodes: readonly { name: string; roles: readonly Role[]; enabled: boolean }[];
  visibilityTimeoutS: number;
  heartbeatLapseMs: number;
  leaderTtlMs: number;
  requestsPerSecond: number;
}

type Member = ClusterLook['members'][number] & { isAlive: boolean };

/** Shorter than this, a node that is busy for a moment loses its jobs to others. */
const SHORT_VISIBILITY_S = 60;
/** Shorter than this, a lease outlasts no restart of a database or file server; longer ones do whatever jobs take. */
const MODEST_VISIBILITY_S = 15 * 60;
/** Due work that nobody has touched for this long, while none of its kind ends, stands still. */
const STUCK_MS = 10 * 60_000;
/** Leases are freed seconds after they run out. */
const OVERDUE_MS = 60_000;
/** More leaderships than this in ten minutes are no maintenance. */
const MANY_LEADERSHIPS = 5;
/** A share of the budget that is asked for in full again and again means waiting. */
const FULL_BUDGET = 1.2;

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
const minutes = (ms: number): string => (ms < 120_000 ? seconds(ms) : `${Math.round(ms / 60_000)} min`);
const list = (names: readonly string[]): string => names.join(', ');

function duplicates(members: readonly Member[]): Finding[] {
  const found = members.filter(({ isAlive, availability }) => isAlive && availability === 'duplicate');
  if (found.length === 0) return [];
  return [
    {
      code: 'duplicate-gateway',
      severity: 'error',
      cause: `Two runs use one storage gateway id: ${list(found.map(({ name, host }) => `${name} on ${host}`))} stands by.`,
      evidence: found.map(({ reason }) => reason).join(' '),
      remedy:
        'Give each machine a storage gateway of its own in iconik and its id in config.ini; a cloned machine keeps the id of its original.',
    },
  ];
}

function uncovered(members: readonly Member[], look: ClusterLook, { nodes }: ClusterTerms): Finding[] {
  const working = members.filter(({ isAlive, availability }) => isAlive && /^(available|degraded)$/.test(availability));
  if (working.length === 0) return [];
  const roles = ROLES.filter((role) => !working.some((member) => member.roles.includes(role)));
  return roles.map((role): Finding => {
    const holders = nodes.filter((node) => node.roles.includes(role)).map(({ name }) => name);
    const waiting = look.queues.find((queue) => queue.role === role)?.waiting ?? 0;
    return {
      code: 'role-uncovered',
      severity: 'error',
      cause: `No running node has the role ${role}, so its work waits.`,
      evidence: `${waiting} jobs wait; ${holders.length === 0 ? 'no node has the role in iconik' : `the role belongs to ${list(holders)}, which does not run or does not work`}.`,
      remedy:
        holders.length === 0
          ? `Give the role ${role} to a node in iconik.`
          : `Start the agent at ${list(holders)}, or give the role to another node in iconik.`,
    };
  });
}

/** Who led last and why it ended, newest first. */
const timeline = ({ last_leaders: leaders }: ClusterLook): string =>
  leaders
    .map(({ name, term, lasted_ms: lastedMs, end_why: endWhy }) =>
      lastedMs === null
        ? `${name} leads (term ${term}).`
        : `${name} led ${minutes(lastedMs)} (term ${term}): ${endWhy ?? 'its lease ran out'}.`,
    )
    .join(' ');

function leadership(members: readonly Member[], look: ClusterLook, terms: ClusterTerms): Finding[] {
  const found: Finding[] = [];
  const isLeaderless = (look.leaderless_ms ?? 0) > 2 * terms.leaderTtlMs;
  if (isLeaderless && members.some(({ isAlive }) => isAlive)) {
    const { reason, remedy } = leaderlessFinding(leaderlessCauses(members));
    const evidence = `Nobody has led for ${minutes(look.leaderless_ms ?? 0)}.`;
    found.push({ code: 'no-leader', severity: 'error', cause: reason, evidence, remedy: remedy || 'Wait a moment.' });
  }
  if (look.leader_changes > MANY_LEADERSHIPS) {
    found.push({
      code: 'leader-changes',
      severity: 'warning',
      cause: 'The leadership changes again and again.',
      evidence: `${look.leader_changes} leaderships began in the last 10 minutes. ${timeline(look)}`.trim(),
      remedy:
        'Look at the leadership timeline in the Cluster screen: it says why each ended. An overloaded machine or a slow file server is the usual cause.',
    });
  }
  return found;
}

function jobs(look: ClusterLook, uncoveredRoles: ReadonlySet<string>): Finding[] {
  return look.queues.flatMap((queue): Finding[] => {
    const { role, waiting, oldest_ms: oldestMs, running, overdue_ms: overdueMs, failed } = queue;
    const found: Finding[] = [];
    const standsStill = oldestMs > STUCK_MS && running === 0 && !queue.is_moving && !uncoveredRoles.has(role);
    if (standsStill || overdueMs > OVERDUE_MS) {
      found.push({
        code: 'jobs-stuck',
        severity: 'error',
        cause: `Jobs of the role ${role} stand still.`,
        evidence: standsStill
          ? `${waiting} wait, the oldest for ${minutes(oldestMs)}; none runs and none has ended in the last 10 minutes.`
          : `A lease ran out ${minutes(overdueMs)} ago and nobody has freed it.`,
        remedy: `Look at the nodes with the role ${role}: a role in quarantine says why; restart the agent that holds the oldest job.`,
      });
    }
    if (failed > 0) {
      found.push({
        code: 'jobs-dead',
        severity: 'warning',
        cause: `${failed >= 1_000 ? 'More than 1,000' : failed} ${role} jobs have failed for good in the last 24 hours.`,
        evidence: `The last one: ${queue.last_failure ?? 'without a reason'}`,
        remedy: 'Look at them in the Jobs screen, mend the cause, and retry them there.',
      });
    }
    return found;
  });
}

/** A node that freezes for the length of a lease loses its jobs: with long jobs and modest leases that costs hours of work. */
const isOutlasted = (longestJobMs: number, visibilityTimeoutS: number): boolean =>
  visibilityTimeoutS < MODEST_VISIBILITY_S && longestJobMs > visibilityTimeoutS * 1_000;

function sanity(members: readonly Member[], look: ClusterLook, terms: ClusterTerms): Finding[] {
  const found: Finding[] = [];
  const { visibilityTimeoutS, requestsPerSecond } = terms;
  if (visibilityTimeoutS < SHORT_VISIBILITY_S) {
    found.push({
      code: 'visibility-timeout-short',
      severity: 'error',
      cause: `visibility_timeout of the cluster is ${visibilityTimeoutS} s: a node that is busy for a moment loses its jobs to others.`,
      evidence: `The longest of the last jobs took ${seconds(look.longest_job_ms)}.`,
      remedy:
        'Set it to several minutes at the cluster in iconik; the default is 3600 s. A dead node’s jobs are freed within seconds whatever it is.',
    });
  }
  if (visibilityTimeoutS >= SHORT_VISIBILITY_S && isOutlasted(look.longest_job_ms, visibilityTimeoutS)) {
    found.push({
      code: 'visibility-timeout-short',
      severity: 'warning',
      cause: `visibility_timeout of the cluster is ${visibilityTimeoutS} s, and jobs take longer: each depends on being renewed in time again and again.`,
      evidence: `The longest of the last jobs, or of those running, took ${minutes(look.longest_job_ms)}.`,
      remedy:
        'Set it above what jobs take at the cluster in iconik; the default is 3600 s. A dead node’s jobs are freed within seconds whatever it is.',
    });
  }
  const versions = new Set(members.filter(({ isAlive }) => isAlive).map(({ version }) => version));
  if (versions.size > 1) {
    found.push({
      code: 'version-mix',
      severity: 'warning',
      cause:
        'Nodes of the cluster run different versions. The older ones keep working; new kinds of jobs are left to the newer.',
      evidence: members
        .filter(({ isAlive }) => isAlive)
        .map(({ name, version }) => `${name} ${version}`)
        .join(', '),
      remedy: 'Finish the upgrade: update the others; the leader last.',
    });
  }
  if (look.requests_wanted_per_second > requestsPerSecond * FULL_BUDGET) {
    found.push({
      code: 'requests-short',
      severity: 'warning',
      cause: 'The nodes want to ask iconik more often than its limit allows; work waits for it.',
      evidence: `They want ${Math.round(look.requests_wanted_per_second)} requests a second of ${requestsPerSecond}.`,
      remedy:
        'Nothing during a first ingest. If it lasts, ask iconik for a higher limit and raise iconik-requests-per-second.',
    });
  }
  return found;
}

/** All that the tables show to be wrong. An idle cluster whose nodes are all stopped has no findings. */
export function explainCluster(look: ClusterLook, terms: ClusterTerms): Finding[] {
  const members = look.members.map((member) => ({
    ...member,
    isAlive: member.age_ms < terms.heartbeatLapseMs && member.availability !== 'unavailable',
  }));
  const roles = uncovered(members, look, terms);
  const uncoveredRoles = new Set(ROLES.filter((role) => roles.some(({ cause }) => cause.includes(`role ${role},`))));
  return [
    ...duplicates(members),
    ...roles,
    ...leadership(members, look, terms),
    ...jobs(look, uncoveredRoles),
    ...sanity(members, look, terms),
  ];
}
