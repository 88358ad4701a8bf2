import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { LogShipper } from '../../../agent/cluster/log-shipping/log-shipper.ts';
import { createNodeLogUpkeep } from '../../../agent/cluster/log-shipping/node-log-upkeep.ts';
import { createDatabase } from '../../../agent/db/database.ts';
import { forgetOutboxes } from '../../../agent/db/queries/node-log.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { startPgBouncer } from '../../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { row } from '../cache/log-rows.ts';

let test: TestDatabase;
let folder: string;
let file: OutboxFile;
const shippers: LogShipper[] = [];
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-shipping-'));
  file = new OutboxFile(join(folder, 'log.db'), 'run', 64_000_000);
});
afterEach(async () => {
  for (const shipper of shippers.splice(0)) await shipper.stop();
  if (file.database.open) file.close();
  await rm(folder, { recursive: true });
});

let batchNo = 0;
function put(count: number, into = file): void {
  batchNo += 1;
  const first = into.identity().nextSeq;
  const records = Array.from({ length: count }, (_, n) => row(`record ${first + n}`));
  into.append([{ no: batchNo, records, dropped: [] }]);
}

function ship(options: { uri?: string; open?: (uri: string) => Database; from?: OutboxFile } = {}) {
  const { uri = test.uri, from = file } = options;
  const told: string[] = [];
  const shipper = new LogShipper(
    { uri, workerId: 'worker-1', node: 'node-a' },
    {
      use: (work) => work(from),
      clock: systemClock,
      random: () => 0,
      isBusy: () => false,
      onStatus: () => undefined,
      onTold: (_, message) => told.push(message),
      ...(options.open && { open: options.open }),
    },
  );
  shippers.push(shipper);
  return { shipper, told };
}

const shippedRow = z.object({ seq: z.coerce.number(), message: z.string() });
const shipped = (outboxId: string) =>
  test.database.query('SELECT seq, message FROM node_log WHERE outbox_id = $1 ORDER BY seq', [outboxId], shippedRow);
const untilShipped = (from = file) =>
  expect
    .poll(() => (from.identity().claimFrom === null ? from.identity().nextSeq - 1 - from.identity().shippedSeq : -1), {
      timeout: 30_000,
    })
    .toBe(0);
const seqsTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);

