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
  /** The checks wanted now; read again and again, so that storages come and go. The same object is the same check. */
  checks: () => readonly HealthCheck[];
  clock: Clock;
  log: Logger;
  /** Told when a verdict changed. */
  onChange(result: CheckResult): void;
}

/** One check under watch. Another check of the same name (a storage at another mount point) gets a watch of its own. */
interface Watch {
  readonly check: HealthCheck;
  state: CheckState | null;
  isAsking: boolean;
  /** It is being asked and has not answered in time. */
  isOverdue: boolean;
  nextMs: number;
}

/** Asks all checks continuously, each at its own pace; a slow one delays no other. */
export class HealthMonitor implements Service {
  readonly #options: HealthMonitorOptions;
  readonly #life = new AbortController();
  readonly #watches = new Map<string, Watch>();
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
    return this.#options.checks().map((check) => verdictOf(this.#watch(check)));
  }

  /** Verdict of one check; `unknown` also when it is not wanted. */
  verdict(name: string): CheckResult {
    const check = this.#options.checks().find((wanted) => wanted.name === name);
    return check ? verdictOf(this.#watch(check)) : notChecked(name);
  }

  async #run(): Promise<void> {
    const { clock, checks } = this.#options;
    while (!this.#life.signal.aborted) {
      const nowMs = clock.monotonicMs();
      for (const check of checks()) {
        const watch = this.#watch(check);
        if (watch.nextMs > nowMs) continue;
        watch.nextMs = nowMs + paceMs(watch);
        // A late check is not asked again before it has answered (stuck calls must not pile up), but its silence counts on.
        if (!watch.isAsking) void this.#ask(watch);
        else if (watch.isOverdue) this.#take(watch, lateAnswer(check));
      }
      await clock.sleep(100, this.#life.signal).catch(() => {});
    }
  }

  #watch(check: HealthCheck): Watch {
    const known = this.#watches.get(check.name);
    if (known?.check === check) return known;
    const watch = { check, state: null, isAsking: false, isOverdue: false, nextMs: 0 };
    this.#watches.set(check.name, watch);
    return watch;
  }

  async #ask(watch: Watch): Promise<void> {
    const { check } = watch;
    watch.isAsking = true;
    const inTime = new AbortController();
    const late = this.#options.clock.sleep(check.timeoutMs, inTime.signal).then(
      () => lateAnswer(check),
      () => lateAnswer(check),
    );
    const asked = check.ask().catch((thrown) => unforeseen(check, thrown));
    void asked.then(() => {
      watch.isAsking = false;
      watch.isOverdue = false;
    });
    const answer = await Promise.race([asked, late]);
    inTime.abort();
    watch.isOverdue = watch.isAsking;
    this.#take(watch, answer);
  }

  #take(watch: Watch, answer: CheckAnswer): void {
    const { name } = watch.check;
    // A check that the stop cut short has found nothing wrong; nobody counts on its verdict any more.
    if (this.#life.signal.aborted) {
      this.#options.log.debug(`Health of ${name}: answered after the checks were stopped`, { check: name });
      return;
    }
    // Replaced meanwhile: what it says is about something that nobody asks for any more.
    if (this.#watches.get(name) !== watch) return;
    const before = watch.state;
    const after = nextCheck(before, answer, HYSTERESIS);
    watch.state = after;
    if (before?.verdict.status === after.verdict.status && before.verdict.reason === after.verdict.reason) return;
    if (!before || isNews(before.verdict, after.verdict)) this.#say(before?.verdict ?? null, after.verdict);
    this.#options.onChange(after.verdict);
  }

  #say(before: CheckResult | null, { check: name, status, reason, remedy }: CheckResult): void {
    if (status === 'ok' && before !== null && before.status !== 'unknown')
      this.#options.log.info(`Health of ${name}: fine again`);
    if (status === 'failing' || status === 'warning')
      this.#options.log.warn(`Health of ${name}: ${reason} ${remedy}`.trim(), { check: name, status });
  }
}

const notChecked = (check: string): CheckResult => ({
  check,
  status: 'unknown',
  reason: 'Not checked yet.',
  remedy: '',
});
/** Whether a verdict says something else than the one before, and not the same with other numbers ("for 17 s", "for 18 s"). */
const isNews = (before: CheckResult, after: CheckResult): boolean =>
  before.status !== after.status || withoutNumbers(before.reason) !== withoutNumbers(after.reason);
const withoutNumbers = (words: string): string => words.replaceAll(/\d+(?:[.,]\d+)*/g, '#');
const verdictOf = ({ check, state }: Watch): CheckResult => state?.verdict ?? notChecked(check.name);
const paceMs = (watch: Watch): number =>
  verdictOf(watch).status === 'ok' ? watch.check.everyMs : (watch.check.retryMs ?? watch.check.everyMs);

function lateAnswer(check: HealthCheck): CheckAnswer {
  return failing(check.name, {
    reason: `No answer within ${check.timeoutMs / 1_000} s.`,
    remedy: 'Check whether the machine or the connection to it is overloaded.',
  });
}

function unforeseen(check: HealthCheck, thrown: unknown): CheckAnswer {
  return failing(check.name, { reason: coerceError(thrown).message, remedy: 'See the log of this node.' });
}
