import type { LeaseEnd } from '../contract/index.ts';
import { backoffMs } from '../runtime/backoff.ts';
import { coerceError, errorRecord, IsgError } from '../runtime/errors.ts';
import type { JobHandler, JobOutcome } from './job-handler.ts';
import type { ClaimedJob } from './job-store.ts';

/** Waits between tries of a job that failed transiently. */
const RETRY_SHAPE = { baseMs: 2_000, capMs: 5 * 60_000 };

/** Why a running job's signal fired; decides what happens to the lease. */
export type StopReason = 'lease-lost' | 'cancelled' | 'stalled' | 'stopping' | 'leadership-ended';

const STOP_WORDS: Record<StopReason, string> = {
  'lease-lost': 'The lease of this job went to another node; this run of it stops without a result.',
  cancelled: 'The job was cancelled.',
  stalled: 'The job showed no sign of life within its stall window and was stopped; it will be tried again.',
  stopping: 'The node is stopping; the job goes back to the queue.',
  'leadership-ended': 'This node leads no longer; the job goes back to the queue.',
};

/** The error that a job's signal carries. */
export function stopError(reason: StopReason): IsgError {
  const code = reason === 'cancelled' ? 'cancelled' : reason === 'lease-lost' ? 'lease-lost' : 'stopped';
  return new IsgError(code, STOP_WORDS[reason], { retry: 'transient', fields: { reason } });
}

/** Runs a handler on a claimed job; whatever is thrown becomes an outcome. */
export async function outcomeOf(
  handler: JobHandler,
  claimed: ClaimedJob,
  run: (payload: unknown) => Promise<JobOutcome>,
): Promise<JobOutcome> {
  const payload = handler.payload.safeParse(claimed.payload);
  if (!payload.success) {
    const where = payload.error.issues
      .map((issue) => `${issue.path.join('.') || '(payload)'}: ${issue.message}`)
      .join('; ');
    return {
      kind: 'failed',
      error: {
        code: 'job-payload-invalid',
        retry: 'permanent',
        message: `The job's data does not fit its kind "${claimed.kind}" (${where}). It was not run; it needs a node of the version that made it, or to be ordered again.`,
      },
    };
  }
  try {
    return await run(payload.data);
  } catch (thrown) {
    return outcomeOfThrown(thrown);
  }
}

function outcomeOfThrown(thrown: unknown): JobOutcome {
  const error = coerceError(thrown);
  if (error.code === 'creation-in-doubt') {
    const afterMs = Number(error.fields.retryAfterMs ?? 1_000);
    return { kind: 'snooze', afterMs, why: error.message };
  }
  return error.retry === 'transient'
    ? { kind: 'retry', error: errorRecord(error) }
    : { kind: 'failed', error: errorRecord(error) };
}

/** What the database refuses a statement for speaks against the statement, its tables or the login; not against the job. */
const NOT_THE_JOBS = 'database-refused';

/**
 * How the lease ends for an outcome (pure but for `random`). A stop of the node or of the leadership gives the attempt
 * back; a transient error beyond `maxAttempts` becomes a dead letter. So does a refusal of the database, though it says
 * of itself that trying again is no use: a newer node may just have changed the tables, and does the job itself.
 */
export function leaseEndOf(
  outcome: JobOutcome,
  job: { attempts: number; maxAttempts: number; stopped: StopReason | null },
  random: () => number,
): LeaseEnd {
  if (outcome.kind === 'done') return { state: 'done', result: outcome.result };
  if (job.stopped === 'cancelled' || outcome.kind === 'cancelled') return { state: 'cancelled' };
  if (job.stopped === 'stopping' || job.stopped === 'leadership-ended') {
    return { state: 'queued', afterMs: 0, error: null, refund: true };
  }
  if (outcome.kind === 'failed' && outcome.error.code !== NOT_THE_JOBS)
    return { state: 'failed', error: outcome.error };
  if (outcome.kind === 'snooze')
    return { state: 'queued', afterMs: outcome.afterMs, error: { why: outcome.why }, refund: true };
  if (job.attempts >= job.maxAttempts) return { state: 'failed', error: outcome.error };
  const wantedMs = outcome.kind === 'retry' ? outcome.afterMs : undefined;
  const afterMs = wantedMs ?? backoffMs(job.attempts, RETRY_SHAPE, random);
  return { state: 'queued', afterMs, error: outcome.error, refund: false };
}

/** SQLSTATEs of class 42: a column, table or function that is not there, or that this user may not use. */
const isAboutTables = ({ fields: { sqlState } }: IsgError): boolean =>
  typeof sqlState === 'string' && sqlState.startsWith('42');

/**
 * What takes the place of an end that the database refuses for good. Back to the queue stays that, later and at the cost of
 * the attempt, as long as there are attempts, and so does an end that fits the tables no more; anything else becomes a failure. Pure.
 */
export function refusedEnd(
  end: LeaseEnd,
  refusal: IsgError,
  job: Pick<ClaimedJob, 'attempts' | 'maxAttempts'>,
): LeaseEnd {
  const error = errorRecord(refusal);
  const goesBack = end.state === 'queued' || isAboutTables(refusal);
  if (!goesBack || job.attempts >= job.maxAttempts) return { state: 'failed', error };
  return { state: 'queued', afterMs: backoffMs(job.attempts, RETRY_SHAPE, () => 1), error, refund: false };
}