describe('shipping the log', () => {
  it('brings each record once, in order, with what it is about, through pgBouncer in transaction mode, too', async () => {
    put(1_200);
    file.append([
      {
        no: batchNo + 1,
        dropped: [],
        records: [{ ...row('about', 'warn'), fields: '{"role":"MAIN","jobId":7,"storageId":"s","term":3,"n":1}' }],
      },
    ]);
    batchNo += 1;
    const pooler = await startPgBouncer(test.uri);
    try {
      ship({ uri: pooler.uri });
      await untilShipped();
    } finally {
      await pooler.stop();
    }
    const { outboxId } = file.identity();
    expect((await shipped(outboxId)).map(({ seq }) => seq)).toEqual(seqsTo(1_201));
    const text =
      'SELECT level, role, job_id, storage_id, term::int AS term, fields, node, worker_id FROM node_log JOIN log_outbox USING (outbox_id) WHERE outbox_id = $1 AND seq = 1201';
    expect(await test.database.query(text, [outboxId], z.unknown())).toEqual([
      {
        level: 2,
        role: 'MAIN',
        job_id: '7',
        storage_id: 's',
        term: 3,
        fields: { jobId: 7, n: 1 },
        node: 'node-a',
        worker_id: 'worker-1',
      },
    ]);
  });

  it('finds out what has become of a batch whose answer was lost, whether it was committed or not', async () => {
    put(2_000);
    let call = 0;
    const open = (uri: string): Database => {
      const real = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
      const lost = () =>
        new IsgError('database-unreachable', 'the answer was lost', { retry: 'transient', fields: { inDoubt: true } });
      return {
        ...real,
        async query(text, values, schema) {
          if (!text.includes('INSERT INTO node_log')) return real.query(text, values, schema);
          call += 1;
          if (call % 3 === 1) throw lost();
          const rows = await real.query(text, values, schema);
          if (call % 3 === 2) throw lost();
          return rows;
        },
      };
    };
    const { told } = ship({ open });
    await untilShipped();
    expect((await shipped(file.identity().outboxId)).map(({ seq }) => seq)).toEqual(seqsTo(2_000));
    expect(call).toBeGreaterThan(2);
    expect(told[0]).toContain('not shipped');
    expect(told.at(-1)).toContain('shipped again');
  });

  it('does not let a late statement of a lost connection add anything twice', async () => {
    put(100);
    const first = ship();
    await untilShipped();
    await first.shipper.stop();
    const { outboxId, holder } = file.identity();
    const { shipRecords } = await import('../../../agent/db/queries/node-log.ts');
    const late = {
      seq: 101,
      atMs: 1,
      level: 1,
      message: 'late',
      role: null,
      job: null,
      storage: null,
      term: null,
      fields: '{}',
    };
    put(1);
    ship();
    await untilShipped();
    const guard = { outboxId, holder: holder ?? '', watermark: 100 };
    expect(await shipRecords(test.database, guard, [late])).toBe(false);
    expect((await shipped(outboxId)).at(-1)).toEqual({ seq: 101, message: 'record 101' });
  });

  it('gives a file that was rolled back a new outbox, and brings what came after that once', async () => {
    put(50);
    const before = ship();
    await untilShipped();
    await before.shipper.stop();
    file.close();
    await copyFile(join(folder, 'log.db'), join(folder, 'backup.db'));
    file = new OutboxFile(join(folder, 'log.db'), 'run', 64_000_000);
    put(50);
    const first = ship();
    await untilShipped();
    await first.shipper.stop();
    const { outboxId } = file.identity();
    file.close();
    for (const suffix of ['-wal', '-shm']) await rm(join(folder, `log.db${suffix}`), { force: true });
    await copyFile(join(folder, 'backup.db'), join(folder, 'log.db'));
    file = new OutboxFile(join(folder, 'log.db'), 'run-2', 64_000_000);
    // As many as the watermark already counts, so that numbers alone would not tell.
    put(80);
    const { told } = ship();
    await expect.poll(() => file.identity().outboxId, { timeout: 30_000 }).not.toBe(outboxId);
    await untilShipped();
    expect(told.join()).toContain('rolled back');
    expect(await shipped(outboxId)).toHaveLength(100);
    expect((await shipped(file.identity().outboxId)).map(({ seq }) => seq)).toEqual(seqsTo(130).slice(50));
  });

  it('of a file and its copy lets one go on and gives the other a new outbox, even while both ship; nothing is lost', async () => {
    put(50);
    const first = ship();
    await untilShipped();
    await first.shipper.stop();
    file.close();
    await copyFile(join(folder, 'log.db'), join(folder, 'copy.db'));
    file = new OutboxFile(join(folder, 'log.db'), 'run', 64_000_000);
    const copy = new OutboxFile(join(folder, 'copy.db'), 'run-2', 64_000_000);
    try {
      ship();
      put(10);
      await untilShipped();
      put(30, copy);
      const copied = ship({ from: copy });
      await untilShipped(copy);
      put(7);
      await untilShipped();
      expect(copy.identity().outboxId).not.toBe(file.identity().outboxId);
      expect((await shipped(copy.identity().outboxId)).at(-1)?.seq).toBe(80);
      expect((await shipped(file.identity().outboxId)).at(-1)?.seq).toBe(67);
      await copied.shipper.stop();
    } finally {
      copy.close();
    }
  });

  it.each([
    ['that forgot the latest records, its word the same', false],
    ['that forgot the latest records and the last claim', true],
  ])(
    'ships again what a database does not have any more %s, over a connection that lives on',
    async (_, forgetsClaim) => {
      put(100);
      ship();
      await untilShipped();
      const { outboxId } = file.identity();
      await test.database.execute('DELETE FROM node_log WHERE outbox_id = $1 AND seq > 60', [outboxId]);
      const fallBack = 'UPDATE log_outbox SET watermark = 60, holder = coalesce($2::uuid, holder) WHERE outbox_id = $1';
      await test.database.execute(fallBack, [outboxId, forgetsClaim ? crypto.randomUUID() : null]);
      put(1);
      const all = async () => {
        const ids = new Set([outboxId, file.identity().outboxId]);
        const rows = await Promise.all([...ids].map((id) => shipped(id)));
        return rows.flat().map(({ message }) => message);
      };
      await expect.poll(async () => (await all()).at(-1), { timeout: 30_000 }).toBe('record 101');
      await untilShipped();
      expect(await all()).toEqual(seqsTo(101).map((seq) => `record ${seq}`));
      expect(file.identity().outboxId === outboxId).toBe(!forgetsClaim);
    },
  );

  it.each([
    ['a level that there is not', 'SET level = 9'],
    ['a level that is no small number', 'SET level = 70000'],
    ['an instant outside of the calendar', 'SET at_ms = 1 << 60'],
    ['an instant before all', 'SET at_ms = -(1 << 60)'],
  ])('is not held up by a record that a damaged disk gave %s', async (_, damage) => {
    put(20);
    file.database.exec(`UPDATE log_record ${damage} WHERE seq = 7`);
    const { told } = ship();
    await untilShipped();
    const messages = (await shipped(file.identity().outboxId)).map(({ message }) => message);
    expect(messages).toEqual(seqsTo(20).map((seq) => `record ${seq}`));
    expect(told).toEqual([]);
  });

  it('ships in smaller batches where large ones do not come through', async () => {
    put(2_000);
    const sizes: number[] = [];
    const open = (uri: string): Database => {
      const real = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
      return {
        ...real,
        async query(text, values, schema) {
          if (!text.includes('INSERT INTO node_log')) return real.query(text, values, schema);
          const rows = z.array(z.unknown()).parse(values?.[4]).length;
          sizes.push(rows);
          if (rows > 400) throw new IsgError('database-unreachable', 'no answer in time', { retry: 'transient' });
          return real.query(text, values, schema);
        },
      };
    };
    ship({ open });
    await untilShipped();
    expect((await shipped(file.identity().outboxId)).map(({ seq }) => seq)).toEqual(seqsTo(2_000));
    // it does not run into the same wall again and again
    expect(sizes.filter((rows) => rows > 400)).toHaveLength(1);
  });

  it.each([
    ['answers late', false],
    ['commits, but whose answer is lost', true],
  ])('does not count as dropped what the cap removes while a database %s, and what arrives then', async (_, isLost) => {
    file.close();
    file = new OutboxFile(join(folder, 'log.db'), 'run-2', 2_000_000);
    const underWay = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let batches = 0;
    const open = (uri: string): Database => {
      const real = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
      return {
        ...real,
        async query(text, values, schema) {
          if (!text.includes('INSERT INTO node_log')) return real.query(text, values, schema);
          batches += 1;
          if (batches > 1) return real.query(text, values, schema);
          underWay.resolve();
          await goOn.promise;
          const rows = await real.query(text, values, schema);
          if (isLost) throw new IsgError('database-unreachable', 'the answer was lost', { retry: 'transient' });
          return rows;
        },
      };
    };
    put(1_000);
    ship({ open });
    await underWay.promise;
    for (let n = 0; n < 11; n += 1) put(1_000);
    expect(file.dropCounts().cap[1]).toBeGreaterThan(1_000);
    goOn.resolve();
    await untilShipped();
    const arrived = await shipped(file.identity().outboxId);
    expect(arrived.length + (file.dropCounts().cap[1] ?? 0)).toBe(12_000);
  });

  it('is not held up by a record that the database does not take', async () => {
    put(20);
    batchNo += 1;
    file.append([
      {
        no: batchNo,
        dropped: [],
        records: [
          { ...row('bad\0text'), fields: '{"a":"\\u0000"}' },
          { ...row('no json'), fields: '{' },
        ],
      },
    ]);
    put(20);
    ship();
    await untilShipped();
    const messages = (await shipped(file.identity().outboxId)).map(({ message }) => message);
    expect(messages).toHaveLength(42);
    expect(messages.slice(20, 22)).toEqual(['bad?text', 'no json']);
  });
});

