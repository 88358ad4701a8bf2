import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LogLine, LogPlace } from '../../../agent/contract/index.ts';
import { claimOutbox, shipRecords } from '../../../agent/db/queries/node-log.ts';
import { type NodeLogFilter, nodeLog } from '../../../agent/db/queries/node-log-view.ts';
import { readLogPage } from '../../../agent/runtime/log-page.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const OLD = '00000000-0000-4000-8000-000000000001';
const NEW = '00000000-0000-4000-8000-000000000002';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  // the file of the first outbox was lost after 30 records; the second began anew at 1
  await ship(OLD, 30, (n) => `old ${n}`);
  await ship(NEW, 40, (n) => `new ${n}`);
});
afterAll(() => test?.drop());

async function ship(outboxId: string, count: number, words: (n: number) => string) {
  const { database } = test;
  const holder = outboxId;
  const claim = { outboxId, workerId: 'worker-b', node: 'node-b', nextHolder: holder, shippedSeq: 0, lastSeq: count };
  await claimOutbox(database, { ...claim, holder: null });
  const records = Array.from({ length: count }, (_, n) => ({
    seq: n + 1,
    atMs: n * 1_000,
    level: n % 10 === 9 ? 3 : 1,
    message: words(n + 1),
    role: 'MAIN',
    job: null,
    storage: n % 2 === 0 ? 'storage-a' : null,
    term: 7,
    fields: '{"path":"reel"}',
  }));
  await shipRecords(database, { outboxId, holder, watermark: 0 }, records);
}

async function read(at: LogPlace, filter: Partial<NodeLogFilter> = {}, workerId = 'worker-b') {
  const all: NodeLogFilter = {
    minLevel: 'debug',
    text: '',
    judge: null,
    storageId: null,
    fromMs: null,
    toMs: null,
  };
  const keeper = await nodeLog(test.database, workerId, { ...all, ...filter });
  return readLogPage(keeper, at, { limit: 20, isLate: () => false });
}
const words = ({ lines }: { lines: { message: string }[] }) => lines.map(({ message }) => message);
const run = (word: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => `${word} ${from + n}`);

it('reads the log of another node from its end to its beginning and back, across a lost file', async () => {
  const newest = await read({ kind: 'end' });
  expect(words(newest)).toEqual(run('new', 21, 40));
  const middle = await read({ kind: 'before', seq: newest.olderSeq ?? 0 });
  expect(words(middle)).toEqual(run('new', 1, 20));
  const older = await read({ kind: 'before', seq: middle.olderSeq ?? 0 });
  expect(words(older)).toEqual(run('old', 11, 30));
  const again = await read({ kind: 'after', seq: older.lines.at(-1)?.seq ?? 0 });
  expect(words(again)).toEqual(run('new', 1, 20));
  expect(await read({ kind: 'after', seq: newest.lines.at(-1)?.seq ?? 0 })).toMatchObject({
    lines: [],
    newerSeq: null,
  });
});

it('is narrowed like the log of this node, and shows what a record is about', async () => {
  expect(words(await read({ kind: 'end' }, { minLevel: 'error' }))).toHaveLength(7);
  expect(words(await read({ kind: 'end' }, { text: 'NEW 4' }))).toEqual(['new 4', 'new 40']);
  const { lines } = await read({ kind: 'end' }, { storageId: 'storage-a', fromMs: 38_000, toMs: 38_000 });
  expect(lines.map(({ fields }) => JSON.parse(fields))).toEqual([
    { role: 'MAIN', storageId: 'storage-a', term: 7, path: 'reel' },
  ]);
});

it('is judged line by line where it is to be, with what a record is about, up to the number asked for', async () => {
  const judge = async (lines: readonly LogLine[]) =>
    lines.map(({ message, fields }) => /^(old|new) \d*[13579]$/.test(message) && /^\{"role":"MAIN"/.test(fields));
  const newest = await read({ kind: 'end' }, { judge });
  expect(words(newest)).toEqual(run('new', 1, 40).filter((_, n) => n % 2 === 0));
  const older = await read({ kind: 'before', seq: newest.olderSeq ?? 0 }, { judge });
  expect(words(older)).toEqual(run('old', 1, 30).filter((_, n) => n % 2 === 0));
});

it('of a node that shipped nothing is empty', async () => {
  expect(await read({ kind: 'end' }, {}, 'worker-z')).toMatchObject({ lines: [], extent: null });
});
