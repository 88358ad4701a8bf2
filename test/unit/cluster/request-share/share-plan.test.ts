import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { demandOf, planShares, type ShareRow } from '../../../../agent/cluster/request-share/share-plan.ts';

const BUDGET = 45;
const rows = fc
  .array(fc.record({ isLeader: fc.boolean(), demandPerSecond: fc.double({ min: 0, max: 100, noNaN: true }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((list): ShareRow[] => list.map((row, at) => ({ ...row, runId: `run-${at}` })));
const busy = (runId: string, isLeader = false): ShareRow => ({ runId, isLeader, demandPerSecond: BUDGET });
const idle = (runId: string, isLeader = false): ShareRow => ({ runId, isLeader, demandPerSecond: 0 });

describe('planShares', () => {
  it('gives out the budget and never more, and nothing negative', () => {
    fc.assert(
      fc.property(rows, (list) => {
        const shares = [...planShares(list, BUDGET).values()];
        expect(shares.length).toBe(list.length);
        expect(Math.min(...shares)).toBeGreaterThan(0);
        const sum = shares.reduce((total, share) => total + share, 0);
        expect(sum).toBeLessThanOrEqual(BUDGET + 1e-6);
        expect(sum).toBeGreaterThan(BUDGET - 1e-6);
      }),
    );
  });

  it('never gives a worker less because it wants more', () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0, max: 100, noNaN: true }), (list, more) => {
        const [first, ...rest] = list;
        if (!first) return;
        const before = planShares(list, BUDGET).get(first.runId) ?? 0;
        const raised = { ...first, demandPerSecond: first.demandPerSecond + more };
        const after = planShares([raised, ...rest], BUDGET).get(first.runId) ?? 0;
        const wanted = Math.min(first.demandPerSecond, before);
        expect(after).toBeGreaterThanOrEqual(wanted - 1e-6);
      }),
    );
  });

  it('gives the leader half and the rest equal parts when all are busy', () => {
    const shares = planShares([busy('a', true), busy('b'), busy('c'), busy('d')], BUDGET);
    expect([...shares.values()]).toEqual([22.5, 7.5, 7.5, 7.5]);
  });

  it('gives a worker that is alone everything, and workers without a leader equal parts', () => {
    expect(planShares([idle('a')], BUDGET).get('a')).toBe(BUDGET);
    expect([...planShares([busy('a'), busy('b'), busy('c')], BUDGET).values()]).toEqual([15, 15, 15]);
  });

  it('lends what idle workers leave, but for a quarter of their own shares', () => {
    const shares = planShares([busy('a', true), idle('b'), idle('c')], BUDGET);
    expect(shares.get('a')).toBeCloseTo(BUDGET - 2 * (11.25 / 4));
    expect(shares.get('b')).toBeCloseTo(11.25 / 4);
  });
});

describe('demandOf', () => {
  it('asks for more as long as requests wait, and for nothing when none were sent', () => {
    expect(demandOf({ sentPerSecond: 0, waiting: 0 }, BUDGET)).toBe(0);
    expect(demandOf({ sentPerSecond: 3, waiting: 0 }, BUDGET)).toBe(4);
    expect(demandOf({ sentPerSecond: 11, waiting: 2 }, BUDGET)).toBe(32);
    expect(demandOf({ sentPerSecond: 30, waiting: 1 }, BUDGET)).toBe(BUDGET);
  });
});