describe('a record that is in the database although the watermark says otherwise', () => {
  it('stays as it is, once, and holds up nothing', async () => {
    put(10);
    const { outboxId } = file.identity();
    await test.database.execute(
      "INSERT INTO node_log (outbox_id, seq, at, level, message, fields) VALUES ($1, 4, now(), 1, 'was here', '{}')",
      [outboxId],
    );
    const { told } = ship();
    await untilShipped();
    const rows = await shipped(outboxId);
    expect(rows.map(({ seq }) => seq)).toEqual(seqsTo(10));
    expect(rows[3]?.message).toBe('was here');
    expect(told).toEqual([]);
  });
});

describe('an outbox of which nothing is left', () => {
  const leadAs = async (term: number) => {
    const runId = crypto.randomUUID();
    await test.database.execute('UPDATE leader_term SET term = $2, run_id = $1', [runId, term]);
    return { term, runId, assertTrusted: () => undefined };
  };
  const known = async () =>
    (await test.database.query('SELECT outbox_id FROM log_outbox', [], z.object({ outbox_id: z.string() }))).map(
      ({ outbox_id: id }) => id,
    );
  const age = (outboxId: string, days: number) =>
    test.database.execute('UPDATE log_outbox SET shipped_at = now() - make_interval(days => $2) WHERE outbox_id = $1', [
      outboxId,
      days,
    ]);
  const add = async (days: number) => {
    const id = crypto.randomUUID();
    const text = 'INSERT INTO log_outbox (outbox_id, worker_id, node, holder, watermark) VALUES ($1, $2, $2, $1, 7)';
    await test.database.execute(text, [id, 'gone']);
    await age(id, days);
    return id;
  };

  it('is forgotten when it has not moved for the retention, by the leader only', async () => {
    const [old, young, kept] = [await add(31), await add(29), await add(31)];
    await test.database.execute(
      "INSERT INTO node_log (outbox_id, seq, at, level, message, fields) VALUES ($1, 1, now(), 1, 'x', '{}')",
      [kept],
    );
    const holder = await leadAs(7);
    await expect(forgetOutboxes(test.database, { ...holder, term: 6 }, 30, 100)).rejects.toMatchObject({
      code: 'leadership-lost',
    });
    expect(await known()).toEqual(expect.arrayContaining([old, young, kept]));
    expect(await forgetOutboxes(test.database, holder, 30, 100)).toBe(1);
    const left = await known();
    expect(left).toEqual(expect.arrayContaining([young, kept]));
    expect(left).not.toContain(old);
  });

  it('is not forgotten when it is shipped in that moment', async () => {
    const id = await add(31);
    const holder = await leadAs(8);
    await test.database.transaction(async (sql) => {
      await sql.execute('UPDATE log_outbox SET shipped_at = now() WHERE outbox_id = $1', [id]);
      expect(await forgetOutboxes(test.database, holder, 30, 100)).toBe(0);
    });
    expect(await forgetOutboxes(test.database, holder, 30, 100)).toBe(0);
    expect(await known()).toContain(id);
  });

  it('ships what it has not shipped when it comes back after that, each record once', async () => {
    put(50);
    const before = ship();
    await untilShipped();
    await before.shipper.stop();
    const { outboxId } = file.identity();
    await test.database.execute('DELETE FROM node_log WHERE outbox_id = $1', [outboxId]);
    await age(outboxId, 31);
    expect(await forgetOutboxes(test.database, await leadAs(9), 30, 100)).toBe(1);
    put(10);
    ship();
    await untilShipped();
    expect(file.identity().outboxId).toBe(outboxId);
    expect((await shipped(outboxId)).map(({ seq }) => seq)).toEqual(seqsTo(60).slice(50));
    const text = 'SELECT watermark FROM log_outbox WHERE outbox_id = $1';
    expect(await test.database.query(text, [outboxId], z.object({ watermark: z.coerce.number() }))).toEqual([
      { watermark: 60 },
    ]);
  });
});

describe('the care for the cluster’s log', () => {
  it('deletes what arrived too long ago, in steps, and nothing under a term that is over', async () => {
    const outboxId = crypto.randomUUID();
    await test.database.execute(
      `INSERT INTO node_log (outbox_id, seq, at, level, message, fields, received_at)
       SELECT $1, n, now(), 1, 'x', '{}', now() - make_interval(days => n) FROM generate_series(1, 40) AS n`,
      [outboxId],
    );
    const runId = crypto.randomUUID();
    await test.database.execute('UPDATE leader_term SET term = 5, run_id = $1', [runId]);
    const stop = new AbortController();
    const options = { database: test.database, clock: systemClock, log: silentLogger, days: 30, batch: 3, everyMs: 10 };
    const leadership = (term: number) => ({ term, runId, signal: stop.signal, assertTrusted: () => undefined });
    const ended = createNodeLogUpkeep(options).run(leadership(4));
    await systemClock.sleep(50);
    expect(await shipped(outboxId)).toHaveLength(40);
    const running = createNodeLogUpkeep(options).run(leadership(5));
    await expect.poll(async () => (await shipped(outboxId)).length, { timeout: 20_000 }).toBe(29);
    stop.abort();
    await Promise.all([ended, running]);
  });
});
