import type { JobContext, JobOutcome } from '../../../agent/jobs/job-handler.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { KillSwitch } from './kill-switch.ts';

/** What outlives a run of a job: its checkpoint and its lease. */
export interface JobMemory {
  jobId: string;
  leaseToken: string;
  checkpoint: unknown;
  confirmations: number;
  /** Attempts begun. */
  attempts?: number;
}

/** A context as the runner gives it, for one run. */
export function jobContext<Payload>(options: {
  payload: Payload;
  memory: JobMemory;
  kind: string;
  killSwitch?: KillSwitch;
  signal?: AbortSignal;
}): JobContext<Payload> {
  const { payload, memory, kind, killSwitch } = options;
  const external = killSwitch
    ? <T>(effect: () => Promise<T>) => killSwitch.call(effect)
    : <T>(effect: () => Promise<T>) => effect();
  return {
    job: {
      jobId: memory.jobId,
      leaseToken: memory.leaseToken,
      role: 'TRANSFER',
      kind,
      storageId: null,
      payload,
      attempts: memory.attempts ?? 1,
      checkpoint: structuredClone(memory.checkpoint),
      origin: null,
    },
    payload,
    log: silentLogger,
    signal: options.signal ?? killSwitch?.signal ?? new AbortController().signal,
    progress: () => undefined,
    saveCheckpoint: (value) =>
      external(async () => {
        memory.checkpoint = JSON.parse(JSON.stringify(value));
      }),
    confirmLease: () =>
      external(async () => {
        memory.confirmations += 1;
      }),
  };
}

/** The outcome of a run, a throw being what the runner makes of it. */
export async function settle(run: Promise<JobOutcome>): Promise<JobOutcome | { kind: 'thrown'; thrown: unknown }> {
  try {
    return await run;
  } catch (thrown) {
    return { kind: 'thrown', thrown };
  }
}
