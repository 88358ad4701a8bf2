import { describe, expect, it } from 'vitest';
import { lockWaitMs } from '../../../agent/db/apply-migration.ts';
import { compareVersions } from '../../../agent/db/migrate.ts';

describe('compareVersions', () => {
  it.each([
    ['1.2.3', '1.2.3', 0],
    ['1.2.10', '1.2.9', 1],
    ['1.2', '1.2.1', -1],
    ['2.0.0-beta', '2.0.0', 0],
    ['0.9.9', '1.0.0', -1],
  ])('%s against %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});

describe('the wait of a migration for a table', () => {
  const waits = (facts: { deadlockMs: number; isVacuumed: boolean }) =>
    Array.from({ length: 20 }, (_, at) => lockWaitMs(at + 1, facts));

  it('is half a second, so that those behind it pass', () => {
    expect(new Set(waits({ deadlockMs: 1_000, isVacuumed: false }))).toEqual(new Set([500]));
  });

  it('is now and then longer than an autovacuum waits before it makes way, while there is one', () => {
    const long = waits({ deadlockMs: 1_000, isVacuumed: true }).flatMap((ms, at) => (ms > 1_000 ? [[at + 1, ms]] : []));
    expect(long).toEqual([
      [3, 1_200],
      [13, 1_200],
    ]);
  });

  it('never becomes as long as leaders can do without a renewal, whatever the server is set to', () => {
    expect(Math.max(...waits({ deadlockMs: 60_000, isVacuumed: true }))).toBe(500);
    expect(Math.max(...waits({ deadlockMs: 10, isVacuumed: true }))).toBe(500);
  });
});
