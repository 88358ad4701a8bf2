import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { nodesOfEachTest } from '../../integration/cluster/pulse/node-process.ts';

const { database, start } = nodesOfEachTest();

const renewals = async () => {
  const row = z.object({ renewals: z.coerce.number(), run_id: z.string() });
  const [found] = await database().query('SELECT renewals, run_id FROM leader_lease', [], row);
  return found;
};

describe('a main loop that hangs for ever while its renewal thread lives', () => {
  it('is renewed no longer after 15 s; within 25 s another node leads and has its jobs', async () => {
    const hung = await start('a');
    await hung.untilLeading();
    const rival = await start('b');
    const job = { role: 'CHECKSUM', kind: 'checksum', storageId: null, payload: {}, dedupeKey: 'one' } as const;
    await enqueueJobs(database(), [job]);
    expect(await hung.ask('claim')).toEqual({ claimed: 1 });
    hung.tell('hang');
    const sinceMs = performance.now();
    await rival.untilLeading(25_000);
    expect(performance.now() - sinceMs).toBeGreaterThan(12_000);
    // The job goes back to the queue once the heartbeat of its worker has stood long enough.
    await expect.poll(async () => (await rival.ask('claim')).claimed, { timeout: 25_000, interval: 100 }).toBe(1);
    expect(performance.now() - sinceMs).toBeLessThan(25_000);
    expect((await renewals())?.run_id).toBe(rival.runId);
    expect(hung.child.exitCode).toBeNull();
  });
});
