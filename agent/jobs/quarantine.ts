import type { Role } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError, type ErrorRecord } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { JobHandler, JobOutcome } from './job-handler.ts';
import type { Allowance } from './lane.ts';
import {
  nextQuarantine,
  type QuarantineEvent,
  type QuarantineState,
  type Trouble,
  WORKING,
} from './quarantine-state.ts';
import type { StopReason } from './running-job.ts';

/**
 * Errors that speak against the machine rather than the file. Not those of iconik and the database, which have health
 * checks of their own and would send every node to rest at once.
 */
const MACHINE_CODES: ReadonlySet<string> = new Set([
  'disk-full',
  'ffmpeg-failed',
  'storage-unavailable',
  'storage-hung',
  'file-unreadable',
  'unexpected',
]);

// What trying again cannot help is about the file: a folder of files without rights is no reason to rest. But for ffmpeg,
// whose absence is the machine's, however it is called.
function isMachineTrouble({ code, retry }: ErrorRecord): boolean {
  return code === 'ffmpeg-missing' || (retry === 'transient' && MACHINE_CODES.has(code));
}

/** A self-test that takes longer has failed, milliseconds. */
const TEST_MS = 60_000;

/** A role that this node does not take jobs of, as people are shown it. */
export interface QuarantinedRole extends Trouble {
  role: Role;
}

/** What a quarantine needs. */
export interface QuarantineOptions {
  handlers: readonly JobHandler[];
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** Keeps a node from eating the queue: a role that fails the same way again and again rests, is tested, and comes back. */
export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #states = new Map<Role, QuarantineState>();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** How much of a role may be claimed now; starts a self-test whose time has come. */
  allowance(role: Role): Allowance {
    const tests = this.#testsOf(role);
    const before = this.#stateOf(role).state;
    const { state } = this.#apply(role, {
      kind: 'tick',
      nowMs: this.#options.clock.monotonicMs(),
      hasSelfTest: tests.length > 0,
    });
    if (state === 'testing' && before !== 'testing') void this.#test(role, tests);
    if (state === 'working') return 'all';
    return state === 'probing' ? 'one' : 'none';
  }

  /** Takes note of how a job ended. */
  ended(job: { jobId: string; role: Role }, outcome: JobOutcome, stopped: StopReason | null): void {
    if (outcome.kind === 'done') this.#apply(job.role, { kind: 'job-done' });
    if (outcome.kind !== 'retry' && outcome.kind !== 'failed') return;
    const { code, message } = outcome.error;
    const counts = stopped === null ? isMachineTrouble(outcome.error) : stopped === 'stalled';
    if (!counts) return;
    const { clock, random } = this.#options;
    const at = { nowMs: clock.monotonicMs(), wallMs: clock.wallMs(), chance: random() };
    this.#apply(job.role, { kind: 'job-failed', jobId: job.jobId, code, message, ...at });
  }

  /** Roles that are not fully at work. */
  view(): QuarantinedRole[] {
    return [...this.#states].flatMap(([role, state]) =>
      state.state === 'working' ? [] : [{ role, ...state.trouble }],
    );
  }

  #testsOf(role: Role): JobHandler[] {
    return this.#options.handlers.filter((handler) => handler.role === role && handler.selfTest !== undefined);
  }

  async #test(role: Role, tests: readonly JobHandler[]): Promise<void> {
    const { clock, random } = this.#options;
    try {
      for (const handler of tests) await withDeadline((signal) => handler.selfTest?.(signal));
      this.#apply(role, { kind: 'test-passed' });
    } catch (thrown) {
      const { message } = coerceError(thrown);
      this.#apply(role, { kind: 'test-failed', message, nowMs: clock.monotonicMs(), chance: random() });
    }
  }

  #stateOf(role: Role): QuarantineState {
    return this.#states.get(role) ?? WORKING;
  }

  #apply(role: Role, event: QuarantineEvent): QuarantineState {
    const before = this.#stateOf(role);
    const after = nextQuarantine(before, event);
    this.#states.set(role, after);
    if (before.state !== after.state) this.#say(role, before.state, after);
    return after;
  }

  #say(role: Role, from: QuarantineState['state'], after: QuarantineState): void {
    const { log } = this.#options;
    const fields = { role, from, to: after.state };
    if (after.state === 'working') log.info(`This node takes ${role} jobs again`, fields);
    else if (after.state === 'resting') {
      const { code, message } = after.trouble;
      log.error(`This node takes no ${role} jobs for now: they keep failing the same way`, {
        ...fields,
        code,
        message,
      });
    } else log.info(`This node tries whether it can do ${role} jobs again`, fields);
  }
}

async function withDeadline(work: (signal: AbortSignal) => Promise<void> | undefined): Promise<void> {
  const signal = AbortSignal.timeout(TEST_MS);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  await Promise.race([work(signal), late]);
}
