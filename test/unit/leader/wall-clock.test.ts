import { expect, it } from 'vitest';
import { failing, ok } from '../../../agent/health/health-check.ts';
import { HealthMonitor } from '../../../agent/health/monitor.ts';
import type { LeaseRow } from '../../../agent/leader/election-state.ts';
import { Elector } from '../../../agent/leader/elector.ts';
import type { Clock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createManualClock } from '../iconik/manual-clock.ts';

const HOUR_MS = 3_600_000;

/** Time that passes as it should, under a wall clock that people and time servers turn. */
function turnedClock() {
  const clock = createManualClock();
  let shiftMs = 0;
  const turned: Clock = { ...clock, wallMs: () => clock.wallMs() + shiftMs };
  const turn = (ms: number) => {
    shiftMs += ms;
  };
  return { clock: turned, advance: (ms: number) => clock.advance(ms), turn };
}

it.each([HOUR_MS, -HOUR_MS])('a wall clock that jumps by %i ms moves no leadership and no verdict', async (jumpMs) => {
  const { clock, advance, turn } = turnedClock();
  const row: LeaseRow = { term: 0, renewals: 0, released: true, runId: null };
  const changes: (number | null)[] = [];
  const elector = new Elector({
    store: {
      read: async () => ({ ...row }),
      takeOver: async () => Object.assign(row, { term: row.term + 1, released: false, runId: 'run' }).term,
      renew: async (term) => {
        row.renewals += 1;
        return term === row.term;
      },
      release: async () => void Object.assign(row, { released: true }),
    },
    runId: 'run',
    times: { ttlMs: 3_000, renewMs: 750, marginMs: 750, lookMs: 250 },
    clock,
    random: () => 0.5,
    log: silentLogger,
    eligibility: () => ({ eligible: true }),
    work: [],
    highestTerm: { get: () => 0, set: () => {} },
    onChange: (term) => changes.push(term),
  });
  const told: string[] = [];
  let isWell = true;
  const check = {
    name: 'database',
    everyMs: 500,
    timeoutMs: 1_000,
    ask: async () => (isWell ? ok('database') : failing('database', { reason: 'away', remedy: 'wait' })),
  };
  const onChange = ({ status }: { status: string }) => void told.push(status);
  const monitor = new HealthMonitor({ checks: () => [check], clock, log: silentLogger, onChange });
  await Promise.all([elector.start(), monitor.start()]);
  await advance(5_000);
  turn(jumpMs);
  await advance(10_000);
  expect(changes).toEqual([1]);
  expect(elector.trustedTerm()).toBe(1);
  expect(told).toEqual(['ok']);
  // What did go wrong is noticed as quickly as ever.
  isWell = false;
  await advance(1_500);
  expect(told).toEqual(['ok', 'failing']);
  const stopped = Promise.all([elector.stop(), monitor.stop()]);
  await advance(1_000);
  await stopped;
});
