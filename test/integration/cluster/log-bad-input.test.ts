import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogCache, type LogCache } from '../../../agent/cache/log/log-cache.ts';
import { MOST_CHARACTERS, type WrittenRecord } from '../../../agent/cache/log/log-encoding.ts';
import { createLogView, type LogView } from '../../../agent/cache/log-view/log-view.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { AGENT_CALLS, type LogLine } from '../../../agent/contract/index.ts';
import { logCalls } from '../../../agent/operator/calls/log-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

// What no logger should be given, on its whole way: cache, database, and both views of it.

const BIG = 10_000_000;
const NOW_MS = 1_790_000_000_000;

function cyclicError(): Error {
  const error = new Error('it went round');
  error.cause = error;
  return Object.assign(error, { self: error, list: [error] });
}

const throwing = {
  get path(): string {
    throw new Error('no path');
  },
};

const record = (message: string, fields: Record<string, unknown> = {}, atMs = NOW_MS): WrittenRecord => ({
  level: 'info',
  message,
  fields,
  atMs,
});

const BAD: Record<string, WrittenRecord> = {
  control: record('bell \u0007 escape \u001b[31m red \u0000 end \u202e reversed\r\nnext', {
    'k\u0000ey': 'v\u0000\u0001',
  }),
  markup: record('<img src=x onerror="alert(1)">$1%s', { html: '<script>alert(1)</script>' }),
  surrogates: record('half \ud83d and \udc00 and whole \u{1f600}', { 'k\ud800': '\udfff', deep: { a: ['\ud800'] } }),
  longMessage: record('m'.repeat(BIG)),
  longEmoji: record('\u{1f600}'.repeat(BIG / 4)),
  longField: record('long field', { role: 'MAIN', body: 'f'.repeat(BIG) }),
  manyFields: record('many fields', Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`key${n}`, n]))),
  cyclic: record('cyclic', { error: cyclicError() }),
  throwing: record('throwing', { nested: throwing }),
  odd: record('odd', { big: 2n ** 70n, not: Number.NaN, infinite: -Infinity, none: undefined, of: Symbol('s') }),
  proto: record('proto', JSON.parse('{"__proto__": {"polluted": true}, "constructor": "c"}')),
  searched: record('Searched', {
    zone: 'first',
    k: 'v',
    role: 'CHECKSUM',
    jobId: 7,
    storageId: 'storage-x',
    term: 3,
    path: 'Reel: "A", ÄB\n2',
    sizes: [1, 2],
    inner: { longer: 1, a: 2 },
  }),
  factsOfOtherKinds: record('facts', { role: { a: 1 }, jobId: 12n, storageId: ['s'], term: 1.5 }),
};
/** One record after the other, by a clock that jumps. */
const JUMPS = [
  NOW_MS,
  NOW_MS - 86_400_000,
  NOW_MS + 365 * 86_400_000,
  0,
  -5,
  Number.NaN,
  Infinity,
  8.64e15,
  NOW_MS + 1,
];

let test: TestDatabase;
let folder: string;
let cache: LogCache;
let view: LogView;
beforeAll(async () => {
  test = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-bad-input-'));
  cache = createLogCache({ path: join(folder, 'log.db'), startThread: startLogThread });
  view = createLogView(join(folder, 'log.db'));
  for (const bad of Object.values(BAD)) cache.sink(bad);
  for (const [n, atMs] of JUMPS.entries()) cache.sink(record(`jump ${n}`, {}, atMs));
  expect(await cache.flush(60_000)).toBe(true);
  cache.shipTo({ uri: test.uri, workerId: 'worker-bad', node: 'node' });
  const isShipped = () => cache.status().shipping?.shippedSeq === Object.keys(BAD).length + JUMPS.length;
  await vi.waitFor(() => expect(isShipped()).toBe(true), { timeout: 60_000 });
}, 120_000);
afterAll(async () => {
  await view.close();
  cache.close();
  await test.drop();
  await rm(folder, { recursive: true, force: true });
});

type Narrowing = { text?: string; isPattern?: boolean; fromMs?: number; toMs?: number };
async function read(workerId: string | null, narrowing: Narrowing = {}): Promise<LogLine[]> {
  const all = { minLevel: 'debug', text: '', storageId: null, fromMs: null, toMs: null, limit: 100, workerId };
  const ask = AGENT_CALLS['logs.read'].params.parse({ ...all, ...narrowing });
  return AGENT_CALLS['logs.read'].answer.parse(await logCalls(view, () => test.database)['logs.read'](ask)).lines;
}
const fieldsOf = ({ fields }: LogLine): unknown => (fields === '' ? {} : JSON.parse(fields));
const lineOf = (lines: readonly LogLine[], name: string) => lines[Object.keys(BAD).indexOf(name)];

