import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { LaneDemand } from '../../../agent/contract/index.ts';
import type { IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { createPgJobStore } from '../../../agent/jobs/pg-job-store.ts';
import { createQueueWork } from '../../../agent/roles/main/queues/queue-work.ts';
import { createSettleWork } from '../../../agent/roles/main/queues/settle.ts';
import { createTranscoderProfiles } from '../../../agent/roles/main/transcoders/transcoder-profiles.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { createWorkbench, type TestLeadership, type Workbench } from '../../integration/main/workbench.ts';
import { applyEffect, createLedger } from './ledger.ts';

/** Records of iconik that come again and again: one job each, and one effect each. */

const LANES: readonly LaneDemand[] = [
  { role: 'TRANSFER', kinds: ['upload', 'download'], slots: 9 },
  { role: 'MAIN', kinds: ['delete'], slots: 9 },
  { role: 'TRANSCODE', kinds: ['transcode'], slots: 9, takenByProfile: {} },
];
const ORDERS = 4;

let bench: Workbench;
beforeEach(async () => {
  bench = await createWorkbench();
  await createLedger(bench.database);
});
afterEach(() => bench.close());

/** Lists that show every record twice, and, while they lag, what they have shown before. */
class LaggingLists {
  isLagging = false;
  readonly calls = new Map<string, number>();
  readonly #shown = new Map<string, unknown[]>();

  /** The same iconik with these lists. */
  over({ storages, transcode, files }: IconikClient): Pick<IconikClient, 'storages' | 'transcode' | 'files'> {
    return {
      files,
      storages: {
        ...storages,
        transfersFrom: this.#twice('transfers_from', (id: string) => storages.transfersFrom(id)),
        transfersTo: this.#twice('transfers_to', (id: string) => storages.transfersTo(id)),
        deletions: this.#twice('deletions', (id: string) => storages.deletions(id)),
      },
      transcode: { ...transcode, queue: this.#twice('transcode', (id: string) => transcode.queue(id)) },
    };
  }

  /** Whether each list was read `times` times since the counts were cleared. */
  wereRead(times: number): boolean {
    return this.calls.size === ORDERS && [...this.calls.values()].every((count) => count >= times);
  }

  #twice<Args extends unknown[], Item>(name: string, list: (...args: Args) => Promise<Item[]>) {
    return async (...args: Args): Promise<Item[]> => {
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      const now = await list(...args);
      const shown = this.isLagging ? ((this.#shown.get(name) as Item[] | undefined) ?? now) : now;
      this.#shown.set(name, shown);
      return [...shown, ...shown];
    };
  }
}

const count = async (text: string) => {
  const [row] = await bench.rows(`SELECT count(*)::int AS n FROM ${text}`, z.object({ n: z.number() }));
  return row?.n;
};

async function orderEach(): Promise<void> {
  const { standIn, storageId, cloudId } = bench;
  const [up, down, gone, clip] = await Promise.all(
    ['up.mov', 'down.mov', 'gone.mov', 'clip.mov'].map((path) => bench.knownFile({ path: `a/${path}` })),
  );
  if (!up || !down || !gone || !clip) throw new Error('four files were made');
  standIn.orderUpload({ fileSetId: up.fileSetId, destinationStorageId: cloudId });
  standIn.orderDownload({ fileSetId: down.fileSetId, storageId, directoryPath: 'in' });
  standIn.orderDelete({ fileId: gone.fileId });
  standIn.orderTranscode({ fileId: clip.fileId });
}

/** A worker that is also the leader of the given term. */
const workerOf = ({ term, runId }: TestLeadership) => {
  const store = createPgJobStore(bench.database, { runId, workerId: randomUUID() });
  return { store, claim: () => store.claim(LANES, { storageIds: [bench.storageId], term, visibilityTimeoutS: 60 }) };
};

describe('a record of each queue, listed twice in each list', () => {
  it('is one job and one effect, whichever leader reads it and however long the lists lag behind', async () => {
    const lists = new LaggingLists();
    const shared = { database: bench.database, clock: systemClock, log: bench.log };
    const deliver = async () => {
      lists.calls.clear();
      const work = createQueueWork({
        ...shared,
        iconik: lists.over(bench.iconik),
        transcoders: createTranscoderProfiles({ ...shared, iconik: bench.iconik }),
        storageIds: () => [bench.storageId],
        storage: () => null,
        restart: () => {},
        random: Math.random,
        pollIntervalMs: 20,
        reconcileIntervalMs: 20,
        forgetMs: 0,
      });
      // A new leader each time. It forgets by two looks, and what the second one found is in once it looks a third time.
      await bench.runUntil(work, () => lists.wereRead(3));
    };
    await orderEach();
    await deliver();
    expect(await count('job')).toBe(ORDERS);

    const worker = workerOf(await bench.lead());
    const leases = await worker.claim();
    expect(leases).toHaveLength(ORDERS);
    await deliver();
    expect(await count('job')).toBe(ORDERS);

    for (const [at, lease] of leases.entries()) {
      const apply = () =>
        worker.store.end(lease, { state: 'done', result: {} }, (sql) => applyEffect(sql, at, lease.leaseToken));
      // Asked again, as when the answer of the commit got lost.
      expect([await apply(), await apply()]).toEqual(['ended', 'ended']);
    }
    await deliver();
    const settle = createSettleWork({
      ...shared,
      iconik: bench.iconik,
      random: () => 0,
      intervalMs: 20,
      progressIntervalMs: 20,
    });
    await bench.runUntil(settle, async () => (await count('job_origin WHERE settled_at IS NULL')) === 0);
    lists.isLagging = true;
    await deliver();
    await deliver();
    expect(await count('job_origin')).toBe(ORDERS);

    lists.isLagging = false;
    await deliver();
    expect(await count('job_origin')).toBe(0);
    expect(await workerOf(await bench.lead()).claim()).toEqual([]);
    expect(await count('job')).toBe(ORDERS);
    expect(await count('effect')).toBe(ORDERS);
  });

  it('adds nothing when the list of an earlier leader comes after all is over', async () => {
    const lists = new LaggingLists();
    lists.isLagging = true;
    await orderEach();
    const iconik = lists.over(bench.iconik);
    const read = async () => {
      await iconik.storages.transfersFrom(bench.storageId);
      await iconik.storages.transfersTo(bench.storageId);
      await iconik.storages.deletions(bench.storageId);
      await iconik.transcode.queue(bench.storageId);
    };
    await read();
    const old = await bench.lead();
    await bench.lead();
    lists.calls.clear();
    const late = createQueueWork({
      iconik,
      database: bench.database,
      clock: systemClock,
      log: bench.log,
      transcoders: createTranscoderProfiles({ iconik: bench.iconik, clock: systemClock, log: bench.log }),
      storageIds: () => [bench.storageId],
      storage: () => null,
      restart: () => {},
      random: () => 0,
      pollIntervalMs: 20,
      reconcileIntervalMs: 20,
    }).run(old);
    // Refused at its first write, it looks no second time before seconds have passed.
    await expect.poll(() => lists.wereRead(1), { timeout: 60_000, interval: 20 }).toBe(true);
    await expect.poll(() => lists.wereRead(2), { timeout: 60_000, interval: 20 }).toBe(true);
    old.end();
    await late;
    expect(await count('job')).toBe(0);
  });
});
