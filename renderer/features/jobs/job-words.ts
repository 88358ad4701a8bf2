import type { JobRow, JobState, NodeSnapshot } from '../../../agent/contract/index.ts';
import { formatPercent, formatRelative, plural } from '../../ui/format.ts';

// Words of the jobs screen. Pure.

const STATE_WORDS: Record<JobState, string> = {
  queued: 'Queued',
  leased: 'Running',
  done: 'Finished',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

const KIND_WORDS: Record<string, string> = {
  checksum: 'Checksum',
  verify: 'Verification',
  transcode: 'Transcode',
  upload: 'Upload',
  download: 'Download',
  delete: 'Deletion',
};

const HOUR_MS = 3_600_000;

/** States in the order of a job's life. */
export const JOB_STATES: readonly JobState[] = ['queued', 'leased', 'done', 'failed', 'cancelled'];

/** A job's state in a word. A running job whose cancellation is under way is still running. */
export function stateWord(state: JobState): string {
  return STATE_WORDS[state];
}

/** A job's kind in a word; kinds this version does not know keep their own name. */
export function kindWord(kind: string): string {
  return KIND_WORDS[kind] ?? kind.replaceAll('-', ' ').replace(/^./, (first) => first.toUpperCase());
}

/** Whether the job can still be cancelled. */
export function canCancel(job: Pick<JobRow, 'state'>): boolean {
  return job.state === 'queued' || job.state === 'leased';
}

/** Whether the job can be queued again. */
export function canRetry(job: Pick<JobRow, 'state'>): boolean {
  return job.state === 'failed' || job.state === 'cancelled';
}

/** Whether a change of priority still has a meaning: the job is not over. */
export function canPrioritise(job: Pick<JobRow, 'state'>): boolean {
  return canCancel(job);
}

/** What cancelling does to the work, said before it is done. */
export function cancelConsequence(job: JobRow): string {
  const what = job.subject === '' ? 'The job' : `“${job.subject}”`;
  if (job.state === 'queued') {
    return `${what} is taken out of the queue before it starts. It can be queued again later with Retry.`;
  }
  const where = job.nodeName === null ? 'The node that runs it' : `Node ${job.nodeName}`;
  const done = job.progress > 0 ? ` The ${formatPercent(job.progress)} done so far is discarded.` : '';
  return `${where} stops working on ${job.subject === '' ? 'the job' : what}.${done} It can be queued again later with Retry.`;
}

/**
 * The screen's first sentence: what runs here, what waits in the cluster, and the newest failure of the last hour.
 * `nowMs` and the failure's time are by this machine's clock.
 */
export function jobsSentence(snapshot: NodeSnapshot, nowMs: number): string {
  const queued = snapshot.roles.reduce((sum, { queued }) => sum + queued, 0);
  const running = snapshot.running.length;
  const runs =
    running === 0 ? 'Nothing runs on this node.' : `${plural(running, 'job runs', 'jobs run')} on this node.`;
  const waits =
    queued === 0 ? 'Nothing waits in the queue.' : `${plural(queued, 'job waits', 'jobs wait')} in the queue.`;
  const failures = snapshot.roles.flatMap(({ lastFailure }) => (lastFailure ? [lastFailure] : []));
  const newest = failures.toSorted((a, b) => b.atMs - a.atMs)[0];
  if (!newest || nowMs - newest.atMs > HOUR_MS) return `${runs} ${waits}`;
  return `${runs} ${waits} The last failure: ${kindWord(newest.kind).toLowerCase()}, ${formatRelative(newest.atMs, nowMs)}.`;
}
