import { leaderlessCauses, leaderlessFinding } from '../cluster/leaderless.ts';
import type { CheckResult } from '../contract/index.ts';
import { lookAtLeadership } from '../db/queries/leader-doctor.ts';
import { failing, ok } from '../health/health-check.ts';
import type { Sql } from '../runtime/sql.ts';

/**
 * Whether somebody leads, by one look at the database; if not for longer than twice the time to live of the lease, why not.
 * Only where others run: a cluster that stands still has no leader, and that is no finding. Throws what the database throws.
 */
export async function checkLeadership(sql: Sql, limits: { lapseMs: number; ttlMs: number }): Promise<CheckResult> {
  const look = await lookAtLeadership(sql);
  const members = (look?.members ?? []).map((member) => ({
    ...member,
    isAlive: member.age_ms < limits.lapseMs && member.availability !== 'unavailable',
  }));
  const leaderlessMs = look?.leaderless_ms ?? 0;
  if (leaderlessMs <= 2 * limits.ttlMs || !members.some(({ isAlive }) => isAlive)) return ok('leadership').result;
  return failing('leadership', leaderlessFinding(leaderlessCauses(members))).result;
}
