import type { CheckAnswer } from './hysteresis-state.ts';

/** One health check: asked again and again, each time with a deadline of its own; must never throw nor block. */
export interface HealthCheck {
  /** `database`, `iconik`, `storage:<id>`, `disk`, `ffmpeg`. */
  name: string;
  everyMs: number;
  /** Pace while the verdict is not ok, where that differs. */
  retryMs?: number;
  /** Longer than this is an answer too: failing. */
  timeoutMs: number;
  ask(): Promise<CheckAnswer>;
}

/** An answer that all is well. */
export const ok = (check: string): CheckAnswer => ({
  result: { check, status: 'ok', reason: '', remedy: '' },
  certain: true,
});

/** An answer that something is wrong, with what to do. */
export const failing = (check: string, words: { reason: string; remedy: string; certain?: boolean }): CheckAnswer => ({
  result: { check, status: 'failing', reason: words.reason, remedy: words.remedy },
  certain: words.certain ?? false,
});

/** An answer that people should know of, but which stops no work. */
export const warning = (check: string, words: { reason: string; remedy: string }): CheckAnswer => ({
  result: { check, status: 'warning', ...words },
  certain: true,
});

/** An answer that nothing is known yet: neither fine nor failed. */
export const unknown = (check: string, reason: string): CheckAnswer => ({
  result: { check, status: 'unknown', reason, remedy: '' },
  certain: true,
});
