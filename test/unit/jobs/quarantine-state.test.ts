import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  FAILURES_TO_REST,
  nextQuarantine,
  type QuarantineEvent,
  type QuarantineState,
  WORKING,
} from '../../../agent/jobs/quarantine-state.ts';

const failure = (jobId: string, code = 'disk-full', nowMs = 0): QuarantineEvent => ({
  kind: 'job-failed',
  jobId,
  code,
  message: `${code}!`,
  nowMs,
  wallMs: 1_000,
  chance: 0.5,
});
const stateAfter = (events: readonly QuarantineEvent[], from: QuarantineState = WORKING): QuarantineState =>
  events.reduce(nextQuarantine, from);
const failures = (count: number, code?: string) => Array.from({ length: count }, (_, at) => failure(`job-${at}`, code));
const resting = stateAfter(failures(FAILURES_TO_REST));
const tick = (nowMs: number, hasSelfTest = false): QuarantineEvent => ({ kind: 'tick', nowMs, hasSelfTest });

describe('a role', () => {
  it('rests once different jobs in a row have failed with one code', () => {
    expect(stateAfter(failures(FAILURES_TO_REST - 1)).state).toBe('working');
    expect(resting).toMatchObject({
      state: 'resting',
      trouble: { code: 'disk-full', sinceMs: 1_000 },
      untilMs: 30_000,
    });
  });

  it('goes on when one job fails again and again, when codes differ, and after a success', () => {
    expect(stateAfter(Array.from({ length: 20 }, () => failure('same'))).state).toBe('working');
    const mixed = failures(20).map((event, at) => (at % 2 ? event : failure(`other-${at}`, 'unexpected')));
    expect(stateAfter(mixed).state).toBe('working');
    expect(stateAfter([...failures(4), { kind: 'job-done' }, ...failures(4)])).toMatchObject({ state: 'working' });
  });

  it('is tried with one job when its time has come and nothing tests it', () => {
    expect(stateAfter([tick(29_999)], resting).state).toBe('resting');
    const probing = stateAfter([tick(30_000)], resting);
    expect(probing.state).toBe('probing');
    expect(stateAfter([{ kind: 'job-done' }], probing)).toEqual(WORKING);
    expect(stateAfter([failure('probe', 'disk-full', 30_000)], probing)).toMatchObject({
      state: 'resting',
      untilMs: 90_000,
    });
  });

  it('works again after its self-test, and rests longer only once different jobs in a row have failed again', () => {
    const testing = stateAfter([tick(30_000, true)], resting);
    expect(testing.state).toBe('testing');
    const tested = stateAfter([{ kind: 'test-passed' }], testing);
    expect(tested.state).toBe('working');
    expect(stateAfter(failures(FAILURES_TO_REST - 1), tested).state).toBe('working');
    expect(stateAfter(failures(FAILURES_TO_REST), tested)).toMatchObject({ state: 'resting', untilMs: 60_000 });
    expect(stateAfter([{ kind: 'job-done' }, failure('next')], tested).state).toBe('working');
  });

  it('rests longer after each rest that did not help, up to a limit', () => {
    let state = resting;
    for (let round = 0; round < 12; round++) {
      state = stateAfter([tick(Number.MAX_SAFE_INTEGER, true)], state);
      state = stateAfter([{ kind: 'test-failed', message: 'no', nowMs: 0, chance: 0.5 }], state);
    }
    expect(state).toMatchObject({ state: 'resting', untilMs: 600_000, trouble: { message: 'no', sinceMs: 1_000 } });
  });

  it('learns nothing new from jobs that end while it rests', () => {
    expect(stateAfter([failure('late'), { kind: 'job-done' }], resting)).toBe(resting);
  });
});

it('has the chart that its README draws', () => {
  const readme = readFileSync(new URL('../../../agent/jobs/README.md', import.meta.url), 'utf8');
  const drawn = [...readme.matchAll(/^(\w+) → (\w+) {2,}/gm)].map(([, from, to]) => `${from} → ${to}`);
  const trouble = { code: 'disk-full', message: '', sinceMs: 0 };
  const jobIds = ['a', 'b', 'c', 'd'];
  const states: QuarantineState[] = [
    { state: 'working', code: 'disk-full', jobIds, rests: 0 },
    { state: 'resting', trouble, untilMs: 0, rests: 0 },
    { state: 'testing', trouble, rests: 0 },
    { state: 'probing', trouble, rests: 0 },
  ];
  const events: QuarantineEvent[] = [
    failure('e'),
    { kind: 'job-done' },
    tick(0, false),
    tick(0, true),
    { kind: 'test-passed' },
    { kind: 'test-failed', message: '', nowMs: 0, chance: 0 },
  ];
  const edges = states.flatMap((state) =>
    events.map((event) => `${state.state} → ${nextQuarantine(state, event).state}`),
  );
  const moved = edges.filter((edge) => edge.split(' → ')[0] !== edge.split(' → ')[1]);
  expect([...new Set(moved)].sort()).toEqual([...new Set(drawn)].sort());
});
