import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EDGES,
  type ElectionEvent,
  type ElectionState,
  initialElection,
  type LeaseRow,
  nextElection,
  trustedUntil,
} from '../../../agent/leader/election-state.ts';

const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750, lookMs: 250 };
const lease = (over: Partial<LeaseRow> = {}): LeaseRow => ({
  term: 4,
  renewals: 9,
  released: false,
  runId: 'other',
  ...over,
});
const read = (startedMs: number, row = lease(), eligible = true): ElectionEvent => ({
  kind: 'lease-read',
  lease: row,
  attempt: { startedMs, endedMs: startedMs + 5 },
  eligible,
});

function drive(events: ElectionEvent[], from: ElectionState = initialElection) {
  let state = from;
  let commands: string[] = [];
  for (const event of events) {
    const step = nextElection(state, event, times);
    state = step.state;
    commands = step.commands.map((command) => command.kind);
  }
  return { state, commands };
}

const readsAt = (...starts: number[]) => starts.map((startedMs) => read(startedMs));

describe('when a candidate may take over', () => {
  it('a released lease is taken at the first read', () => {
    expect(drive([read(0, lease({ released: true }))]).commands).toEqual(['take-over']);
  });

  it('a lease that is not renewed is taken only after ttl between the end of the first and the start of a later read', () => {
    expect(drive(readsAt(0, 1_000, 2_000, 3_004)).commands).toEqual([]);
    expect(drive(readsAt(0, 1_000, 2_000, 3_005)).commands).toEqual(['take-over']);
  });

  it('the longer of its own ttl and the one that the lease was renewed for counts', () => {
    const at = (ttlMs: number | null, ...starts: number[]) =>
      starts.map((startedMs) => read(startedMs, lease({ ttlMs })));
    expect(drive(at(5_000, 0, 1_000, 2_000, 3_500, 5_004)).commands).toEqual([]);
    expect(drive(at(5_000, 0, 1_000, 2_000, 3_500, 5_005)).commands).toEqual(['take-over']);
    expect(drive(at(1_000, 0, 1_000, 2_000, 3_004)).commands).toEqual([]);
    expect(drive(at(null, 0, 1_000, 2_000, 3_005)).commands).toEqual(['take-over']);
  });

  it('any renewal begins the count anew', () => {
    const events = [
      ...readsAt(0, 1_000, 2_000),
      read(2_900, lease({ renewals: 10 })),
      read(3_500, lease({ renewals: 10 })),
    ];
    expect(drive(events).commands).toEqual([]);
  });

  it('a gap longer than ttl between two reads begins the count anew: our own outage proves nothing', () => {
    expect(drive(readsAt(0, 10_000)).commands).toEqual([]);
  });

  it('a lease released in favour of another run is left to it for one second of our own time, and no longer', () => {
    const released = lease({ released: true, isForAnother: true });
    const at = (...starts: number[]) => starts.map((startedMs) => read(startedMs, released));
    expect(drive(at(0, 250, 500, 1_004)).commands).toEqual([]);
    expect(drive(at(0, 250, 500, 1_005)).commands).toEqual(['take-over']);
    expect(drive([read(0, { ...released, isForAnother: false })]).commands).toEqual(['take-over']);
  });

  it('the second begins at the release, not at what was seen of the lease before', () => {
    const events = [
      ...readsAt(0, 900, 1_800),
      read(2_000, lease({ renewals: 10, released: true, isForAnother: true })),
    ];
    expect(drive(events).commands).toEqual([]);
  });

  it('a take-over that got no answer is tried again at the next read that shows the same lease', () => {
    const unanswered = drive([...readsAt(0, 1_000, 2_000, 3_100), { kind: 'take-over-unanswered' }]);
    expect(unanswered.state.state).toBe('following');
    expect(drive([read(3_900)], unanswered.state).commands).toEqual(['take-over']);
  });

  it('but not when that read shows that somebody, perhaps this very attempt, has won', () => {
    const unanswered = drive([...readsAt(0, 1_000, 2_000, 3_100), { kind: 'take-over-unanswered' }]);
    expect(drive([read(3_900, lease({ term: 5, renewals: 0 }))], unanswered.state).commands).toEqual([]);
  });

  it('a node that is not eligible never takes over', () => {
    expect(drive([read(0, lease({ released: true }), false)]).commands).toEqual([]);
  });
});

