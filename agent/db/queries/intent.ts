import { z } from 'zod';
import type { Fence } from '../../iconik/creation/create-once.ts';
import type { BeginOutcome, IntentAttempt, IntentStore } from '../../iconik/creation/intent-store.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import { FENCE_CTE } from './fence.ts';

/**
 * Statements on `intent` and `intent_stray`. Each runs by itself (autocommit), so it suits pgBouncer in transaction mode,
 * and locks in one order only: fence row, then intent row. Why FOR SHARE does not deadlock with the renewal of jobs is in
 * iconik/creation/README.md.
 */

const LEASE_FENCE = `
  WITH fence AS MATERIALIZED (
    SELECT 1 FROM job WHERE job_id = $1::bigint AND lease_token = $2::bigint AND state = 'leased' FOR SHARE
  )`;

// The insert waits for a rival's row and then leaves it alone; whoever wrote nothing reads what its snapshot shows.
const BEGIN = `
  , begun AS (
    INSERT INTO intent AS i (kind, key, attempt, state, started_at, deadline_at)
    SELECT $3, $4, 1, 'open', now(), now() + $5::float8 * interval '1 millisecond'
    FROM fence
    WHERE NOT EXISTS (SELECT 1 FROM intent WHERE kind = $3 AND key = $4 AND state <> 'void')
    ON CONFLICT (kind, key) DO UPDATE
      SET attempt = i.attempt + 1, state = 'open', started_at = excluded.started_at, deadline_at = excluded.deadline_at
      WHERE i.state = 'void'
    RETURNING attempt
  )
  SELECT
    EXISTS (SELECT 1 FROM fence) AS fenced,
    (SELECT attempt FROM begun) AS begun_attempt,
    i.attempt, i.state, i.created_id, i.started_at,
    greatest(0, extract(epoch FROM i.deadline_at - now())::float8 * 1000 + $6::float8) AS settled_in_ms
  FROM (SELECT 1) AS one LEFT JOIN intent AS i ON i.kind = $3 AND i.key = $4`;

const BEGIN_AGAIN = `
  , begun AS (
    UPDATE intent AS i SET attempt = i.attempt + 1, deadline_at = now() + $5::float8 * interval '1 millisecond'
    FROM fence
    WHERE i.kind = $3 AND i.key = $4 AND i.attempt = $7::int AND i.state = 'open'
      AND now() > i.deadline_at + $6::float8 * interval '1 millisecond'
    RETURNING i.attempt
  )
  SELECT EXISTS (SELECT 1 FROM fence) AS fenced, (SELECT attempt FROM begun) AS begun_attempt`;

const BEGIN_AS = { leader: FENCE_CTE + BEGIN, lease: LEASE_FENCE + BEGIN } as const;
const BEGIN_AGAIN_AS = { leader: FENCE_CTE + BEGIN_AGAIN, lease: LEASE_FENCE + BEGIN_AGAIN } as const;

const RECORD = `
  UPDATE intent SET state = 'created', created_id = $4
  WHERE kind = $1 AND key = $2 AND attempt = $3::int AND state = 'open'`;

const ENDED = `
  UPDATE intent SET deadline_at = least(deadline_at, now())
  WHERE kind = $1 AND key = $2 AND attempt = $3::int AND state = 'open'`;

const REFUSED = `
  UPDATE intent SET state = 'void' WHERE kind = $1 AND key = $2 AND attempt = $3::int AND state = 'open'`;

const OWNER = `SELECT key FROM intent WHERE kind = $1 AND created_id = $2`;

const IS_TAKEN = `
  SELECT EXISTS (SELECT 1 FROM intent WHERE kind = $1 AND created_id = $2)
    OR EXISTS (SELECT 1 FROM intent_stray WHERE kind = $1 AND created_id = $2) AS taken`;

const NOTE_STRAY = `
  INSERT INTO intent_stray (kind, created_id, key)
  SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM intent WHERE kind = $1 AND created_id = $2)
  ON CONFLICT (kind, created_id) DO NOTHING`;

