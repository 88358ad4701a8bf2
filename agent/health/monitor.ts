import type { CheckResult } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { failing, type HealthCheck } from './health-check.ts';
import { type CheckAnswer, type CheckState, nextCheck } from './hysteresis-state.ts';

/** Two failures in a row, so that one lost packet deposes no leader; two successes, so that a flapping mount gets none. */
const HYSTERESIS = { toFail: 2, toRecover: 2 };

/** What a monitor needs. */
export interface HealthMonitorOptions {
  /** The checks wanted now; read before each round, so that storages come and go. */
  checks: () => readonly HealthCheck[];
  clock: Clock;
  log: Logger;
  /** Told when a verdict changed. */
  onChange(result: CheckResult): void;
}

/** Asks all checks continuously, each at its own pace; a slow one delays no other. */
export class HealthMonitor implements Service {
  readonly #options: HealthMonitorOptions;
  readonly #life = new AbortController();
  readonly #states = new Map<string, CheckState>();
  readonly #asking = new Set<string>();
  /** Checks that are being asked and have not answered in time. */
  readonly #overdue = new Set<string>();
  readonly #nextMs = new Map<string, number>();
  #loop: Promise<void> | null = null;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  /** Verdicts of all wanted checks; one never answered is `unknown`. */
  results(): CheckResult[] {
    return this.#options.checks().map(({ name }) => this.verdict(name));
  }

  /** Verdict of one check. */
  verdict(name: string): CheckResult {
    const state = this.#states.get(name);
    return state?.verdict ?? { check: name, status: 'unknown', reason: 'Not checked yet.', remedy: '' };
  }

  async #run(): Promise<void> {
    const { clock, checks } = this.#options;
    while (!this.#life.signal.aborted) {
      const nowMs = clock.monotonicMs();
      for (const check of checks()) {
        if ((this.#nextMs.get(check.name) ?? 0) > nowMs) continue;
        this.#nextMs.set(check.name, nowMs + this.#paceMs(check));
        // A late check is not asked again before it has answered (stuck calls must not pile up), but its silence counts on.
        if (!this.#asking.has(check.name)) void this.#ask(check);
        else if (this.#overdue.has(check.name)) this.#take(check.name, this.#lateAnswer(check));
      }
      await clock.sleep(100, this.#life.signal).catch(() => {});
    }
  }

  #paceMs(check: HealthCheck): number {
    return this.verdict(check.name).status === 'ok' ? check.everyMs : (check.retryMs ?? check.everyMs);
  }

  async #ask(check: HealthCheck): Promise<void> {
    this.#asking.add(check.name);
    const inTime = new AbortController();
    const late = this.#options.clock.sleep(check.timeoutMs, inTime.signal).then(
      () => this.#lateAnswer(check),
      () => this.#lateAnswer(check),
    );
    const asked = check.ask().catch((thrown) => unforeseen(check, thrown));
    let isAnswered = false;
    void asked.then(() => {
      isAnswered = true;
      this.#asking.delete(check.name);
      this.#overdue.delete(check.name);
    });
    const answer = await Promise.race([asked, late]);
    inTime.abort();
    if (!isAnswered) this.#overdue.add(check.name);
    this.#take(check.name, answer);
  }

  #lateAnswer(check: HealthCheck): CheckAnswer {
    return failing(check.name, {
      reason: `No answer within ${check.timeoutMs / 1_000} s.`,
      remedy: 'Check whether the machine or the connection to it is overloaded.',
    });
  }

  #take(name: string, answer: CheckAnswer): void {
    // A check that the stop cut short has found nothing wrong; nobody counts on its verdict any more.
    if (this.#life.signal.aborted) {
      this.#options.log.debug(`Health of ${name}: answered after the checks were stopped`, { check: name });
      return;
    }
    const before = this.#states.get(name) ?? null;
    const after = nextCheck(before, answer, HYSTERESIS);
    this.#states.set(name, after);
    if (before?.verdict.status === after.verdict.status && before.verdict.reason === after.verdict.reason) return;
    const { status, reason, remedy } = after.verdict;
    if (status === 'ok' && before !== null && before.verdict.status !== 'unknown')
      this.#options.log.info(`Health of ${name}: fine again`);
    if (status === 'failing' || status === 'warning')
      this.#options.log.warn(`Health of ${name}: ${reason} ${remedy}`.trim(), { check: name, status });
    this.#options.onChange(after.verdict);
  }
}

function unforeseen(check: HealthCheck, thrown: unknown): CheckAnswer {
  return failing(check.name, { reason: coerceError(thrown).message, remedy: 'See the log of this node.' });
}
