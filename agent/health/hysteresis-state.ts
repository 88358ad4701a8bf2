import type { CheckResult } from '../contract/index.ts';

/** How many equal answers in a row it takes to change the verdict. */
export interface Hysteresis {
  /** Failures before `failing`. */
  toFail: number;
  /** Successes before `ok` again. */
  toRecover: number;
}

/** A verdict with what speaks against it so far. */
export interface CheckState {
  verdict: CheckResult;
  /** Answers in a row that differ from the verdict. */
  against: number;
}

/** One answer of a check: `certain` failures (marker wrong, token refused) need no second opinion. */
export interface CheckAnswer {
  result: CheckResult;
  certain: boolean;
}

/** The verdict after one more answer. The first answer counts at once: before it the verdict is unknown. */
export function nextCheck(state: CheckState | null, answer: CheckAnswer, hysteresis: Hysteresis): CheckState {
  const { result } = answer;
  if (state === null || state.verdict.status === 'unknown' || result.status === state.verdict.status) {
    return { verdict: result, against: 0 };
  }
  const needed = result.status === 'failing' ? (answer.certain ? 1 : hysteresis.toFail) : hysteresis.toRecover;
  const against = state.against + 1;
  if (against >= needed || state.verdict.status === 'warning' || result.status === 'unknown')
    return { verdict: result, against: 0 };
  return { verdict: state.verdict, against };
}
