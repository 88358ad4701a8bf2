import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClaimFacts,
  type OtherWorker,
  planClaim,
  TURN_TTL_MS,
} from '../../../agent/cluster/update-turn/turn-plan.ts';
import type { UpdateTurnRow } from '../../../agent/db/queries/update-turn.ts';

const free: UpdateTurnRow = {
  turn: 0,
  worker_id: null,
  node_name: '',
  version: '',
  is_installing: false,
  renewals: '0',
  failed_version: null,
  failed_node_name: '',
};
const held: UpdateTurnRow = { ...free, turn: 3, worker_id: 'w-b', node_name: 'node-b', version: '0.2.0' };
const facts = (over: Partial<ClaimFacts>): ClaimFacts => ({
  row: free,
  stoodMs: 0,
  selfWorkerId: 'w-a',
  version: '0.2.0',
  isAsked: false,
  isLeading: false,
  others: [],
  ...over,
});
const main = (version: string, over: Partial<OtherWorker> = {}): OtherWorker => ({
  name: 'node-b',
  version,
  roles: ['MAIN'],
  availability: 'available',
  ...over,
});

describe('planClaim', () => {
  it('gives a free turn to a follower, and to a leader with no older MAIN node beside it', () => {
    expect(planClaim(facts({})).kind).toBe('take');
    expect(planClaim(facts({ isLeading: true })).kind).toBe('take');
    expect(planClaim(facts({ isLeading: true, others: [main('0.2.0')] })).kind).toBe('take');
    const noCandidate = [main('0.1.9', { roles: ['TRANSCODE'] }), main('0.1.9', { availability: 'disabled' })];
    expect(planClaim(facts({ isLeading: true, others: noCandidate })).kind).toBe('take');
  });

  it('lets a leader wait for an older MAIN node, by name, until a person asks', () => {
    const older = { isLeading: true, others: [main('0.1.9')] };
    expect(planClaim(facts(older))).toEqual({ kind: 'refuse', why: 'leads', node: 'node-b' });
    expect(planClaim(facts({ ...older, isAsked: true })).kind).toBe('take');
  });

  it('lets nobody spread a version with which another node is not well, until a person asks', () => {
    for (const roles of [['MAIN'], ['TRANSCODE']]) {
      const unwell = {
        others: [main('0.1.9', { name: 'node-c' }), main('0.2.0', { roles, availability: 'degraded' })],
      };
      expect(planClaim(facts(unwell))).toMatchObject({ kind: 'refuse', node: 'node-b', because: 'not-available' });
      expect(planClaim(facts({ ...unwell, isLeading: true }))).toMatchObject({ kind: 'refuse', node: 'node-b' });
      expect(planClaim(facts({ ...unwell, isAsked: true })).kind).toBe('take');
    }
    // What an older node lacks is not the new version's doing.
    expect(planClaim(facts({ others: [main('0.1.9', { availability: 'degraded' })] })).kind).toBe('take');
  });

  it('keeps a leader while none of the updated MAIN nodes could take over, and lets it go when one could', () => {
    const paused = main('0.2.0', { availability: 'draining' });
    const refusal = { kind: 'refuse', node: 'node-b', because: 'not-available' };
    expect(planClaim(facts({ isLeading: true, others: [paused] }))).toMatchObject(refusal);
    expect(planClaim(facts({ isLeading: true, isAsked: true, others: [paused] })).kind).toBe('take');
    expect(planClaim(facts({ others: [paused] })).kind).toBe('take');
    const another = main('0.2.0', { name: 'node-c' });
    expect(planClaim(facts({ isLeading: true, others: [paused, another] })).kind).toBe('take');
  });

  it('refuses what skips a release of any other living node, until a person asks', () => {
    const worker = { roles: ['TRANSCODE'], availability: 'disabled' as const };
    const skipping = { version: '0.4.0', others: [main('0.3.0'), main('0.2.0', { ...worker, name: 'node-c' })] };
    const refusal = { kind: 'refuse', why: 'another-updates', node: 'node-c', because: 'skips-release' };
    expect(planClaim(facts(skipping))).toEqual(refusal);
    expect(planClaim(facts({ ...skipping, isAsked: true })).kind).toBe('take');
    expect(planClaim(facts({ ...skipping, version: '0.3.9' })).kind).toBe('take');
    expect(planClaim(facts({ version: '0.4.0', others: [main('0.5.0')] })).kind).toBe('take');
  });

  it('takes a turn from a silent holder only after its time, and then says whether that one had begun to install', () => {
    expect(planClaim(facts({ row: held, stoodMs: TURN_TTL_MS - 1 }))).toMatchObject({ why: 'another-updates' });
    expect(planClaim(facts({ row: held, stoodMs: TURN_TTL_MS }))).toEqual({ kind: 'take', didNotReturn: false });
    const began = { ...held, is_installing: true };
    // the very version it did not come back with is not installed by itself
    expect(planClaim(facts({ row: began, stoodMs: TURN_TTL_MS }))).toMatchObject({ why: 'failed-elsewhere' });
    const newer = facts({ row: began, stoodMs: TURN_TTL_MS, version: '0.3.0' });
    expect(planClaim(newer)).toEqual({ kind: 'take', didNotReturn: true });
  });

  it('does not install what failed elsewhere, but the next version', () => {
    const row = { ...free, failed_version: '0.2.0', failed_node_name: 'node-c' };
    expect(planClaim(facts({ row }))).toEqual({ kind: 'refuse', why: 'failed-elsewhere', node: 'node-c' });
    expect(planClaim(facts({ row, version: '0.2.1' })).kind).toBe('take');
  });

  it('never gives anybody a turn that another holds, whatever is asked', () => {
    const any = fc.record({
      stoodMs: fc.integer({ min: 0, max: TURN_TTL_MS - 1 }),
      isAsked: fc.boolean(),
      isLeading: fc.boolean(),
      version: fc.constantFrom('0.1.0', '0.2.0', '0.3.0'),
    });
    fc.assert(fc.property(any, (over) => planClaim(facts({ ...over, row: held })).kind === 'refuse'));
  });
});

