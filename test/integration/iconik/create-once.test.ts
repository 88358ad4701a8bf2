import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createIntentStore } from '../../../agent/db/queries/intent.ts';
import type { Creation, Fence } from '../../../agent/iconik/creation/create-once.ts';
import { findAsset } from '../../../agent/iconik/creation/find.ts';
import { createCreateOnce } from '../../../agent/iconik/creation/intended-creation.ts';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { type Clock, systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createManualClock } from '../../unit/iconik/manual-clock.ts';
import { type Behaviour, type ScriptedIconik, startScriptedIconik } from './scripted-iconik.ts';

/** The real settle time: time passes by moving the rows' instants back, not by waiting. */
const SETTLE_MS = 15_000;
const RUN = randomUUID();
const LEADER: Fence = { kind: 'leader', term: 7, runId: RUN };

let testDatabase: TestDatabase;
let iconik: ScriptedIconik;
const clients: IconikClient[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  iconik = await startScriptedIconik();
  await testDatabase.database.execute('UPDATE leader_term SET term = 7, run_id = $1', [RUN]);
});

afterAll(async () => {
  for (const client of clients) await client.close();
  await iconik.close();
  await testDatabase.drop();
});

function newClient(): IconikClient {
  const client = createIconikApi({
    baseUrl: iconik.url,
    appId: 'app',
    authToken: 'token',
    clock: systemClock,
    random: () => 0.01,
    log: silentLogger,
    requestsPerSecond: 1000,
  });
  clients.push(client);
  return client;
}

const dead = () => new IsgError('stopped', 'This process is dead.', { retry: 'permanent' });

/** Where a process dies: at its n-th effect (statement or creating request), before it or after it. */
interface Death {
  atEffect: number;
  when: 'before' | 'after';
}

/** A process: nothing it does after its death has an effect, and it learns nothing any more. */
function createProcess(death: Death | null, options: { clock?: Clock; deadlineMs?: number; sql?: Sql } = {}) {
  const { clock = systemClock, deadlineMs = 10_000, sql = testDatabase.database } = options;
  let effects = 0;
  let isDead = false;
  async function effect<T>(act: () => Promise<T>): Promise<T> {
    const isLast = death !== null && effects === death.atEffect;
    effects++;
    if (isLast && death.when === 'before') isDead = true;
    if (isDead) throw dead();
    const result = await act().catch((error: unknown) => {
      if (isLast) isDead = true;
      throw isLast ? dead() : error;
    });
    if (isLast) isDead = true;
    if (isDead) throw dead();
    return result;
  }
  const mortal: Sql = {
    query: (text, values, row) => effect(() => sql.query(text, values, row)),
    execute: (text, values) => effect(() => sql.execute(text, values)),
  };
  const api = newClient();
  const intents = createIntentStore(mortal);
  const createOnce = createCreateOnce({ intents, clock, settleMs: SETTLE_MS, deadlineMs, log: silentLogger });
  return {
    run: (title: string, changes: Partial<Creation> = {}) =>
      createOnce({
        kind: 'asset',
        key: `path:${title}`,
        fence: LEADER,
        assertAllowed: () => undefined,
        create: (signal) => effect(() => api.assets.create({ title }, { signal })),
        find: (attempt) => findAsset(api, { title, userId: iconik.userId, ...attempt }),
        ...changes,
      }),
    intents,
  };
}

/** Lets deadline and settle time of an intent pass, in the database's time. */
async function letSettle(title: string): Promise<void> {
  await testDatabase.database.execute(
    `UPDATE intent SET started_at = started_at - interval '60 s', deadline_at = deadline_at - interval '60 s' WHERE key = $1`,
    [`path:${title}`],
  );
}

const intentRow = z.object({ state: z.string(), attempt: z.number(), created_id: z.string().nullable() });
async function intentOf(title: string): Promise<z.infer<typeof intentRow> | undefined> {
  const text = 'SELECT state, attempt, created_id FROM intent WHERE key = $1';
  return (await testDatabase.database.query(text, [`path:${title}`], intentRow))[0];
}

