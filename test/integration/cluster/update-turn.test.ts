import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TURN_TTL_MS } from '../../../agent/cluster/update-turn/turn-plan.ts';
import { type TurnClaim, UpdateTurns } from '../../../agent/cluster/update-turn/update-turns.ts';
import { createDatabase } from '../../../agent/db/database.ts';
import { readUpdateTurn } from '../../../agent/db/queries/update-turn.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { Database } from '../../../agent/runtime/sql.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let test: TestDatabase;
let bouncer: TestPgBouncer;
let pooled: Database;
beforeAll(async () => {
  test = await createTestDatabase();
  bouncer = await startPgBouncer(test.uri, { poolSize: 2 });
  pooled = createDatabase({ uri: bouncer.uri, log: silentLogger });
}, 60_000);
afterAll(async () => {
  await pooled?.close();
  await bouncer?.stop();
  await test?.drop();
});
beforeEach(async () => {
  await test.database.execute('DELETE FROM update_turn', []);
  await test.database.execute('INSERT INTO update_turn DEFAULT VALUES', []);
});

/** A node with a clock that the test moves. */
function node(name: string) {
  const clock = { now: 0, monotonicMs: () => clock.now, wallMs: () => 0, sleep: () => Promise.resolve() };
  const turns = new UpdateTurns(pooled, `worker-${name}`, clock);
  const claim = (over: Partial<TurnClaim> = {}) =>
    turns.claim({ version: '0.2.0', isAsked: false, isLeading: false, others: [], nodeName: name, ...over });
  /** Asks every half minute until the holder has been silent for its time. */
  const outwait = async () => {
    for (let ms = 0; ms <= TURN_TTL_MS; ms += 30_000) {
      clock.now += 30_000;
      const answer = await claim();
      if (answer.kind === 'yours' || answer.why !== 'another-updates') return answer;
    }
    return claim();
  };
  return { turns, claim, outwait, clock };
}

describe('the turn to update, through pgBouncer in transaction mode', () => {
  it('goes to exactly one of ten nodes that ask at the same moment, by name to the others', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => node(`node-${i}`).claim()));
    const winner = answers.findIndex(({ kind }) => kind === 'yours');
    expect(answers.filter(({ kind }) => kind === 'yours')).toEqual([{ kind: 'yours', turn: 1 }]);
    for (const answer of answers.filter(({ kind }) => kind !== 'yours'))
      expect(answer).toEqual({ kind: 'not-now', why: 'another-updates', node: `node-${winner}` });
  });

  it('is the same installation’s again after its restart, with a new number', async () => {
    await node('a').claim();
    expect(await node('a').claim()).toEqual({ kind: 'yours', turn: 2 });
  });

  it('is free again once it has ended', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.claim();
    await a.turns.end(1, 'given-up', { version: '0.2.0', nodeName: 'a' });
    expect(await b.claim()).toEqual({ kind: 'yours', turn: 2 });
  });

  it('stays with a holder that renews, however long the others ask', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.claim();
    for (let ms = 0; ms < 2 * TURN_TTL_MS; ms += 30_000) {
      expect(await a.turns.hold(1, false)).toBe(true);
      b.clock.now += 30_000;
      expect((await b.claim()).kind).toBe('not-now');
    }
  });

  it('passes from a silent holder, who then may install nothing', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.claim();
    expect(await b.outwait()).toEqual({ kind: 'yours', turn: 2 });
    expect(await a.turns.hold(1, true)).toBe(false);
    await a.turns.end(1, 'given-up', { version: '0.2.0', nodeName: 'a' });
    expect((await readUpdateTurn(pooled)).worker_id).toBe('worker-b');
  });

  it('of a holder that never came back from its installation keeps the others from that version, until it does come back', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.claim();
    await a.turns.hold(1, true);
    expect(await b.outwait()).toEqual({ kind: 'not-now', why: 'failed-elsewhere', node: 'a' });
    expect(await b.claim({ version: '0.3.0' })).toEqual({ kind: 'yours', turn: 2 });
    await b.turns.end(2, 'given-up', { version: '0.3.0', nodeName: 'b' });
    expect(await b.claim()).toMatchObject({ why: 'failed-elsewhere', node: 'a' });
    await a.turns.end(1, 'installed', { version: '0.2.0', nodeName: 'a' });
    expect(await b.claim()).toEqual({ kind: 'yours', turn: 3 });
  });

  it('is refused for the newest version that failed, also after a late word of an older one', async () => {
    const [a, b, c] = [node('a'), node('b'), node('c')];
    const failedOn = async (who: ReturnType<typeof node>, version: string, nodeName: string) => {
      await who.turns.end(null, 'failed', { version, nodeName });
      const { failed_version, failed_node_name } = await readUpdateTurn(pooled);
      return `${failed_version} on ${failed_node_name}`;
    };
    expect(await failedOn(a, '0.9.0', 'a')).toBe('0.9.0 on a');
    expect(await failedOn(b, '0.10.0', 'b')).toBe('0.10.0 on b');
    expect(await failedOn(c, '0.9.1', 'c')).toBe('0.10.0 on b');
    expect(await failedOn(c, '0.10.0', 'c')).toBe('0.10.0 on c');
    // nor from one who took its turn for an older version and did not come back
    await a.claim({ version: '0.9.2' });
    await a.turns.hold(1, true);
    await b.outwait();
    expect((await readUpdateTurn(pooled)).failed_version).toBe('0.10.0');
    // what is no plain number is noted, rather than that the word goes round for ever
    expect(await failedOn(c, 'x.y', 'c')).toBe('x.y on c');
    expect(await failedOn(a, '0.2.0', 'a')).toBe('0.2.0 on a');
  });

  it('of a version that was rolled back is refused on every node, but to a person who asks', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.claim();
    await a.turns.end(1, 'failed', { version: '0.2.0', nodeName: 'a' });
    expect(await b.claim()).toEqual({ kind: 'not-now', why: 'failed-elsewhere', node: 'a' });
    expect(await b.claim({ isAsked: true })).toEqual({ kind: 'yours', turn: 2 });
  });
});