/** One node of the simulation: its own clock (rate and offset), whether it runs, and the turn it believes to have. */
interface SimNode {
  name: string;
  rate: number;
  stood: { value: string; sinceMs: number } | null;
  turn: number | null;
  /** Real time of its last successful renewal. */
  heldAtMs: number;
  isUp: boolean;
}

describe('many nodes with clocks of their own that are killed at any moment', () => {
  const step = fc.record({
    node: fc.nat({ max: 4 }),
    advanceMs: fc.integer({ min: 0, max: 120_000 }),
    act: fc.constantFrom('claim', 'claim', 'claim', 'hold', 'hold', 'end', 'kill', 'start'),
  });
  const rates = fc.array(fc.double({ min: 0.9, max: 1.1, noNaN: true }), { minLength: 5, maxLength: 5 });

  it('at most one of those who renewed within the last 10 minutes holds the turn', () => {
    fc.assert(
      fc.property(rates, fc.array(step, { maxLength: 300 }), (clockRates, steps) => {
        let nowMs = 0;
        let row = { ...free };
        const nodes: SimNode[] = clockRates.map((rate, i) => ({
          name: `w-${i}`,
          rate,
          stood: null,
          turn: null,
          heldAtMs: Number.NEGATIVE_INFINITY,
          isUp: true,
        }));
        for (const { node: index, advanceMs, act } of steps) {
          nowMs += advanceMs;
          const node = nodes[index];
          if (node === undefined) continue;
          const isHolder = row.worker_id === node.name && row.turn === node.turn;
          if (act === 'kill') Object.assign(node, { isUp: false, stood: null });
          if (act === 'start') node.isUp = true;
          if (!node.isUp) continue;
          if (act === 'hold' && isHolder) {
            row = { ...row, renewals: String(Number(row.renewals) + 1) };
            node.heldAtMs = nowMs;
          }
          if (act === 'hold' && !isHolder) node.turn = null;
          if (act === 'end' && isHolder) {
            row = { ...row, worker_id: null, renewals: String(Number(row.renewals) + 1) };
            node.turn = null;
          }
          if (act === 'claim') {
            const own = nowMs * node.rate;
            const value = `${row.turn}/${row.renewals}`;
            if (node.stood?.value !== value) node.stood = { value, sinceMs: own };
            const plan = planClaim(facts({ row, stoodMs: own - node.stood.sinceMs, selfWorkerId: node.name }));
            if (plan.kind === 'take') {
              row = { ...row, turn: row.turn + 1, worker_id: node.name, renewals: String(Number(row.renewals) + 1) };
              node.turn = row.turn;
              node.heldAtMs = nowMs;
            }
          }
          const sure = nodes.filter(({ turn, heldAtMs }) => turn !== null && nowMs - heldAtMs < 10 * 60_000);
          expect(sure.length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 200 },
    );
  });
});
