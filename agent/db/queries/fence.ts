import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import type { Database, Sql, TransactionLimits } from '../../runtime/sql.ts';

/**
 * The fence of leader writes (design 4). Every write of a leader either is one statement that begins with `FENCE_CTE` and is
 * joined to it, or a transaction of `withLeaderFence`. The row lock is the fence: FOR SHARE makes a take-over wait for
 * writes in flight, and a write that waited for a take-over re-reads the row and finds its term replaced. A plain EXISTS
 * would keep the snapshot from before the wait and be accepted in a new term.
 */

/** What names a leadership in a write; `Leadership` fits. */
export interface FenceHolder {
  readonly term: number;
  readonly runId: string;
  /** Throws `leadership-lost` unless the trust window is open at this instant. */
  assertTrusted(): void;
  /** Called as a fenced write begins; what it answers is told whether the fence let the write through. For a history. */
  watchWrite?(): (accepted: boolean) => void;
}

/** Beginning of a fenced statement: $1 = term, $2 = run id. Other CTEs follow after a comma. */
export const FENCE_CTE =
  'WITH fence AS MATERIALIZED (SELECT 1 FROM leader_term WHERE term = $1::bigint AND run_id = $2::uuid FOR SHARE)';

/**
 * Limits of a fenced transaction: it holds the fence's row lock, so it must end well before a candidate loses patience
 * (a take-over blocked twice for 300 ms terminates the blocking backends).
 */
export const LEADER_LIMITS: TransactionLimits = { lockTimeoutMs: 300, statementTimeoutMs: 1000, idleTimeoutMs: 1000 };

const TAKE_FENCE = 'SELECT 1 AS held FROM leader_term WHERE term = $1::bigint AND run_id = $2::uuid FOR SHARE';

const COUNT_CHANGES =
  ' SELECT (SELECT count(*) FROM fence)::int AS held, (SELECT count(*) FROM changed)::int AS changed';

const heldRow = z.object({ held: z.number() });
const countsRow = z.object({ held: z.number(), changed: z.number() });

/** The error of a write whose term is not the current one any more. */
function leadershipLost(holder: { readonly term: number }): IsgError {
  return new IsgError(
    'leadership-lost',
    `Another node leads: the write of term ${holder.term} changed nothing. This node stops its leader work.`,
    // Transient like every loss of leadership: it says nothing against the file or record the write was about.
    { retry: 'transient', fields: { term: holder.term } },
  );
}

/**
 * Runs one fenced statement and answers how many rows its CTE `changed` returned. `changes` continues after `FENCE_CTE`
 * (so it begins with a comma), defines a CTE `changed` whose writes are joined to `fence`, and uses parameters from $3:
 * `, changed AS (UPDATE storage_root SET … FROM fence WHERE storage_id = $3 RETURNING 1)`.
 * Throws `leadership-lost` when the term is not the current one (nothing was written then): zero rows changed under a held
 * fence is an answer, not an error. `assertTrusted` is called synchronously before the statement is sent.
 */
export async function fencedExecute(
  sql: Sql,
  holder: FenceHolder,
  changes: string,
  values: readonly unknown[],
): Promise<number> {
  holder.assertTrusted();
  const watcher = holder.watchWrite?.();
  const rows = await sql.query(
    `${FENCE_CTE}${changes}${COUNT_CHANGES}`,
    [holder.term, holder.runId, ...values],
    countsRow,
  );
  const counts = rows[0];
  const isHeld = counts !== undefined && counts.held > 0;
  watcher?.(isHeld);
  if (!isHeld) throw leadershipLost(holder);
  return counts.changed;
}

/**
 * Runs `work` in a transaction that holds the fence from its first statement to its commit. Throws `leadership-lost`
 * before `work` begins when the term is not the current one. Pass `LEADER_LIMITS` unless there is a reason.
 */
export function withLeaderFence<T>(
  database: Database,
  holder: FenceHolder,
  limits: TransactionLimits,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  holder.assertTrusted();
  const watcher = holder.watchWrite?.();
  const written = database.transaction(async (sql) => {
    const held = await sql.query(TAKE_FENCE, [holder.term, holder.runId], heldRow);
    if (held.length > 0) return work(sql);
    watcher?.(false);
    throw leadershipLost(holder);
  }, limits);
  if (!watcher) return written;
  return written.then((value) => {
    watcher(true);
    return value;
  });
}
