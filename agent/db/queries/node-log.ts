import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import { type FenceHolder, fencedExecute } from './fence.ts';

// The log of all nodes (agent/cluster/log-shipping/README.md). Every statement is a transaction of its own.

/** Who asks to ship an outbox. */
export interface OutboxClaim {
  outboxId: string;
  workerId: string;
  node: string;
  /** The word under which this outbox was confirmed last; null = never. */
  holder: string | null;
  /** The word to be confirmed under from now on. */
  nextHolder: string;
  /** Everything up to here was shipped, as far as this node knows. */
  shippedSeq: number;
  /** The last record that the file had when this node opened it: nobody can have shipped more of it. */
  lastSeq: number;
}

const watermarkRow = z.object({ watermark: z.coerce.number() });
const standingRow = z.object({ watermark: z.coerce.number(), holder: z.string() });
const movedRow = z.object({ moved: z.number() });

const CLAIM = `
INSERT INTO log_outbox (outbox_id, worker_id, node, holder, watermark)
VALUES ($1::uuid, $2, $3, $5::uuid, $6::bigint)
ON CONFLICT (outbox_id) DO UPDATE SET worker_id = excluded.worker_id, node = excluded.node, holder = excluded.holder
WHERE log_outbox.holder IN ($4::uuid, $5::uuid) AND log_outbox.watermark <= $7::bigint
RETURNING watermark`;

/**
 * Makes this node the one that ships the outbox. Answers the watermark; null when another file ships under this outbox, or
 * when more of it was shipped than the node's file has, which was rolled back then.
 */
export async function claimOutbox(sql: Sql, claim: OutboxClaim): Promise<number | null> {
  const { outboxId, workerId, node, holder, nextHolder, shippedSeq, lastSeq } = claim;
  const values = [outboxId, workerId, node, holder ?? nextHolder, nextHolder, shippedSeq, lastSeq];
  const [row] = await sql.query(CLAIM, values, watermarkRow);
  return row?.watermark ?? null;
}

/** How an outbox stands; null when the database does not know it. */
export async function readOutbox(sql: Sql, outboxId: string): Promise<{ watermark: number; holder: string } | null> {
  const text = 'SELECT watermark, holder FROM log_outbox WHERE outbox_id = $1::uuid';
  const [row] = await sql.query(text, [outboxId], standingRow);
  return row ?? null;
}

/** A record on its way into `node_log`. */
export interface ShippedRecord {
  seq: number;
  atMs: number;
  /** 0 debug to 3 error. */
  level: number;
  message: string;
  role: string | null;
  job: string | null;
  storage: string | null;
  term: number | null;
  /** JSON of an object. */
  fields: string;
}

/** Under which guard records are shipped. */
export interface ShippingGuard {
  outboxId: string;
  holder: string;
  /** The watermark as this node knows it. */
  watermark: number;
}

// Records and watermark move together or not at all. A statement whose answer was lost may still take effect: the next one
// then waits for its row lock, finds another watermark and moves nothing.
const ship = (atTwice: string) => `
WITH moved AS (
  UPDATE log_outbox SET watermark = $4::bigint, shipped_at = now()
  WHERE outbox_id = $1::uuid AND holder = $2::uuid AND watermark = $3::bigint RETURNING outbox_id
), added AS (
  INSERT INTO node_log (outbox_id, seq, at, level, message, role, job_id, storage_id, term, fields)
  SELECT moved.outbox_id, seq, to_timestamp(at_ms / 1000.0), level, message, role, job, storage, term, fields::jsonb
  FROM moved, unnest($5::bigint[], $6::float8[], $7::smallint[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::bigint[], $13::text[]) AS r (seq, at_ms, level, message, role, job, storage, term, fields)
  ${atTwice}
)
SELECT count(*)::int AS moved FROM moved`;
const SHIP = ship('');
// A third dearer: only for what cannot be, a record that is there although the watermark says otherwise.
const SHIP_AGAIN = ship('ON CONFLICT DO NOTHING');
const UNIQUE_VIOLATION = '23505';

/**
 * Adds records, oldest first, and moves the watermark to the last of them. False: nothing was done, because the watermark or
 * the holder is another one; look with `readOutbox`. When it throws, the outcome may be unknown: look, too.
 */
export async function shipRecords(sql: Sql, guard: ShippingGuard, records: readonly ShippedRecord[]): Promise<boolean> {
  const last = records.at(-1);
  if (!last) return true;
  const values = [
    guard.outboxId,
    guard.holder,
    guard.watermark,
    last.seq,
    records.map(({ seq }) => seq),
    records.map(({ atMs }) => atMs),
    records.map(({ level }) => level),
    records.map(({ message }) => message),
    records.map(({ role }) => role),
    records.map(({ job }) => job),
    records.map(({ storage }) => storage),
    records.map(({ term }) => term),
    records.map(({ fields }) => fields),
  ];
  const [row] = await sql.query(SHIP, values, movedRow).catch((thrown: unknown) => {
    if (!(thrown instanceof IsgError) || thrown.fields.sqlState !== UNIQUE_VIOLATION) throw thrown;
    return sql.query(SHIP_AGAIN, values, movedRow);
  });
  return (row?.moved ?? 0) > 0;
}

// Read by age of arrival: the clocks of the nodes are labels.
const DELETE_OLD = `
, old AS (
  SELECT outbox_id, seq FROM node_log WHERE received_at < now() - make_interval(days => $3) ORDER BY received_at LIMIT $4
), changed AS (
  DELETE FROM node_log USING fence, old WHERE node_log.outbox_id = old.outbox_id AND node_log.seq = old.seq RETURNING 1
)`;

/** Deletes at most `batch` records that arrived more than `days` ago; answers how many. Throws `leadership-lost`. */
export function deleteOldLog(sql: Sql, holder: FenceHolder, days: number, batch: number): Promise<number> {
  return fencedExecute(sql, holder, DELETE_OLD, [days, batch]);
}