async function straysOf(title: string): Promise<string[]> {
  const row = z.object({ created_id: z.string() });
  const text = 'SELECT created_id FROM intent_stray WHERE key = $1';
  return (await testDatabase.database.query(text, [`path:${title}`], row)).map((stray) => stray.created_id);
}

/** Runs new processes until one gets an id, letting time pass in between. */
async function converge(title: string): Promise<string> {
  for (let tries = 0; tries < 10; tries++) {
    iconik.commitLate();
    await letSettle(title);
    const outcome = await createProcess(null)
      .run(title)
      .catch((error: unknown) => error);
    if (typeof outcome === 'string') return outcome;
  }
  throw new Error(`${title} never converged`);
}

const only = (title: string) => iconik.assets(title).map((asset) => asset.id);

describe('a creation', () => {
  test('is sent once, and its id is known to all from then on', async () => {
    const id = await createProcess(null).run('plain');
    expect(await createProcess(null).run('plain')).toBe(id);
    expect(only('plain')).toEqual([id]);
    expect(await intentOf('plain')).toEqual({ state: 'created', attempt: 1, created_id: id });
  });

  test('asked for by many callers of one process puts nobody in doubt', async () => {
    const process = createProcess(null);
    const ids = await Promise.all(Array.from({ length: 8 }, () => process.run('lanes')));
    expect(new Set(ids).size).toBe(1);
    expect(only('lanes')).toHaveLength(1);
  });

  test('asked for by two processes at once is sent by one; the other is told to come back', async () => {
    const outcomes = await Promise.allSettled([createProcess(null).run('rivals'), createProcess(null).run('rivals')]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'creation-in-doubt', retry: 'transient' });
    }
    expect(outcomes.some((outcome) => outcome.status === 'fulfilled')).toBe(true);
    const [id] = only('rivals');
    expect(only('rivals')).toHaveLength(1);
    expect(await createProcess(null).run('rivals')).toBe(id);
  });

  test.each<[Behaviour, string]>([
    ['refused', 'iconik-rejected'],
    ['throttled', 'iconik-throttled'],
  ])('that iconik %s leaves no doubt: the next one goes at once', async (behaviour, code) => {
    const title = `at once ${behaviour}`;
    iconik.order(title, behaviour);
    await expect(createProcess(null).run(title)).rejects.toMatchObject({ code });
    expect(await intentOf(title)).toMatchObject({ state: 'void', attempt: 1 });
    const id = await createProcess(null).run(title);
    expect(await intentOf(title)).toEqual({ state: 'created', attempt: 2, created_id: id });
  });

  test.each<Behaviour>(['answer-lost', 'error-after-commit', 'unreadable', 'error-before-commit', 'late-commit'])(
    'after %s waits until nothing can take effect any more, looks, and only then creates',
    async (behaviour) => {
      const title = `doubt ${behaviour}`;
      iconik.order(title, behaviour);
      const first: unknown = await createProcess(null)
        .run(title)
        .catch((error: unknown) => error);
      expect(first).toMatchObject({
        code: 'creation-in-doubt',
        retry: 'transient',
        fields: { retryAfterMs: SETTLE_MS },
      });
      const second: unknown = await createProcess(null)
        .run(title)
        .catch((error: unknown) => error);
      expect(second).toMatchObject({ code: 'creation-in-doubt' });
      const { retryAfterMs } = (second as IsgError).fields as { retryAfterMs: number };
      expect(retryAfterMs).toBeGreaterThan(SETTLE_MS - 5000);
      expect(retryAfterMs).toBeLessThanOrEqual(SETTLE_MS);
      const id = await converge(title);
      expect(only(title)).toEqual([id]);
    },
  );

  test('that is never answered ends at its deadline', async () => {
    iconik.order('silent', 'silent');
    const run = createProcess(null, { deadlineMs: 300 }).run('silent');
    await expect(run).rejects.toMatchObject({ code: 'creation-in-doubt' });
    const id = await converge('silent');
    expect(only('silent')).toEqual([id]);
  });

  test('is not sent when its time is over before the store has answered', async () => {
    const clock = createManualClock();
    const slow: Sql = {
      query: async (text, values, row) => {
        const rows = await testDatabase.database.query(text, values, row);
        await clock.advance(10_000);
        return rows;
      },
      execute: (text, values) => testDatabase.database.execute(text, values),
    };
    await expect(createProcess(null, { clock, sql: slow }).run('too late')).rejects.toMatchObject({
      retry: 'transient',
    });
    expect(only('too late')).toEqual([]);
    expect(await intentOf('too late')).toMatchObject({ state: 'void' });
  });

  test('is not sent when the caller has lost its right meanwhile', async () => {
    const assertAllowed = () => {
      throw new IsgError('leadership-lost', 'The trust window is over.', { retry: 'transient' });
    };
    await expect(createProcess(null).run('untrusted', { assertAllowed })).rejects.toMatchObject({
      code: 'leadership-lost',
    });
    expect(only('untrusted')).toEqual([]);
    expect(await intentOf('untrusted')).toMatchObject({ state: 'void' });
  });

  test('a dead thing can be forgotten, and is then made anew', async () => {
    const process = createProcess(null);
    const id = await process.run('forgotten');
    const made = { kind: 'asset', key: 'path:forgotten', createdId: id } as const;
    expect(await process.intents.forget({ ...made, createdId: 'another' })).toBe(false);
    expect(await process.intents.forget(made)).toBe(true);
    expect(await process.run('forgotten')).not.toBe(id);
  });
});

