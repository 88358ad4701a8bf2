import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { fencedExecute } from '../../../agent/db/queries/fence.ts';
import type { EndedBackend } from '../../../agent/db/queries/leader-block.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';
import { asSuperuser, createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
let pooler: TestPgBouncer | null = null;
let clients: Client[] = [];
let databases: Database[] = [];
beforeEach(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.end().catch(() => {})));
  await Promise.all(databases.map((database) => database.close()));
  [clients, databases] = [[], []];
  await pooler?.stop();
  pooler = null;
  await test.drop();
});

/** A connection whose owner has stopped in the middle of a transaction: it holds its locks and says nothing any more. */
async function frozen(...statements: string[]): Promise<Client> {
  const client = new Client({ connectionString: test.uri });
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  for (const statement of ['BEGIN', ...statements]) await client.query(statement);
  return client;
}

function candidate(uri = test.uri) {
  const ended: EndedBackend[] = [];
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 3, statementTimeoutMs: 1_000 });
  databases.push(database);
  const self = { runId: randomUUID(), workerId: randomUUID(), name: 'candidate' };
  const store = createPgLeaseStore(database, self, { onEnded: (backend) => ended.push(backend) });
  return { ...self, database, store, ended };
}

const take = { highestSeen: 0, why: 'test', ttlMs: 3_000 };
const FOR_SHARE = 'SELECT 1 FROM leader_term FOR SHARE';

/** As the elector does it: reads and tries until it has won, at most `tries` times. */
async function takeOver({ store }: ReturnType<typeof candidate>, tries: number): Promise<number | null> {
  for (let at = 0; at < tries; at += 1) {
    const term = await store.takeOver(await store.read(), take).catch(() => null);
    if (term !== null) return term;
  }
  return null;
}

describe('a take-over that is blocked', () => {
  it.each(['directly', 'through pgBouncer'])(
    'by a frozen leader’s open transaction wins within 2 s, %s',
    async (how) => {
      if (how === 'through pgBouncer') pooler = await startPgBouncer(test.uri, { poolSize: 3 });
      await frozen(FOR_SHARE);
      const node = candidate(pooler?.uri);
      const seen = await node.store.read();
      const beganMs = performance.now();
      await expect(node.store.takeOver(seen, take)).rejects.toMatchObject({ fields: { sqlState: '55P03' } });
      expect(node.ended).toEqual([]);
      expect(await node.store.takeOver(seen, take)).toBe(1);
      expect(performance.now() - beganMs).toBeLessThan(2_000);
      expect(node.ended).toMatchObject([{ ended: true, state: 'idle in transaction' }]);
    },
  );

  it('by a renewal that was never committed wins, too', async () => {
    await frozen('UPDATE leader_lease SET renewals = renewals');
    expect(await takeOver(candidate(), 3)).toBe(1);
  });

  it('by a fenced statement that itself waits for a row wins, and the statement changes nothing', async () => {
    const old = candidate();
    expect(await takeOver(old, 1)).toBe(1);
    await test.database.execute("INSERT INTO storage_root (storage_id) VALUES ('s1')", []);
    await frozen("SELECT 1 FROM storage_root WHERE storage_id = 's1' FOR UPDATE");
    const stuck = fencedExecute(
      test.database,
      { runId: old.runId, term: 1, assertTrusted: () => {} },
      ", changed AS (UPDATE storage_root SET files = 7 FROM fence WHERE storage_id = 's1' RETURNING 1)",
      [],
    );
    const ends = expect(stuck).rejects.toThrow();
    await expect.poll(async () => blockedBackends(), { timeout: 5_000 }).toBe(1);
    const node = candidate();
    expect(await takeOver(node, 3)).toBe(2);
    await ends;
    expect(node.ended).toHaveLength(1);
    const files = await test.database.query('SELECT files::int FROM storage_root', [], z.object({ files: z.number() }));
    expect(files).toEqual([{ files: 0 }]);
  });

  it('leaves other candidates that wait for the same lock alone: one of them wins', async () => {
    await frozen(FOR_SHARE);
    const nodes = [candidate(), candidate(), candidate()];
    const seen = await candidate().store.read();
    const tries = async ({ store }: ReturnType<typeof candidate>) => {
      for (let at = 0; at < 6; at += 1) {
        const answer = await store.takeOver(seen, take).catch(() => 'unanswered' as const);
        if (answer !== 'unanswered') return answer;
      }
      return 'unanswered';
    };
    const answers = await Promise.all(nodes.map(tries));
    expect(answers.filter((answer) => answer === 1)).toHaveLength(1);
    expect(answers.filter((answer) => answer === null)).toHaveLength(2);
    const states = nodes.flatMap(({ ended }) => ended.map(({ state }) => state));
    expect(new Set(states)).toEqual(new Set(['idle in transaction']));
  });

  it('never ends a backend of another role', async () => {
    const role = `other_${randomUUID().slice(0, 8)}`;
    await asSuperuser([`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'x'`]);
    try {
      const uri = new URL(test.uri);
      uri.username = role;
      uri.password = 'x';
      const holder = new Client({ connectionString: uri.href });
      await holder.connect();
      await holder.query('BEGIN');
      await holder.query(`SET LOCAL search_path = isg, public`);
      await holder.query(FOR_SHARE);
      const node = candidate();
      expect(await takeOver(node, 2)).toBeNull();
      expect(node.ended).toEqual([]);
      expect((await holder.query('SELECT 1 AS lives')).rows).toEqual([{ lives: 1 }]);
      await holder.end();
    } finally {
      await asSuperuser([`DROP ROLE ${role}`]);
    }
  });
});

async function blockedBackends(): Promise<number> {
  const client = new Client({ connectionString: test.uri });
  await client.connect();
  try {
    const text = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    const { rows } = await client.query<{ n: number }>(text);
    return rows[0]?.n ?? 0;
  } finally {
    await client.end();
  }
}
