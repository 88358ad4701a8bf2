import type { IconikStep } from '../../../db/queries/job-origin.ts';
import type { CallLimits, IconikApi, JobStepPatch } from '../../../iconik/api.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { FailureLog } from './failure-log.ts';

/** Jobs whose steps are remembered. */
const REMEMBERED = 1000;
/** A step that has ended keeps its end. */
const ENDED = new Set(['DONE', 'FAILED', 'SKIPPED']);

/**
 * Steps of iconik's jobs. A courtesy to users: what iconik refuses for good is logged once and left, so that it holds up
 * neither progress nor the end of a job. One instance per leadership.
 */
export class IconikSteps {
  readonly #jobs: IconikApi['jobs'];
  readonly #failures: FailureLog;
  readonly #asked = new Map<string, IconikStep[]>();

  constructor(jobs: IconikApi['jobs'], failures: FailureLog) {
    this.#jobs = jobs;
    this.#failures = failures;
  }

  /** The open steps of a job whose order names none; asked of iconik once. Throws what may help to repeat. */
  async ask(iconikJobId: string, limits: CallLimits): Promise<IconikStep[]> {
    const known = this.#asked.get(iconikJobId);
    if (known) return known;
    let steps: IconikStep[] = [];
    await this.#try(async () => {
      const all = await this.#jobs.steps(iconikJobId, limits);
      steps = all.filter(({ status }) => !ENDED.has(status ?? '')).map(({ id, label }) => ({ id, label }));
    });
    this.#asked.set(iconikJobId, steps);
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > REMEMBERED && oldest !== undefined) this.#asked.delete(oldest);
    return steps;
  }

  /** Sends changes of steps. Throws what may help to repeat. */
  async send(iconikJobId: string, steps: readonly JobStepPatch[], limits: CallLimits): Promise<void> {
    if (steps.length > 0) await this.#try(() => this.#jobs.patchSteps(iconikJobId, steps, limits));
  }

  async #try(call: () => Promise<void>): Promise<void> {
    try {
      await call();
      this.#failures.worked('steps');
    } catch (thrown) {
      if (coerceError(thrown).retry === 'transient') throw thrown;
      this.#failures.failed('steps', 'Steps of a job cannot be told to iconik; its status is', thrown);
    }
  }
}