// A thing in use is no stray. Run after each write of either table, so that the later of two writers sees both.
const DROP_USED_STRAY = `
  DELETE FROM intent_stray AS s
  USING intent AS i
  WHERE s.kind = $1 AND s.created_id = $2 AND i.kind = s.kind AND i.created_id = s.created_id`;

const FORGET = `
  UPDATE intent SET state = 'void', created_id = NULL
  WHERE kind = $1 AND key = $2 AND created_id = $3 AND state = 'created'`;

const begunRow = z.object({ fenced: z.boolean(), begun_attempt: z.number().int().nullable() });
const beginRow = begunRow.extend({
  attempt: z.number().int().nullable(),
  state: z.enum(['open', 'created', 'void']).nullable(),
  created_id: z.string().nullable(),
  started_at: z.coerce.date().nullable(),
  settled_in_ms: z.number().nullable(),
});
const ownerRow = z.object({ key: z.string() });
const takenRow = z.object({ taken: z.boolean() });

function fenceValues(fence: Fence): [string, string] {
  return fence.kind === 'leader' ? [String(fence.term), fence.runId] : [fence.jobId, fence.leaseToken];
}

function outcomeOf(row: z.infer<typeof beginRow> | undefined): BeginOutcome {
  if (!row?.fenced) return { kind: 'fence-lost' };
  if (row.begun_attempt !== null) return { kind: 'begun', attempt: row.begun_attempt };
  if (row.created_id !== null) return { kind: 'known', createdId: row.created_id };
  const { attempt, state, started_at: startedAt, settled_in_ms: settledInMs } = row;
  if (state !== 'open' || attempt === null || startedAt === null || settledInMs === null) return { kind: 'changed' };
  return { kind: 'in-doubt', attempt, startedAt, settledInMs: Math.ceil(settledInMs) };
}

/** The intents of the cluster's database. */
export function createIntentStore(sql: Sql): IntentStore {
  const ownerOf = async (kind: string, createdId: string) =>
    (await sql.query(OWNER, [kind, createdId], ownerRow))[0]?.key ?? null;

  async function tryRecord(made: IntentAttempt & { createdId: string }): Promise<void> {
    try {
      await sql.execute(RECORD, [made.kind, made.key, made.attempt, made.createdId]);
    } catch (error) {
      // The unique index on (kind, created_id): who owns the id is read below. Anything else goes up.
      if (!(error instanceof IsgError) || (await ownerOf(made.kind, made.createdId)) === null) throw error;
    }
  }

  return {
    async begin({ kind, key, fence, deadlineMs, settleMs }) {
      const values = [...fenceValues(fence), kind, key, deadlineMs, settleMs];
      return outcomeOf((await sql.query(BEGIN_AS[fence.kind], values, beginRow))[0]);
    },
    async beginAgain({ kind, key, attempt, fence, deadlineMs, settleMs }) {
      const values = [...fenceValues(fence), kind, key, deadlineMs, settleMs, attempt];
      const row = (await sql.query(BEGIN_AGAIN_AS[fence.kind], values, begunRow))[0];
      if (!row?.fenced) return { kind: 'fence-lost' };
      return row.begun_attempt === null ? { kind: 'changed' } : { kind: 'begun', attempt: row.begun_attempt };
    },
    async record(made) {
      await tryRecord(made);
      const owner = await ownerOf(made.kind, made.createdId);
      if (owner === null) return 'superseded';
      await sql.execute(DROP_USED_STRAY, [made.kind, made.createdId]);
      return owner === made.key ? 'recorded' : 'taken';
    },
    async ended({ kind, key, attempt }) {
      await sql.execute(ENDED, [kind, key, attempt]);
    },
    async refused({ kind, key, attempt }) {
      await sql.execute(REFUSED, [kind, key, attempt]);
    },
    async isTaken({ kind, createdId }) {
      return (await sql.query(IS_TAKEN, [kind, createdId], takenRow))[0]?.taken ?? false;
    },
    async noteStray({ kind, key, createdId }) {
      await sql.execute(NOTE_STRAY, [kind, createdId, key]);
      await sql.execute(DROP_USED_STRAY, [kind, createdId]);
    },
    async forget({ kind, key, createdId }) {
      return (await sql.execute(FORGET, [kind, key, createdId])) > 0;
    },
  };
}