describe('the fence', () => {
  test('an old term writes nothing', async () => {
    const fence: Fence = { kind: 'leader', term: 6, runId: RUN };
    await expect(createProcess(null).run('old term', { fence })).rejects.toMatchObject({ code: 'leadership-lost' });
    expect(await intentOf('old term')).toBeUndefined();
  });

  test('a leader that was displaced while in doubt does not take the attempt over', async () => {
    iconik.order('displaced', 'error-before-commit');
    await createProcess(null)
      .run('displaced')
      .catch(() => undefined);
    await letSettle('displaced');
    const find = async () => {
      await testDatabase.database.execute('UPDATE leader_term SET term = 8', []);
      return null;
    };
    await expect(createProcess(null).run('displaced', { find })).rejects.toMatchObject({ code: 'leadership-lost' });
    await testDatabase.database.execute('UPDATE leader_term SET term = 7', []);
    expect(only('displaced')).toEqual([]);
  });

  test('a statement that waited for a take-over does not slip through with its old view', async () => {
    const { intents } = createProcess(null);
    const waiting = z.object({ n: z.number() });
    const isWaiting = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%leader_term%FOR SHARE%'`;
    let begun: Promise<unknown> = Promise.resolve();
    await testDatabase.database.transaction(async (takeOver) => {
      await takeOver.execute('UPDATE leader_term SET term = 8', []);
      begun = intents.begin({ kind: 'asset', key: 'waited', fence: LEADER, deadlineMs: 1000, settleMs: 1000 });
      await expect.poll(async () => (await testDatabase.database.query(isWaiting, [], waiting))[0]?.n).toBe(1);
    });
    expect(await begun).toEqual({ kind: 'fence-lost' });
    await testDatabase.database.execute('UPDATE leader_term SET term = 7', []);
  });

  test('a live lease may create, an old token may not', async () => {
    const row = z.object({ job_id: z.string(), lease_token: z.string() });
    const text = `INSERT INTO job (role, kind, payload, dedupe_key, state, lease_token)
      VALUES ('TRANSCODE', 'transcode', '{}', 'd', 'leased', nextval('lease_token')) RETURNING job_id::text, lease_token::text`;
    const [job] = await testDatabase.database.query(text, [], row);
    const fence: Fence = { kind: 'lease', jobId: job?.job_id ?? '', leaseToken: job?.lease_token ?? '' };
    const id = await createProcess(null).run('leased', { fence });
    expect(only('leased')).toEqual([id]);
    const old: Fence = { ...fence, leaseToken: '999999' };
    await expect(createProcess(null).run('leased 2', { fence: old })).rejects.toMatchObject({ code: 'lease-lost' });
    await testDatabase.database.execute(`UPDATE job SET state = 'queued' WHERE job_id = $1`, [job?.job_id]);
    await expect(createProcess(null).run('leased 2', { fence })).rejects.toMatchObject({ code: 'lease-lost' });
  });

  test('renewals of jobs and creations under their leases do not deadlock', async () => {
    const row = z.object({ job_id: z.string(), lease_token: z.string() });
    const text = `INSERT INTO job (role, kind, payload, dedupe_key, state, lease_token)
      SELECT 'TRANSCODE', 'transcode', '{}', 'dl' || n, 'leased', nextval('lease_token') FROM generate_series(1, 6) n
      RETURNING job_id::text, lease_token::text`;
    const jobs = await testDatabase.database.query(text, [], row);
    const ids = jobs.map((job) => job.job_id);
    const renew = `UPDATE job SET lease_expires_at = now() + interval '1 h' WHERE job_id = ANY ($1::bigint[])`;
    const intents = createIntentStore(testDatabase.database);
    let isDone = false;
    // One statement for all jobs of a worker, as renewals are.
    const renewals = (async () => {
      while (!isDone) await testDatabase.database.execute(renew, [ids]);
    })();
    await Promise.all(
      jobs.map(async (job) => {
        const fence: Fence = { kind: 'lease', jobId: job.job_id, leaseToken: job.lease_token };
        for (let nth = 0; nth < 40; nth++) {
          await intents.begin({ kind: 'proxy', key: `shared ${nth}`, fence, deadlineMs: 1000, settleMs: 1000 });
        }
      }),
    );
    isDone = true;
    await renewals;
  });
});

