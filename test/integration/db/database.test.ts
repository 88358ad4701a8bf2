import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { SILENCE, startFaultProxy } from '../../support/fault-proxy.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const settingRow = z.object({ value: z.string() });
const setting = async (sql: Sql, name: string) =>
  (await sql.query('SELECT current_setting($1) AS value', [name], settingRow))[0]?.value;

async function errorOf(work: Promise<unknown>): Promise<IsgError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(IsgError);
  return thrown as IsgError;
}

function throughPort(uri: string, port: number): string {
  const url = new URL(uri);
  url.port = String(port);
  return url.href;
}

let direct: TestDatabase;
let bouncer: TestPgBouncer;
beforeAll(async () => {
  direct = await createTestDatabase();
  bouncer = await startPgBouncer(direct.uri, { poolSize: 2 });
  await direct.database.execute('CREATE TABLE pair (id int PRIMARY KEY, note text)', []);
});
afterAll(async () => {
  await bouncer?.stop();
  await direct?.drop();
});

const open = (uri: string, options = {}) => createDatabase({ uri, log: silentLogger, ...options });

describe.each([
  ['directly', () => direct.uri],
  ['through pgBouncer in transaction mode', () => bouncer.uri],
])('database %s', (_, uri) => {
  it('works in the schema isg without any session setting', async () => {
    const database = open(uri());
    expect(await database.query('SELECT current_schema() AS value', [], settingRow)).toEqual([{ value: 'isg' }]);
    await database.close();
  });

  it('commits when the work resolves and rolls back when it throws', async () => {
    const database = open(uri());
    await database.execute('DELETE FROM pair', []);
    await database.transaction((sql) => sql.execute("INSERT INTO pair VALUES (1, 'kept')", []));
    const failing = database.transaction(async (sql) => {
      await sql.execute("INSERT INTO pair VALUES (2, 'lost')", []);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const rows = await database.query('SELECT id FROM pair', [], z.object({ id: z.number() }));
    expect(rows).toEqual([{ id: 1 }]);
    await database.close();
  });

  it('tells a transaction whose failed statement was swallowed that it was rolled back', async () => {
    const database = open(uri());
    const swallowing = database.transaction(async (sql) => {
      await sql.execute('INSERT INTO pair VALUES (7, NULL)', []);
      await sql.execute('SELECT 1 / 0', []).catch(() => undefined);
    });
    expect((await errorOf(swallowing)).code).toBe('database-conflict');
    expect(await database.execute('SELECT 1 FROM pair WHERE id = 7', [])).toBe(0);
    await database.close();
  });

  it('keeps the limits of a transaction from other transactions and clients', async () => {
    const database = open(uri(), { maxConnections: 6 });
    await Promise.all(
      Array.from({ length: 6 }, () =>
        database.transaction(
          async (sql) => {
            expect(await setting(sql, 'lock_timeout')).toBe('321ms');
            expect(await setting(sql, 'statement_timeout')).toBe('1234ms');
            expect(await setting(sql, 'idle_in_transaction_session_timeout')).toBe('2345ms');
          },
          { lockTimeoutMs: 321, statementTimeoutMs: 1234, idleTimeoutMs: 2345 },
        ),
      ),
    );
    const seen = await Promise.all(Array.from({ length: 12 }, () => setting(database, 'statement_timeout')));
    expect(new Set(seen)).toEqual(new Set(['0']));
    await database.close();
  });

  it('runs the same parameterised text on many shared connections without naming it', async () => {
    const database = open(uri(), { maxConnections: 8 });
    const sums = await Promise.all(
      Array.from({ length: 60 }, (__, n) =>
        database.query('SELECT $1::int + 1 AS sum', [n], z.object({ sum: z.number() })),
      ),
    );
    expect(sums.map((rows) => rows[0]?.sum)).toEqual(Array.from({ length: 60 }, (__, n) => n + 1));
    await database.close();
  });

  it('reports a lock that is held too long as a transient conflict, and the connection stays usable', async () => {
    const database = open(uri(), { maxConnections: 2 });
    await database.execute("INSERT INTO pair VALUES (9, '') ON CONFLICT DO NOTHING", []);
    await database.transaction(async (holder) => {
      await holder.execute('UPDATE pair SET note = $1 WHERE id = 9', ['held']);
      const waiting = database.transaction((sql) => sql.execute("UPDATE pair SET note = '' WHERE id = 9", []), {
        lockTimeoutMs: 100,
      });
      expect(await errorOf(waiting)).toMatchObject({ code: 'database-conflict', retry: 'transient' });
    });
    expect(await database.execute('SELECT 1', [])).toBe(1);
    await database.close();
  });

  it('ends a statement at the limit of its transaction', async () => {
    const database = open(uri());
    const slow = database.transaction((sql) => sql.execute('SELECT pg_sleep(20)', []), { statementTimeoutMs: 100 });
    expect(await errorOf(slow)).toMatchObject({ code: 'database-conflict', fields: { sqlState: '57014' } });
    await database.close();
  });

  it('sets limits on the server for a transaction that names none, so that a silent client’s locks end', async () => {
    const database = open(uri(), { statementTimeoutMs: 7_000 });
    const seen = await database.transaction(async (sql) => [
      await setting(sql, 'statement_timeout'),
      await setting(sql, 'idle_in_transaction_session_timeout'),
    ]);
    expect(seen).toEqual(['7s', '1min']);
    await database.close();
  });

  it('ends a statement of its own at the deadline of this process, in doubt', async () => {
    const database = open(uri(), { statementTimeoutMs: 200 });
    const error = await errorOf(database.execute('SELECT pg_sleep(5)', []));
    expect(error).toMatchObject({ code: 'database-unreachable', retry: 'transient', fields: { inDoubt: true } });
    expect(await database.execute('SELECT 1', [])).toBe(1);
    await database.close();
  });

  it('says that the password is wrong, without showing it', async () => {
    const url = new URL(uri());
    url.password = 'not-the-password';
    const database = open(url.href);
    const error = await errorOf(database.execute('SELECT 1', []));
    expect(error).toMatchObject({ code: 'database-refused', retry: 'permanent' });
    expect(error.message).toMatch(/password/);
    expect(JSON.stringify([error.message, error.fields])).not.toContain('not-the-password');
    await database.close();
  });

  it('refuses a row of another shape without telling its values', async () => {
    const database = open(uri());
    const error = await errorOf(database.query("SELECT 'secret-7' AS id", [], z.object({ id: z.number() })));
    expect(error.code).toBe('unexpected');
    expect(error.message).not.toContain('secret-7');
    await database.close();
  });

  it('fails a statement within its deadline when the connection goes silent, and closes at once', async () => {
    const proxy = await startFaultProxy({ targetPort: Number(new URL(uri()).port) });
    const database = open(throughPort(uri(), proxy.port), { statementTimeoutMs: 300, connectTimeoutMs: 300 });
    await database.execute('SELECT 1', []);
    await proxy.setFaults(SILENCE);
    const startedAt = performance.now();
    const error = await errorOf(database.execute('SELECT 1', []));
    expect(error).toMatchObject({ code: 'database-unreachable', fields: { inDoubt: true } });
    // the broken connection is not used again: now even connecting takes its deadline
    expect(await errorOf(database.execute('SELECT 1', []))).toMatchObject({ code: 'database-unreachable', fields: {} });
    await database.close();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await proxy.stop();
  });

  it('reports a commit whose answer is lost as in doubt, and it may have happened', async () => {
    const proxy = await startFaultProxy({ targetPort: Number(new URL(uri()).port) });
    const database = open(throughPort(uri(), proxy.port), { statementTimeoutMs: 300 });
    await direct.database.execute('DELETE FROM pair WHERE id = 42', []);
    const lost = database.transaction(async (sql) => {
      await sql.execute('INSERT INTO pair VALUES (42, NULL)', []);
      await proxy.setFaults({ cut: { down: 'hold' } });
    });
    expect(await errorOf(lost)).toMatchObject({ code: 'database-unreachable', fields: { inDoubt: true } });
    expect(await direct.database.execute('SELECT 1 FROM pair WHERE id = 42', [])).toBe(1);
    await database.close();
    await proxy.stop();
  });

  it('recovers by itself after its connections were cut', async () => {
    const database = open(uri(), { maxConnections: 3 });
    const cut = database.transaction(async (sql) => {
      const [row] = await sql.query('SELECT pg_backend_pid() AS pid', [], z.object({ pid: z.number() }));
      await direct.database.execute('SELECT pg_terminate_backend($1)', [row?.pid]);
      await sql.execute('SELECT 1', []);
    });
    const error = await errorOf(cut);
    expect(error.retry).toBe('transient');
    expect(error.fields.inDoubt).toBeUndefined();
    expect(await database.execute('SELECT 1', [])).toBe(1);
    await database.close();
  });
});

describe('several hosts', () => {
  it('takes the next host when the first does not listen, and stays with it', async () => {
    const { host } = new URL(direct.uri);
    const database = open(direct.uri.replace(host, `127.0.0.1:1,${host}`));
    expect(await database.execute('SELECT 1', [])).toBe(1);
    await database.close();
  });

  it('refuses a writable server when a standby is demanded', async () => {
    const database = open(`${direct.uri}&target_session_attrs=standby`);
    expect((await errorOf(database.execute('SELECT 1', []))).code).toBe('database-refused');
    await database.close();
  });

  it('goes on without TLS under sslmode=prefer and refuses under sslmode=require', async () => {
    const prefer = open(direct.uri.replace('sslmode=disable', 'sslmode=prefer'), { maxConnections: 3 });
    const answers = await Promise.all(Array.from({ length: 9 }, () => prefer.execute('SELECT 1', [])));
    expect(answers).toEqual(Array.from({ length: 9 }, () => 1));
    await prefer.close();
    const require = open(direct.uri.replace('sslmode=disable', 'sslmode=require'));
    const error = await errorOf(require.execute('SELECT 1', []));
    expect(error).toMatchObject({ code: 'database-refused' });
    expect(error.message).toMatch(/sslmode/);
    await require.close();
  });
});

it('refuses statements after close and after the end of a transaction', async () => {
  const database = open(direct.uri);
  const escaped = await database.transaction(async (sql) => ({ sql }));
  await expect(escaped.sql.execute('SELECT 1', [])).rejects.toThrow(/after its transaction/);
  await database.close();
  expect((await errorOf(database.execute('SELECT 1', []))).code).toBe('stopped');
  expect((await errorOf(database.transaction(async () => 1))).code).toBe('stopped');
});
