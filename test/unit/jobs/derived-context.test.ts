import { describe, expect, it } from 'vitest';
import { derivedContext } from '../../../agent/jobs/derived-context.ts';
import type { JobContext } from '../../../agent/jobs/job-handler.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { claimedJob } from './claimed-job.ts';

/** As the runner's: signal and log are getters of the class. */
class RunningContext implements JobContext<string> {
  readonly job = claimedJob();
  readonly payload = 'original';
  readonly saved: unknown[] = [];
  readonly #life = new AbortController();
  get signal() {
    return this.#life.signal;
  }
  get log() {
    return silentLogger;
  }
  progress(): void {}
  async saveCheckpoint(value: unknown): Promise<void> {
    this.saved.push(value);
  }
  async confirmLease(): Promise<void> {}
  abort(): void {
    this.#life.abort();
  }
}

describe('a derived context', () => {
  it('has the signal and the log of the running job', () => {
    const context = new RunningContext();
    const derived = derivedContext(context, { payload: 5 });
    expect(derived.log).toBe(silentLogger);
    context.abort();
    expect(derived.signal.aborted).toBe(true);
    expect(derived.payload).toBe(5);
  });

  it('names the lease token that the job has now, also with a checkpoint of its own', () => {
    const context = new RunningContext();
    let checkpoint: unknown = 'first';
    const derived = derivedContext(context, { payload: 5, checkpoint: () => checkpoint });
    context.job.leaseToken = 'taken back';
    checkpoint = 'second';
    expect({ ...derived.job }).toMatchObject({ leaseToken: 'taken back', checkpoint: 'second' });
    expect(context.job.checkpoint).not.toBe('second');
  });

  it('saves to the running job unless told otherwise', async () => {
    const context = new RunningContext();
    await derivedContext(context, { payload: 5 }).saveCheckpoint('there');
    await derivedContext(context, { payload: 5, saveCheckpoint: async () => {} }).saveCheckpoint('elsewhere');
    expect(context.saved).toEqual(['there']);
  });
});
