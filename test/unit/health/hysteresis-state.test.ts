import { describe, expect, it } from 'vitest';
import { failing, ok, warning } from '../../../agent/health/health-check.ts';
import { type CheckAnswer, type CheckState, nextCheck } from '../../../agent/health/hysteresis-state.ts';

const words = { reason: 'no answer', remedy: 'wait' };
const verdictAfter = (...answers: CheckAnswer[]): string | undefined => {
  let state: CheckState | null = null;
  for (const answer of answers) state = nextCheck(state, answer, { toFail: 2, toRecover: 2 });
  return state?.verdict.status;
};

describe('a verdict', () => {
  it('is the first answer, at once', () => {
    expect(verdictAfter(failing('database', words))).toBe('failing');
  });

  it('is not overturned by one failure, but by two in a row', () => {
    expect(verdictAfter(ok('x'), failing('x', words))).toBe('ok');
    expect(verdictAfter(ok('x'), failing('x', words), failing('x', words))).toBe('failing');
    expect(verdictAfter(ok('x'), failing('x', words), ok('x'), failing('x', words))).toBe('ok');
  });

  it('is overturned at once by a certain failure', () => {
    expect(verdictAfter(ok('x'), failing('x', { ...words, certain: true }))).toBe('failing');
  });

  it('recovers after two successes', () => {
    const failed = failing('x', { ...words, certain: true });
    expect(verdictAfter(failed, ok('x'))).toBe('failing');
    expect(verdictAfter(failed, ok('x'), ok('x'))).toBe('ok');
  });

  it('leaves a warning behind with the first good answer', () => {
    expect(verdictAfter(warning('x', words), ok('x'))).toBe('ok');
  });
});