describe.each([
  ['the node’s own file', null],
  ['the database', 'worker-bad'],
])('records that no logger should be given, as %s has them', (_, workerId) => {
  it('are all there, in the order in which they were written, whatever the clock said', async () => {
    const lines = await read(workerId);
    expect(lines).toHaveLength(Object.keys(BAD).length + JUMPS.length);
    expect(lines.slice(-JUMPS.length).map(({ message }) => message)).toEqual(JUMPS.map((_, n) => `jump ${n}`));
    for (const { atMs } of lines)
      expect(Number.isSafeInteger(atMs) && atMs >= 0 && atMs < 253_402_300_800_000).toBe(true);
    const yearLater = NOW_MS + 364 * 86_400_000;
    const later = await read(workerId, { fromMs: yearLater, toMs: yearLater + 2 * 86_400_000 });
    expect(later.map(({ message }) => message)).toEqual(['jump 2']);
  });

  it('are whole text of bounded length, with nothing interpreted', async () => {
    const lines = await read(workerId);
    for (const { message, fields } of lines) {
      expect(message.isWellFormed() && fields.isWellFormed()).toBe(true);
      expect(`${message}${fields}`.includes('\0')).toBe(false);
      expect(message.length).toBeLessThanOrEqual(MOST_CHARACTERS);
      expect(fields.length).toBeLessThanOrEqual(MOST_CHARACTERS);
    }
    expect(lineOf(lines, 'control')?.message).toBe('bell \u0007 escape \u001b[31m red ␀ end \u202e reversed\r\nnext');
    expect(lineOf(lines, 'markup')).toMatchObject({ message: BAD.markup?.message });
    expect(lineOf(lines, 'surrogates')?.message).toBe('half \ufffd and \ufffd and whole \u{1f600}');
    expect(lineOf(lines, 'longMessage')?.message).toContain(`it had ${BIG} characters`);
    expect(lineOf(lines, 'longEmoji')?.message).toContain('characters');
    expect(await read(workerId, { text: '<script>' })).toHaveLength(1);
  });

  it('have fields that are data, the same in both places', async () => {
    const lines = await read(workerId);
    const own = await read(null);
    expect(lines.map(fieldsOf)).toEqual(own.map(fieldsOf));
    expect(JSON.parse(lineOf(lines, 'longField')?.fields ?? 'null')).toMatchObject({ role: 'MAIN' });
  });
});

it.each([
  ['a field', '"k":"v"', true],
  ['a field in the wrong case', '"K":"V"', true],
  ['a field with a space that no log has', '"k": "v"', false],
  ['a number of a job', '"jobId":7', true],
  ['the name of a fact', 'storageid', true],
  ['a fact and its value', '"role":"CHECKSUM"', true],
  ['a term', '"term":3', true],
  ['a list', '"sizes":[1,2]', true],
  ['what looks like what stands between fields', 'Reel: \\"A\\", ÄB', true],
  ['a capital of another alphabet in lower case', 'äB', false],
  ['words of two facts', 'CHECKSUM storage-x', false],
  ['two marks only', '":"', true],
])('finds in another node’s log what it finds in its own: %s', async (_, text, isFound) => {
  const found = async (workerId: string | null, isPattern: boolean) => {
    const asked = isPattern ? text.replaceAll(/[\\[\]]/g, '\\$&') : text;
    return (await read(workerId, { text: asked, isPattern })).map(({ message }) => message);
  };
  const own = await found(null, false);
  expect(own.includes('Searched')).toBe(isFound);
  expect(await found('worker-bad', false)).toEqual(own);
  if (isFound) expect(await found('worker-bad', true)).toContain('Searched');
});

it('leaves what a cyclic error says, and does not fail on what throws', async () => {
  const lines = await read('worker-bad');
  const [cyclic, throws, odd] = ['cyclic', 'throwing', 'odd'].map((name) => lineOf(lines, name)?.fields ?? '');
  expect(cyclic).toContain('it went round');
  expect(cyclic).toContain('[deeper]');
  expect(throws).toContain('unreadable');
  expect(odd).toContain(String(2n ** 70n));
});
