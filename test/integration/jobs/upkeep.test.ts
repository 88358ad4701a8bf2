import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enqueueJobs } from '../../../agent/db/queries/job.ts';
import { unclaimedWork } from '../../../agent/db/queries/job-upkeep.ts';
import { createPgUpkeepStore } from '../../../agent/jobs/pg-upkeep-store.ts';
import { JobUpkeep } from '../../../agent/jobs/upkeep.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
const runId = randomUUID();
beforeEach(async () => {
  test = await createTestDatabase();
  await test.database.execute('UPDATE leader_term SET term = 7, run_id = $1', [runId]);
});
afterEach(() => test.drop());

const holder = (term = 7) => ({ term, runId, signal: new AbortController().signal, assertTrusted: () => {} });
const add = async (state: string, endedDaysAgo: number, key: string) => {
  await test.database.execute(
    `INSERT INTO job (role, kind, payload, dedupe_key, state, finished_at)
     VALUES ('CHECKSUM', 'checksum', '{}', $1, $2, now() - make_interval(days => $3))`,
    [key, state, endedDaysAgo],
  );
};
const keys = async () => {
  const rows = await test.database.query('SELECT dedupe_key AS key FROM job', [], z.object({ key: z.string() }));
  return rows.map(({ key }) => key).sort();
};
const wait = (kind: string, minutes: number, over: { storageId?: string; role?: 'CHECKSUM' | 'TRANSCODE' } = {}) =>
  enqueueJobs(test.database, [
    { role: 'CHECKSUM', kind, storageId: null, payload: {}, dedupeKey: randomUUID(), ...over },
  ]).then(([job]) =>
    test.database.execute('UPDATE job SET run_at = now() - make_interval(mins => $2) WHERE job_id = $1', [
      job?.jobId,
      minutes,
    ]),
  );

describe('retention', () => {
  it('deletes done and cancelled jobs after a week, failed ones after a month, and nothing else', async () => {
    await add('done', 8, 'done-old');
    await add('done', 6, 'done-new');
    await add('cancelled', 8, 'cancelled-old');
    await add('failed', 29, 'failed-new');
    await add('failed', 31, 'failed-old');
    await wait('checksum', 60 * 24 * 90);
    const before = await keys();
    expect(await createPgUpkeepStore(test.database).deleteEnded(holder())).toEqual({ deleted: 3, hasMore: false });
    const gone = before.filter((key) => key.endsWith('-old'));
    expect(await keys()).toEqual(before.filter((key) => !gone.includes(key)));
  });

  it('keeps a job whose end iconik has not been told', async () => {
    await add('done', 8, 'untold');
    await add('done', 8, 'told');
    await test.database.execute(
      `INSERT INTO job_origin (record_kind, record_id, storage_id, job_id, settled_at)
       SELECT 'transcode', dedupe_key, 's', job_id, CASE WHEN dedupe_key = 'told' THEN now() END FROM job`,
      [],
    );
    await createPgUpkeepStore(test.database).deleteEnded(holder());
    expect(await keys()).toEqual(['untold']);
  });

  it('deletes nothing under a term that is over', async () => {
    await add('done', 8, 'old');
    const deleting = createPgUpkeepStore(test.database).deleteEnded(holder(6));
    await expect(deleting).rejects.toMatchObject({ code: 'leadership-lost' });
    expect(await keys()).toEqual(['old']);
  });
});

describe('work that nobody takes', () => {
  it('is told by kind and storage, with whether anybody has the role', async () => {
    await wait('of-the-next-version', 15);
    await wait('checksum', 20, { storageId: 's1' });
    await wait('checksum', 5, { storageId: 's2' });
    expect(await unclaimedWork(test.database, 10)).toMatchObject([
      { kind: 'checksum', storageId: 's1', waitingMinutes: 20, hasRoleHolder: false },
      { kind: 'of-the-next-version', storageId: null, waitingMinutes: 15 },
    ]);
  });

  it('is not what stands in a long queue that moves', async () => {
    await wait('checksum', 20);
    await wait('checksum', 20);
    await test.database.execute(
      "UPDATE job SET state = 'done', finished_at = now() WHERE job_id = (SELECT min(job_id) FROM job)",
      [],
    );
    expect(await unclaimedWork(test.database, 10)).toEqual([]);
  });

  it('shows as trouble of the leader while it leads', async () => {
    await wait('of-the-next-version', 15);
    const leading = new AbortController();
    const upkeep = new JobUpkeep({
      store: createPgUpkeepStore(test.database),
      clock: systemClock,
      log: silentLogger,
      everyMs: 10,
    });
    const running = upkeep.run({ ...holder(), signal: leading.signal });
    await expect.poll(() => upkeep.troubles()[0]?.reason).toContain('of-the-next-version');
    leading.abort();
    await running;
    expect(upkeep.troubles()).toEqual([]);
  });
});