describe('trust', () => {
  const takingOver = drive([read(0, lease({ released: true }))]).state;

  it('counts from the start of the attempt, not from its answer', () => {
    const { state } = drive(
      [{ kind: 'take-over-won', term: 5, attempt: { startedMs: 100, endedMs: 1_900 } }],
      takingOver,
    );
    expect(state).toEqual({ state: 'leading', term: 5, trustedUntilMs: 100 + 3_000 - 750 });
  });

  it('an answer that comes after the window is verified by a renewal before any work begins', () => {
    const late = drive([{ kind: 'take-over-won', term: 5, attempt: { startedMs: 100, endedMs: 2_350 } }], takingOver);
    expect(late).toEqual({ state: { state: 'verifying', term: 5 }, commands: ['renew'] });
    const verified = drive([{ kind: 'renewed', attempt: { startedMs: 2_360, endedMs: 2_370 } }], late.state);
    expect(verified.commands).toEqual(['begin-work']);
  });

  it('a refused renewal ends the work and releases nothing: the lease is another node’s', () => {
    const leading: ElectionState = { state: 'leading', term: 5, trustedUntilMs: 2_000 };
    const stepping = drive([{ kind: 'renewal-refused' }], leading);
    expect(stepping.commands).toEqual(['end-work']);
    expect(drive([{ kind: 'work-settled' }], stepping.state).commands).toEqual([]);
  });

  it('a leader that is not healthy any more stops its work first and releases afterwards', () => {
    const leading: ElectionState = { state: 'leading', term: 5, trustedUntilMs: 2_000 };
    const stepping = drive([{ kind: 'not-eligible', why: 'storage lost' }], leading);
    expect(stepping.commands).toEqual(['end-work']);
    expect(drive([{ kind: 'work-settled' }], stepping.state).commands).toEqual(['release']);
  });
});

const attempt = fc.record({ startedMs: fc.nat(10_000), endedMs: fc.nat(10_000) });
const anyEvent: fc.Arbitrary<ElectionEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('lease-read' as const),
    lease: fc.record({ term: fc.nat(5), renewals: fc.nat(3), released: fc.boolean(), runId: fc.constant('other') }),
    attempt,
    eligible: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('take-over-won' as const), term: fc.nat(9), attempt }),
  fc.record({ kind: fc.constant('renewed' as const), attempt }),
  fc.constantFrom<ElectionEvent>(
    { kind: 'take-over-lost' },
    { kind: 'take-over-unanswered' },
    { kind: 'renewal-refused' },
    { kind: 'trust-ended' },
    { kind: 'not-eligible', why: 'unhealthy' },
    { kind: 'work-settled' },
  ),
);

describe('the state chart', () => {
  const allowed = new Set(EDGES.map(([from, to]) => `${from} → ${to}`));

  it('moves only along its edges, uses all of them, and never trusts beyond the attempt', () => {
    const used = new Set<string>();
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        let state = initialElection;
        for (const event of events) {
          const { state: next } = nextElection(state, event, times);
          if (next.state !== state.state) used.add(`${state.state} → ${next.state}`);
          if (next.state === 'leading' && 'attempt' in event && state.state !== 'leading') {
            expect(next.trustedUntilMs).toBe(trustedUntil(event.attempt, times));
          }
          state = next;
        }
      }),
      { numRuns: 2_000, seed: 7 },
    );
    expect([...used].sort()).toEqual([...allowed].sort());
  });

  it('is the one that the README draws', () => {
    const readme = readFileSync(new URL('../../../agent/leader/README.md', import.meta.url), 'utf8');
    const list = readme.slice(readme.indexOf('All moves:'), readme.indexOf('`election-state.ts`'));
    expect(new Set(list.match(/[a-z-]+ → [a-z-]+/g))).toEqual(allowed);
  });
});
