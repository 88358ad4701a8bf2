import { afterEach, describe, expect, it } from 'vitest';
import { FigureReader, standingKey } from '../../../agent/operator/figures.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createManualClock } from '../iconik/manual-clock.ts';

const EMPTY_CLUSTER = {
  queued: {},
  running_by_worker: {},
  last_seen_ms: {},
  started_ms: {},
  last_failures: [],
  history: [],
  failed_jobs: 0,
};
/** A database whose one answer fits the figures of the cluster; the other kinds have none. */
const database: Sql = {
  query: async (text, _values, row) => (text.includes('running_by_worker') ? [row.parse(EMPTY_CLUSTER)] : []),
  execute: async () => 0,
};

describe('the count of a worker’s running jobs', () => {
  let reader: FigureReader;
  afterEach(() => reader.stop());

  it('holds for how it stands only when it was read later than a claim on its way can have lasted', async () => {
    const clock = createManualClock();
    reader = new FigureReader({ database, clock, log: silentLogger, onRead: () => undefined });
    const worker = { worker_id: 'w', run_id: 'r', availability_status: 'available' };
    const paused = { ...worker, availability_status: 'draining' };
    const counted = () => reader.current().countedFor?.get('w');
    reader.observe([worker]);
    reader.start();
    await clock.advance(1_999);
    expect(reader.current().cluster).not.toBeNull();
    expect(counted()).toBeUndefined();
    await clock.advance(1);
    expect(counted()).toBe(standingKey(worker));
    reader.observe([paused]);
    await clock.advance(1_000);
    reader.observe([paused]);
    // A read that was asked for out of turn begins too early.
    reader.hurry();
    await clock.advance(0);
    expect(counted()).toBeUndefined();
    await clock.advance(2_000);
    expect(counted()).toBe(standingKey(paused));
  });
});
