import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LeaseRow } from '../../../agent/leader/election-state.ts';
import { Elector, type ElectorOptions } from '../../../agent/leader/elector.ts';
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

  it('leads although the data folder takes no writes', async () => {
    const fullDisk = () => {
      throw new Error('ENOSPC');
    };
    await startElector(lease(), { highestTerm: { get: () => 0, set: fullDisk } });
    await leads(1);
  });
});
