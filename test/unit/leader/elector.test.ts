import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LeaseRow } from '../../../agent/leader/election-state.ts';
import { Elector, type ElectorOptions } from '../../../agent/leader/elector.ts';
import type { LeadershipRenewer, RenewalStanding } from '../../../agent/leader/leadership-renewer.ts';
import type { LeaseStore } from '../../../agent/leader/lease-store.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const times = { ttlMs: 300, renewMs: 50, marginMs: 50, lookMs: 10 };
const RUN = 'run-1';

/** A lease in memory that only this node wants. */
class MemoryLease implements LeaseStore {
  row: LeaseRow = { term: 0, renewals: 0, released: true, runId: null };
  releases: number[] = [];
  takeOverDelayMs = 0;
  failRenewals = 0;

  async read(): Promise<LeaseRow> {
    return { ...this.row };
  }

  async takeOver(seen: LeaseRow): Promise<number | null> {
    if (seen.term !== this.row.term || seen.renewals !== this.row.renewals) return null;
    this.row = { term: seen.term + 1, renewals: 0, released: false, runId: RUN };
    const { term } = this.row;
    await wait(this.takeOverDelayMs);
    this.takeOverDelayMs = 0;
    return term;
  }

  async renew(term: number): Promise<boolean> {
    if (this.failRenewals-- > 0) throw new Error('connection reset');
    if (this.row.term !== term || this.row.released) return false;
    this.row.renewals += 1;
    return true;
  }

  async release(term: number): Promise<void> {
    if (this.row.term !== term) return;
    this.releases.push(term);
    this.row = { ...this.row, released: true, renewals: this.row.renewals + 1 };
  }
}

/** A renewer whose standing the test writes. */
class WrittenRenewer implements LeadershipRenewer {
  standings = new Map<number, RenewalStanding>();
  calls: string[] = [];
  trouble: () => void = () => {};
  ready = true;

  isReady(): boolean {
    return this.ready;
  }

  begin(term: number): void {
    this.calls.push(`begin ${term}`);
  }

  end(): void {
    this.calls.push('end');
  }

  standing(term: number): RenewalStanding {
    return this.standings.get(term) ?? { confirmedMs: null, isRefused: false, failure: null };
  }

  onTrouble(listener: () => void): void {
    this.trouble = listener;
  }

  write(term: number, change: Partial<RenewalStanding>): void {
    this.standings.set(term, { ...this.standing(term), ...change });
  }
}

describe('an elector', () => {
  let elector: Elector;
  const lease = (change: Partial<MemoryLease> = {}) => Object.assign(new MemoryLease(), change);
  const startElector = async (store: LeaseStore, options: Partial<ElectorOptions> = {}) => {
    elector = new Elector({
      store,
      runId: RUN,
      times,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      eligibility: () => ({ eligible: true }),
      work: [],
      highestTerm: { get: () => 0, set: () => {} },
      onChange: () => {},
      ...options,
    });
    await elector.start();
  };
  const leads = (term: number) =>
    vi.waitFor(() => expect(elector.trustedTerm()).toBe(term), { timeout: 3_000, interval: 5 });

  afterEach(() => elector.stop());

  it('follows again when the renewal that was to confirm a late take-over gets no answer', async () => {
    await startElector(lease({ takeOverDelayMs: 280, failRenewals: 1 }));
    await leads(2);
  });

  it('stands again although ended leader work never stops, and lets that lease lapse', async () => {
    let eligible = true;
    const store = lease();
    await startElector(store, {
      work: [{ name: 'hung', run: () => new Promise(() => {}) }],
      eligibility: () => (eligible ? { eligible } : { eligible, why: 'test' }),
      settleLimitMs: 50,
    });
    await leads(1);
    eligible = false;
    await vi.waitFor(() => expect(elector.view().state).toBe('following'));
    expect(store.releases).toEqual([]);
    eligible = true;
    await leads(2);
  });

  it('keeps the trust of its take-over over an older confirmation, and ends renewal when it stops', async () => {
    const renewer = new WrittenRenewer();
    const store = lease();
    await startElector(store, { renewer, times: { ...times, ttlMs: 20_000, renewMs: 5_000 } });
    await leads(1);
    renewer.write(1, { confirmedMs: systemClock.monotonicMs() - 60_000 });
    expect(elector.trustedTerm()).toBe(1);
    await elector.stop();
    expect(renewer.calls).toEqual(['begin 1', 'end']);
  });

  it('loses trust at the end of its window when its renewer confirms nothing', async () => {
    const renewer = new WrittenRenewer();
    const ends: (number | null)[] = [];
    await startElector(lease(), { renewer, onChange: (term) => ends.push(term) });
    await vi.waitFor(() => expect(ends.slice(0, 2)).toEqual([1, null]), { timeout: 3_000 });
  });

  it('keeps trust beyond its first window while its renewer confirms', async () => {
    const renewer = new WrittenRenewer();
    const ends: (number | null)[] = [];
    const onChange = (term: number | null) => {
      ends.push(term);
      if (term !== null) renewer.write(term, { confirmedMs: systemClock.monotonicMs() + 600_000 });
    };
    await startElector(lease(), { renewer, onChange });
    await vi.waitFor(() => expect(ends).toHaveLength(1), { timeout: 3_000 });
    await wait(2 * times.ttlMs);
    expect(ends).toHaveLength(1);
  });

  it.each([
    ['was refused', { isRefused: true }, []],
    ['has failed', { failure: 'its thread has ended' }, [1]],
  ])('is trusted no more at the very moment at which renewal %s', async (_, change, releases) => {
    const renewer = new WrittenRenewer();
    const store = lease();
    await startElector(store, { renewer, times: { ...times, ttlMs: 60_000, renewMs: 20_000 } });
    await leads(1);
    renewer.write(1, { confirmedMs: systemClock.monotonicMs(), ...change });
    expect(elector.trustedTerm()).toBeNull();
    renewer.trouble();
    await vi.waitFor(() => expect(renewer.calls.slice(0, 2)).toEqual(['begin 1', 'end']));
    await vi.waitFor(() => expect(store.releases).toEqual(releases));
  });

  it('does not stand while its renewer could keep no leadership, says so, and stands as soon as it could', async () => {
    const renewer = new WrittenRenewer();
    renewer.ready = false;
    const store = lease();
    const takeOver = vi.spyOn(store, 'takeOver');
    const read = vi.spyOn(store, 'read');
    await startElector(store, { renewer });
    await vi.waitFor(() => expect(read.mock.calls.length).toBeGreaterThan(5), { timeout: 3_000 });
    expect(takeOver).not.toHaveBeenCalled();
    expect(elector.eligibility()).toMatchObject({ eligible: false, why: expect.stringContaining('renews leases') });
    renewer.ready = true;
    await vi.waitFor(() => expect(store.row.term).toBeGreaterThan(0), { timeout: 3_000 });
  });

  it('waits for the ttl of the holder where that is longer than its own, and says once that the settings differ', async () => {
    const store = lease({ row: { term: 3, renewals: 1, released: false, runId: 'other', ttlMs: 700 } });
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
    const startedMs = systemClock.monotonicMs();
    await startElector(store, { log });
    await leads(4);
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThan(690);
    expect(warnings.filter((message) => message.includes('leader-ttl-ms'))).toHaveLength(1);
  });

  it('leads although the data folder takes no writes', async () => {
    const fullDisk = () => {
      throw new Error('ENOSPC');
    };
    await startElector(lease(), { highestTerm: { get: () => 0, set: fullDisk } });
    await leads(1);
  });
});
