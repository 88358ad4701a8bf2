import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fencedExecute } from '../../../agent/db/queries/fence.ts';
import { createPgDrillStore } from '../../../agent/leader/pg-drill-store.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(() => test.drop());

const node = (name: string) => {
  const self = { runId: randomUUID(), workerId: randomUUID(), name };
  return { ...self, store: createPgLeaseStore(test.database, self) };
};
const take = { highestSeen: 0, why: 'test', ttlMs: 3_000 };
const holder = (runId: string, term: number) => ({ runId, term, assertTrusted: () => {} });
const writeAs = (runId: string, term: number) =>
  fencedExecute(
    test.database,
    holder(runId, term),
    `, changed AS (INSERT INTO storage_root (storage_id) SELECT $3 FROM fence
       ON CONFLICT (storage_id) DO UPDATE SET files = storage_root.files + 1 RETURNING 1)`,
    ['s1'],
  );

describe('take-over', () => {
  it('is won by exactly one of many candidates that saw the same lease', async () => {
    const candidates = Array.from({ length: 8 }, (_, at) => node(`n${at}`));
    const seen = await candidates[0]?.store.read();
    if (!seen) throw new Error('no lease row');
    const terms = await Promise.all(candidates.map(({ store }) => store.takeOver(seen, take)));
    expect(terms.filter((term) => term !== null)).toEqual([1]);
  });

  it('fails when the holder renewed in between', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.store.takeOver(await a.store.read(), take);
    const seen = await b.store.read();
    expect(await a.store.renew(1, 3_000)).toBe(true);
    expect(await b.store.takeOver(seen, take)).toBeNull();
  });

  it('tells candidates the ttl of the holder, from its take-over and its renewals', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.store.takeOver(await a.store.read(), { ...take, ttlMs: 9_000 });
    expect(await b.store.read()).toMatchObject({ ttlMs: 9_000 });
    await a.store.renew(1, 12_000);
    expect(await b.store.read()).toMatchObject({ ttlMs: 12_000 });
  });

  it('never gives out a term twice, not even on a database restored from a backup', async () => {
    const a = node('a');
    expect(await a.store.takeOver(await a.store.read(), { ...take, highestSeen: 41 })).toBe(42);
  });

  it('keeps the term over a release', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.store.takeOver(await a.store.read(), take);
    await a.store.release(1, 'stopping');
    const released = await b.store.read();
    expect(released).toMatchObject({ term: 1, released: true });
    expect(await a.store.renew(1, 3_000)).toBe(false);
    expect(await b.store.takeOver(released, take)).toBe(2);
  });

  it('shows a release that names a successor as free to that run and as another’s to every other, until it is taken', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    await a.store.takeOver(await a.store.read(), take);
    await a.store.release(1, 'drill', b.runId);
    expect(await c.store.read()).toMatchObject({ released: true, isForAnother: true });
    expect(await b.store.read()).toMatchObject({ released: true, isForAnother: false });
    expect(await b.store.takeOver(await b.store.read(), take)).toBe(2);
    await b.store.release(2, 'stopping');
    expect(await c.store.read()).toMatchObject({ released: true, isForAnother: false });
  });
});

describe('a drill whose begin was not confirmed', () => {
  it('is ended by the leadership that began it, and no other drill is', async () => {
    const [a, b] = [node('a'), node('b')];
    const drills = createPgDrillStore(test.database);
    const leadership = (runId: string, term: number) => ({ ...holder(runId, term), signal: AbortSignal.any([]) });
    await a.store.takeOver(await a.store.read(), take);
    await drills.begin(leadership(a.runId, 1), b);
    await b.store.takeOver(await b.store.read(), take);
    await expect(drills.endBegun(leadership(a.runId, 1), 'no')).rejects.toMatchObject({ code: 'leadership-lost' });
    await drills.endBegun(leadership(b.runId, 2), 'nothing to end');
    expect(await drills.open()).toMatchObject({ fromTerm: 1 });
    const drillId = await drills.begin(leadership(b.runId, 2), a);
    await drills.endBegun(leadership(b.runId, 2), 'not completed: test');
    expect(await drills.open()).toBeNull();
    expect(await drills.report(drillId)).toMatchObject({ outcome: 'not completed: test' });
  });
});

describe('the fence', () => {
  it('lets writes of the current term through and none of an old one', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.store.takeOver(await a.store.read(), take);
    expect(await writeAs(a.runId, 1)).toBe(1);
    await b.store.takeOver(await b.store.read(), take);
    await expect(writeAs(a.runId, 1)).rejects.toMatchObject({ code: 'leadership-lost' });
    expect(await writeAs(b.runId, 2)).toBe(1);
  });

  it('makes an old leader’s write that waited for a row fail once a new term has begun meanwhile', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.store.takeOver(await a.store.read(), take);
    const waiting = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    // The take-over transaction is held open while the old leader's write arrives and waits on leader_term.
    const takeOver = test.database.transaction(async (sql) => {
      await sql.execute('UPDATE leader_term SET term = 2, run_id = $1', [b.runId]);
      taken.resolve();
      await waiting.promise;
    });
    await taken.promise;
    const refused = expect(writeAs(a.runId, 1)).rejects.toMatchObject({ code: 'leadership-lost' });
    await untilSomebodyWaits();
    waiting.resolve();
    await takeOver;
    await refused;
  });
});

async function untilSomebodyWaits(): Promise<void> {
  const row = z.object({ waiting: z.number() });
  const text = `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  for (;;) {
    const [found] = await test.database.query(text, [], row);
    if (found && found.waiting > 0) return;
  }
}
