import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../../agent/contract/index.ts';
import {
  checkAsText,
  checkErrors,
  checkView,
  foundSentence,
} from '../../../../renderer/features/diagnostics/check-words.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';
import {
  checkClean,
  checkFailed,
  checkFound,
  checkRunning,
  neverChecked,
} from '../../../support/scenes/check-scenes.ts';

const NOW = 1_800_000_000_000;
const finding = (severity: Finding['severity']): Finding => ({
  code: 'db-dns',
  severity,
  cause: 'The name cannot be resolved.',
  evidence: 'ENOTFOUND',
  remedy: 'Correct it.',
});
const calm = () => {
  const state = sceneState('calm', NOW);
  if (state === null) throw new Error('the calm scene has a state');
  return state;
};

describe('the full check', () => {
  it('is in one of five states, and a new run hides an old failure', () => {
    const states = [neverChecked, checkRunning(NOW), checkFailed, checkClean(NOW), checkFound(NOW)];
    expect(states.map((state) => checkView(state).kind)).toEqual(['never', 'running', 'failed', 'clean', 'found']);
    expect(checkView({ ...checkFailed, runningSinceMs: NOW }).kind).toBe('running');
  });

  it.each([
    [[], 'Nothing is wrong.'],
    [['warning'], 'Nothing stands still; 1 thing to know.'],
    [['error'], 'One problem.'],
    [['error', 'warning', 'warning'], 'One problem, and 2 things to know.'],
    [['error', 'error'], '2 problems. What stands first is the likeliest cause of the rest.'],
  ] as const)('with %j says: %s', (severities, words) => {
    expect(foundSentence(severities.map(finding))).toBe(words);
  });

  it('counts its errors for the sentence at the top, which must not say that all is well', () => {
    expect(checkErrors(calm())).toBe(0);
    expect(checkErrors({ ...calm(), check: checkFound(NOW) })).toBe(3);
  });

  it('is copied with code, cause, evidence, remedy and the time', () => {
    const { last } = checkFound(NOW);
    const text = last === null ? '' : checkAsText(calm(), last);
    expect(text).toContain('full check of 2027-01-15T07:59:30.000Z');
    expect(text).toMatch(/1\. \[error\] pgbouncer-server-down: pgBouncer answers.*\n {3}Seen: .*\n {3}Remedy: /);
    expect(text).toMatch(/Looked at: iconik, .*\.$/);
  });
});