describe('an id that comes too late', () => {
  /** A process whose request is answered when the test says so, whatever its signal says. */
  async function leaveBehind(title: string) {
    const clock = createManualClock();
    const answer = Promise.withResolvers<{ id: string }>();
    const sent = Promise.withResolvers<void>();
    const old = createProcess(null, { clock });
    const run = old.run(title, {
      create: () => {
        sent.resolve();
        return answer.promise;
      },
    });
    const outcome = expect(run).rejects.toMatchObject({ code: 'creation-in-doubt' });
    await sent.promise;
    await clock.advance(12_000);
    await outcome;
    return answer;
  }

  test('is noted as a stray when another attempt has made the thing, and is never adopted', async () => {
    const answer = await leaveBehind('stray');
    const id = await converge('stray');
    answer.resolve({ id: 'too-late' });
    await expect.poll(() => straysOf('stray')).toEqual(['too-late']);
    expect(await createProcess(null).run('stray')).toBe(id);
    const { intents } = createProcess(null);
    expect(await intents.isTaken({ kind: 'asset', createdId: 'too-late' })).toBe(true);
  });

  test('is the id, when the successor has found the very same thing', async () => {
    iconik.order('same', 'answer-lost');
    const answer = await leaveBehind('same');
    await createProcess(null)
      .run('same')
      .catch(() => undefined);
    const title = 'same';
    await letSettle(title);
    const id = await converge(title);
    answer.resolve({ id });
    await expect.poll(async () => (await intentOf(title))?.created_id).toBe(id);
    expect(await straysOf(title)).toEqual([]);
  });

  test('still counts when nobody has tried anew', async () => {
    const answer = await leaveBehind('late but welcome');
    answer.resolve({ id: 'late-1' });
    await expect
      .poll(() => intentOf('late but welcome'))
      .toEqual({ state: 'created', attempt: 1, created_id: 'late-1' });
  });

  test('a thing noted as stray and adopted at the same time ends up as used', async () => {
    const { intents } = createProcess(null);
    const key = { kind: 'asset', key: 'path:both' } as const;
    await intents.begin({ ...key, fence: LEADER, deadlineMs: 1000, settleMs: 1000 });
    await intents.noteStray({ ...key, createdId: 'both-1' });
    expect(await straysOf('both')).toEqual(['both-1']);
    expect(await intents.record({ ...key, attempt: 1, createdId: 'both-1' })).toBe('recorded');
    expect(await straysOf('both')).toEqual([]);
    await intents.noteStray({ ...key, createdId: 'both-1' });
    expect(await straysOf('both')).toEqual([]);
  });

  test('two intents of one title never share a thing', async () => {
    const api = newClient();
    const twinTitle = 'same title';
    const run = (key: string) =>
      createProcess(null).run(key, {
        create: (signal) => api.assets.create({ title: twinTitle }, { signal }),
        find: (attempt) => findAsset(api, { title: twinTitle, userId: iconik.userId, ...attempt }),
      });
    iconik.order(twinTitle, 'answer-lost');
    await run('one').catch(() => undefined);
    iconik.order(twinTitle, 'error-before-commit');
    await run('two').catch(() => undefined);
    await letSettle('one');
    await letSettle('two');
    const two = await run('two');
    const one = await run('one');
    expect(one).not.toBe(two);
    expect(only(twinTitle).sort()).toEqual([one, two].sort());
  });
});

