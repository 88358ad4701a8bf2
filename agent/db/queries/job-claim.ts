import { z } from 'zod';
import {
  type ClaimReach,
  type EndedLease,
  type EndVerdict,
  type JobOrigin,
  jobOriginSchema,
  type LaneDemand,
  type Lease,
  roleSchema,
} from '../../contract/index.ts';
import type { Sql } from '../../runtime/sql.ts';
import { storableOrNull, storableWaitMs } from './job-storable.ts';

// One statement, hence one round trip and one commit, for everything that a node's slots want of the queue at an instant:
// it ends the leases of the jobs that are over and leases new ones for the slots that this frees.

const claimedRow = z.object({
  what: z.literal('claimed'),
  job_id: z.string(),
  lease_token: z.string(),
  role: roleSchema,
  kind: z.string(),
  profile: z.string(),
  storage_id: z.string().nullable(),
  payload: z.unknown(),
  attempts: z.number(),
  checkpoint: z.unknown(),
  origin_kind: jobOriginSchema.shape.kind.nullable(),
  origin_record_id: z.string().nullable(),
  origin_storage_id: z.string().nullable(),
  origin_iconik_job_id: z.string().nullable(),
  max_attempts: z.number(),
});
/** A claimed row as the store maps it. */
export type ClaimedRow = z.infer<typeof claimedRow>;
/** All ids of one verdict, with commas between them. */
const verdictRow = z.object({ what: z.enum(['ended', 'lost']), job_id: z.string() });
// Only what is needed to give a job back: the row of a newer version must not hide the others.
const unfitRowShape = z.looseObject({
  what: z.literal('claimed'),
  job_id: z.string(),
  lease_token: z.string(),
  role: z.string(),
  kind: z.string(),
});
// A row that fits is parsed once.
const exchangeRow = z.union([
  claimedRow,
  verdictRow,
  unfitRowShape.transform((row) => ({ what: 'unfit' as const, row })),
]);

// The function stands in migration 000005.
const EXCHANGE = `SELECT * FROM job_exchange_2($1, $2, $3, $4, $5::bigint[], $6::bigint[], $7::text[], $8::jsonb[], $9::jsonb[],
  $10::float8[], $11::boolean[], $12::jsonb, $13::text[], $14)`;

/** What a node wants of the queue at an instant. */
export interface ExchangeRequest extends ClaimReach {
  /** Leases to end, at most one per job. */
  ends: readonly EndedLease[];
  lanes: readonly LaneDemand[];
  runId: string;
  workerId: string;
}

/** A leased job whose row does not fit this version. */
export interface UnfitRow extends Lease {
  role: string;
  kind: string;
  reason: string;
}

/** What it got: verdicts by job id. */
export interface ExchangeAnswer {
  claimed: ClaimedRow[];
  unfit: UnfitRow[];
  verdicts: Map<string, EndVerdict>;
}

// Arrays and no JSON: the server takes them apart ten times faster. Written out here: pg would quote every number.
const plainArray = (values: readonly (string | number | boolean)[]): string => `{${values.join(',')}}`;
const jsonArray = (values: readonly (string | null)[]): string =>
  `{${values.map((json) => (json === null ? 'NULL' : `"${json.replace(/[\\"]/g, '\\$&')}"`)).join(',')}}`;

const endColumns = (ends: readonly EndedLease[]) => [
  plainArray(ends.map(({ lease }) => lease.jobId)),
  plainArray(ends.map(({ lease }) => lease.leaseToken)),
  plainArray(ends.map(({ end }) => end.state)),
  jsonArray(ends.map(({ end }) => (end.state === 'done' ? storableOrNull(end.result) : null))),
  jsonArray(
    ends.map(({ end }) => (end.state === 'failed' || end.state === 'queued' ? storableOrNull(end.error) : null)),
  ),
  plainArray(ends.map(({ end }) => (end.state === 'queued' ? storableWaitMs(end.afterMs) : 0))),
  plainArray(ends.map(({ end }) => end.state === 'queued' && end.refund)),
];

const laneRecord = ({ role, kinds, slots, takenByProfile, most }: LaneDemand) => ({
  role,
  kinds,
  slots,
  taken: takenByProfile ?? null,
  most: most ?? null,
});

/**
 * Ends leases and leases up to `slots` jobs per lane, best priority first, oldest first, in one atomic statement. May be
 * repeated when its answer got lost: what it ended counts as ended; what it leased is found by `freeStrayJobs`.
 */
export async function exchangeJobs(sql: Sql, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { ends, lanes, runId, workerId, term } = request;
  const values = [
    term,
    runId,
    workerId,
    request.visibilityTimeoutS,
    ...endColumns(ends),
    JSON.stringify(lanes.map(laneRecord)),
    ['', ...request.storageIds],
    request.priorityOrder === 'smaller-first',
  ];
  const rows = await sql.query(EXCHANGE, values, exchangeRow);
  const answer: ExchangeAnswer = { claimed: [], unfit: [], verdicts: new Map() };
  for (const row of rows) {
    if (row.what === 'claimed') answer.claimed.push(row);
    else if (row.what === 'unfit') answer.unfit.push(unfitRow(row.row));
    else for (const jobId of row.job_id.split(',')) answer.verdicts.set(jobId, row.what);
  }
  return answer;
}

function unfitRow(row: z.infer<typeof unfitRowShape>): UnfitRow {
  const issues = claimedRow.safeParse(row).error?.issues ?? [];
  const reason = issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { jobId: row.job_id, leaseToken: row.lease_token, role: row.role, kind: row.kind, reason };
}

/** The origin of a claimed row, if it has one. */
export function originOf(row: ClaimedRow): JobOrigin | null {
  if (!row.origin_kind || !row.origin_record_id || !row.origin_storage_id) return null;
  return {
    kind: row.origin_kind,
    recordId: row.origin_record_id,
    storageId: row.origin_storage_id,
    iconikJobId: row.origin_iconik_job_id,
  };
}
