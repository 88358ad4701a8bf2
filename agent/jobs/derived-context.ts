import type { JobContext, LeasedJob } from './job-handler.ts';

/** What a derived context has instead of the original's. */
export interface Replaced<Payload> {
  payload: Payload;
  /** What `job.checkpoint` answers each time. */
  checkpoint?: () => unknown;
  progress?: JobContext<Payload>['progress'];
  saveCheckpoint?: JobContext<Payload>['saveCheckpoint'];
}

/**
 * A job's context with parts of it replaced, for a handler that does its work through another. Never `{ ...context }`: signal
 * and log of a running job are getters of its class, which a spread leaves out. The job stays the running one: its lease
 * token changes when a lost lease is taken back.
 */
export function derivedContext<Payload>(
  context: JobContext<unknown>,
  replaced: Replaced<Payload>,
): JobContext<Payload> {
  const { checkpoint } = replaced;
  return {
    get signal() {
      return context.signal;
    },
    get log() {
      return context.log;
    },
    payload: replaced.payload,
    job: checkpoint === undefined ? context.job : withCheckpoint(context.job, checkpoint),
    progress: replaced.progress ?? ((fraction, note) => context.progress(fraction, note)),
    saveCheckpoint: replaced.saveCheckpoint ?? ((value) => context.saveCheckpoint(value)),
    confirmLease: () => context.confirmLease(),
  };
}

function withCheckpoint(job: LeasedJob, checkpoint: () => unknown): LeasedJob {
  return new Proxy(job, {
    get: (target, key) => (key === 'checkpoint' ? checkpoint() : Reflect.get(target, key)),
  });
}