describe('whoever dies when', () => {
  const behaviour = fc.constantFrom<Behaviour>(
    'ok',
    'ok',
    'answer-lost',
    'error-after-commit',
    'unreadable',
    'error-before-commit',
    'refused',
    'late-commit',
  );
  const death = fc.option(
    fc.record({ atEffect: fc.nat({ max: 7 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  );
  const turn = fc.record({
    behaviour,
    deaths: fc.array(death, { minLength: 1, maxLength: 2 }),
    settles: fc.boolean(),
  });

  test('there is never a second asset for one key, and the id that is known is the one that exists', async () => {
    let nth = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 5 }), async (turns) => {
        const title = `property ${nth++}`;
        for (const { behaviour: ordered, deaths, settles } of turns) {
          iconik.order(title, ordered);
          await Promise.allSettled(deaths.map((one) => createProcess(one).run(title)));
          iconik.commitLate();
          if (settles) await letSettle(title);
          expect(iconik.assets(title).length).toBeLessThanOrEqual(1);
        }
        const id = await converge(title);
        expect(only(title)).toEqual([id]);
        expect(await straysOf(title)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test('every single place of death, alone and followed by another, is survived', async () => {
    for (let first = 0; first < 6; first++) {
      for (const when of ['before', 'after'] as const) {
        for (const ordered of ['ok', 'answer-lost', 'late-commit'] as const) {
          const title = `death ${first} ${when} ${ordered}`;
          iconik.order(title, ordered);
          await Promise.allSettled([createProcess({ atEffect: first, when }).run(title)]);
          iconik.commitLate();
          await letSettle(title);
          await Promise.allSettled([createProcess({ atEffect: first, when: 'after' }).run(title)]);
          const id = await converge(title);
          expect(only(title)).toEqual([id]);
        }
      }
    }
  });
});

describe('what is not promised', () => {
  test('a list that lags longer than the settle time leads to a second asset, which is noted when its answer arrives', async () => {
    const title = 'lagging';
    iconik.order(title, 'answer-lost');
    await createProcess(null)
      .run(title)
      .catch(() => undefined);
    const [unseen] = only(title);
    iconik.hidden.add(unseen ?? '');
    const id = await converge(title);
    expect(only(title)).toHaveLength(2);
    const { intents } = createProcess(null);
    const made = { kind: 'asset', key: `path:${title}`, attempt: 1, createdId: unseen ?? '' } as const;
    expect(await intents.record(made)).toBe('superseded');
    expect(await createProcess(null).run(title)).toBe(id);
  });
});
