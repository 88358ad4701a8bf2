import { describe, expect, it } from 'vitest';
import {
  BROADCAST_INTERVAL_MS,
  createAppStateStore,
  type StoreClock,
} from '../../../main/lifecycle/app-state-store.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';

const INITIAL: AppState = {
  appVersion: '1.0.0',
  platform: 'linux',
  agent: { state: 'stopped', reason: '', sinceMs: 0, nextStartMs: null, lastExitCode: null, lastWords: [] },
  snapshot: null,
  config: { path: '/c.ini', status: 'ok', problems: [] },
  logFolder: '/logs',
  check: { runningSinceMs: null, last: null, failure: '' },
  bundle: null,
  updateReady: null,
  update: { state: 'off', version: null, percent: 0, why: '', isAsked: false, last: null },
};

/** A clock that moves only when told. */
class ManualClock implements StoreClock {
  #now = 10_000;
  #timers: { at: number; callback: () => void }[] = [];
  now = () => this.#now;
  after = (ms: number, callback: () => void) => {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { callback } of due) callback();
  }
}

function start() {
  const clock = new ManualClock();
  const store = createAppStateStore(INITIAL, clock);
  const seen: AppState[] = [];
  const unsubscribe = store.subscribe((state) => seen.push(state));
  return { clock, store, seen, unsubscribe };
}

describe('the state store', () => {
  it('tells of a change at once when it has been quiet', () => {
    const { store, seen } = start();
    store.update({ updateReady: '2' });
    expect(seen.map((state) => state.updateReady)).toEqual(['2']);
  });

  it('tells at most four times a second, and never keeps the last change to itself', () => {
    const { store, seen, clock } = start();
    for (let i = 1; i <= 100; i += 1) {
      store.update({ updateReady: String(i) });
      clock.advance(10);
    }
    clock.advance(BROADCAST_INTERVAL_MS);
    expect(seen.length).toBeLessThanOrEqual(6);
    expect(seen.at(-1)?.updateReady).toBe('100');
  });

  it('tells at once of another state of the agent, with everything that waited', () => {
    const { store, seen, clock } = start();
    store.update({ updateReady: '1' });
    store.update({ updateReady: '2' });
    store.update({ agent: { ...INITIAL.agent, state: 'starting' } });
    expect(seen.map((state) => [state.updateReady, state.agent.state])).toEqual([
      ['1', 'stopped'],
      ['2', 'starting'],
    ]);
    clock.advance(10 * BROADCAST_INTERVAL_MS);
    expect(seen).toHaveLength(2);
  });

  it('answers with the newest state before anybody was told', () => {
    const { store } = start();
    store.update({ updateReady: '1' });
    store.update({ updateReady: '2' });
    expect(store.get().updateReady).toBe('2');
  });

  it('tells nobody who has gone, and nothing after it was closed', () => {
    const { store, seen, clock, unsubscribe } = start();
    const others: AppState[] = [];
    store.subscribe((state) => others.push(state));
    unsubscribe();
    store.update({ updateReady: '1' });
    store.update({ updateReady: '2' });
    store.close();
    clock.advance(10 * BROADCAST_INTERVAL_MS);
    expect([seen.length, others.length]).toEqual([0, 1]);
  });
});
