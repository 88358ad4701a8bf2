import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FailoverDrill } from '../../../agent/leader/drill.ts';
import { DRILL_LIMIT_MS, type DrillMember, type OpenDrill } from '../../../agent/leader/drill-state.ts';
import type { DrillReport, DrillStore } from '../../../agent/leader/drill-store.ts';
import type { Leadership } from '../../../agent/leader/leadership.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A drill's row in memory; `away` makes every call fail, `losesAnswer` the answer of one call that was performed. */
class MemoryDrill implements DrillStore {
  row: OpenDrill | null = null;
  outcome: string | null = null;
  away = 0;
  losesAnswer = '';
  calls: string[] = [];

  async begin(leadership: Leadership, to: { runId: string; name: string }): Promise<string> {
    this.#note('begin');
    const flags = { isHandedOver: false, isTurnOver: false, ageMs: 0 };
    this.row = {
      drillId: '1',
      fromRun: 'run-a',
      fromTerm: leadership.term,
      toRun: to.runId,
      toName: to.name,
      ...flags,
    };
    this.#answer('begin');
    return '1';
  }

  async open(): Promise<OpenDrill | null> {
    this.#note('open');
    return this.outcome === null ? this.row : null;
  }

  async markHandedOver(): Promise<void> {
    this.#note('handed-over');
    if (this.row) this.row.isHandedOver = true;
    this.#answer('handed-over');
  }

  async markTurnOver(): Promise<void> {
    this.#note('turn-over');
    if (this.row) this.row.isTurnOver = true;
    this.#answer('turn-over');
  }

  async end(_: Leadership, __: string, outcome: string): Promise<void> {
    this.#note('end');
    this.outcome = outcome;
  }

  async endBegun(_: Leadership, outcome: string): Promise<void> {
    this.#note('end-begun');
    if (this.row) this.outcome = outcome;
  }

  async report(): Promise<DrillReport | null> {
    this.#note('report');
    const { isHandedOver = false } = this.row ?? {};
    return { isHandedOver, outcome: this.outcome, handOverMs: 1, totalMs: 2, outGapMs: 3, backGapMs: 4 };
  }

  #answer(call: string): void {
    if (this.losesAnswer !== call) return;
    this.losesAnswer = '';
    throw new Error('answer lost');
  }

  #note(call: string): void {
    if (this.away > 0) {
      this.away -= 1;
      throw new Error('away');
    }
    this.calls.push(call);
  }
}

const ok = { check: 'database', status: 'ok' as const, reason: '', remedy: '' };
const member = (name: string): DrillMember => ({
  runId: `run-${name}`,
  name,
  isAlive: true,
  availability: 'available',
  roles: ['MAIN'],
  health: [ok],
});

function node(name: string, store: DrillStore, members = [member('a'), member('b')]) {
  const asked: string[] = [];
  const end = new AbortController();
  const drill = new FailoverDrill({
    store,
    runId: `run-${name}`,
    members: () => members,
    nameSuccessor: (named) => asked.push(`successor ${named?.runId ?? null}`),
    stepAside: () => asked.push('aside'),
    asideMs: 1_000,
    // The monotonic clock of this process does not follow fake timers; the wall clock does.
    clock: { ...systemClock, monotonicMs: () => Date.now() },
    log: silentLogger,
    onChange: () => {},
  });
  const lead = (term: number) => drill.run({ term, runId: `run-${name}`, signal: end.signal, assertTrusted: () => {} });
  return { drill, lead, asked, end: () => end.abort() };
}

describe('a node that asks for a drill', () => {
  it('keeps leading, and shows no drill, when its row cannot be written', async () => {
    const store = new MemoryDrill();
    const a = node('a', store);
    const leading = a.lead(4);
    await vi.advanceTimersByTimeAsync(0);
    store.away = 1;
    await expect(a.drill.begin()).rejects.toThrow('away');
    expect([a.asked, a.drill.last(), a.drill.refusal()]).toEqual([[], null, null]);
    a.end();
    await leading;
  });

  it('ends the row again when it was written and only the answer was lost, and can begin another', async () => {
    const store = new MemoryDrill();
    const a = node('a', store);
    const leading = a.lead(4);
    await vi.advanceTimersByTimeAsync(0);
    store.losesAnswer = 'begin';
    await expect(a.drill.begin()).rejects.toThrow('answer lost');
    expect(store.outcome).toMatch(/^not completed/);
    expect([a.asked, a.drill.last(), a.drill.refusal()]).toEqual([[], null, null]);
    a.end();
    await leading;
  });

  it('names the successor before it steps aside, refuses a second drill meanwhile, and gives up in the end', async () => {
    const store = new MemoryDrill();
    const a = node('a', store);
    const leading = a.lead(4);
    await vi.advanceTimersByTimeAsync(0);
    await a.drill.begin();
    expect(a.asked).toEqual(['successor run-b', 'aside']);
    await expect(a.drill.begin()).rejects.toThrow(/goes on already/);
    await vi.advanceTimersByTimeAsync(DRILL_LIMIT_MS + 1_000);
    expect(a.drill.last()).toMatchObject({ phase: 'not-completed', why: expect.stringContaining('not taken over') });
    // It still leads: so it ends the row, and no later release names anybody.
    expect(store.outcome).toMatch(/^not completed/);
    expect(a.asked.at(-1)).toBe('successor null');
    a.end();
    await leading;
  });
});

describe('the successor of a drill', () => {
  const handedTo = async (members?: DrillMember[], change: (store: MemoryDrill) => void = () => {}) => {
    const store = new MemoryDrill();
    await store.begin({ term: 4 } as Leadership, { runId: 'run-b', name: 'b' });
    change(store);
    const b = node('b', store, members);
    const leading = b.lead(5);
    return { store, b, leading };
  };

  it('leads for its turn, stamps its end, and then steps aside in favour of the first leader', async () => {
    const { store, b, leading } = await handedTo();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(b.asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(b.asked).toEqual(['successor run-a', 'aside']);
    expect(store.calls.slice(-2)).toEqual(['handed-over', 'turn-over']);
    b.end();
    await leading;
  });

  it('goes on leading when the first leader is not fit any more, and ends the drill with the reason', async () => {
    const { store, b, leading } = await handedTo([{ ...member('a'), isAlive: false }, member('b')]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(b.asked).toEqual([]);
    expect(store.outcome).toBe('not completed: the leadership was not handed back to a, because it is not seen alive');
    b.end();
    await leading;
  });

  it('tries again when the database is away at the begin of its leadership', async () => {
    const { b, leading } = await handedTo(undefined, (store) => {
      store.away = 3;
    });
    await vi.advanceTimersByTimeAsync(6_000);
    expect(b.asked).toEqual(['successor run-a', 'aside']);
    b.end();
    await leading;
  });

  it.each(['handed-over', 'turn-over'])(
    'goes on with its turn when the answer to its stamp %s is lost',
    async (call) => {
      const { store, b, leading } = await handedTo(undefined, (drill) => {
        drill.losesAnswer = call;
      });
      await vi.advanceTimersByTimeAsync(6_000);
      expect(b.asked).toEqual(['successor run-a', 'aside']);
      expect(store.outcome).toBeNull();
      b.end();
      await leading;
    },
  );

  it('does nothing more once its leadership has ended in the middle of its turn', async () => {
    const { b, leading } = await handedTo();
    await vi.advanceTimersByTimeAsync(500);
    b.end();
    await leading;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(b.asked).toEqual([]);
  });
});
