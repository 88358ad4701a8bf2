import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { createLogCache, type LogCache } from '../../../agent/cache/log/log-cache.ts';
import type { StoredLogRecord } from '../../../agent/cache/log/log-encoding.ts';
import { createLogView, type LogView } from '../../../agent/cache/log-view/log-view.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { AGENT_CALLS, type LogPlace } from '../../../agent/contract/index.ts';
import { logCalls } from '../../../agent/operator/calls/log-calls.ts';
import type { LogLevel } from '../../../agent/runtime/logger.ts';

let dir = '';
let store: LogCache;
let view: LogView;
let written: StoredLogRecord[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-log-calls-'));
  written = [];
  store = createLogCache({
    path: join(dir, 'log.db'),
    memoryBytes: 200_000_000,
    startThread: startLogThread,
    onWritten: (records) => written.push(...records),
  });
  view = createLogView(join(dir, 'log.db'), { patternMs: 1_000 });
});
afterEach(async () => {
  await view.close();
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

type Ask = z.input<(typeof AGENT_CALLS)['logs.read']['params']>;
const read = async (params: Partial<Ask> = {}) => {
  await store.flush(60_000);
  const all = { minLevel: 'debug', text: '', storageId: null, fromMs: null, toMs: null, limit: 100, ...params };
  const ask = AGENT_CALLS['logs.read'].params.parse(all);
  return AGENT_CALLS['logs.read'].answer.parse(await logCalls(view, () => null)['logs.read'](ask));
};
const words = ({ lines }: { lines: { message: string }[] }) => lines.map(({ message }) => message);
const renameIfThere = (from: string, to: string) => existsSync(from) && renameSync(from, to);
const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `line ${from + n}`);
const put = (message: string, level: LogLevel = 'info', fields: Record<string, unknown> = {}, atMs = 1) =>
  store.sink({ message, level, fields, atMs });

describe('reading a log whose file is not there', () => {
  const pageOf = async (path: string, own: LogView) => {
    const filter = { minLevel: 0, text: '', isPattern: false, mention: null, fromMs: null, toMs: null };
    const page = await own.read({ filter, at: { kind: 'end' }, limit: 10 });
    return { path, words: words(page), extent: page.extent };
  };

  it('shows an empty page until its writer begins, then its lines, and after it was put aside those of the new file', async () => {
    const path = join(dir, 'later', 'log.db');
    const own = createLogView(path);
    const begin = async (message: string) => {
      const later = createLogCache({ path, startThread: startLogThread });
      later.sink({ message, level: 'info', fields: {}, atMs: 1 });
      expect(await later.flush(60_000)).toBe(true);
      later.close();
    };
    try {
      expect(await pageOf(path, own)).toEqual({ path, words: [], extent: null });
      mkdirSync(join(dir, 'later'));
      writeFileSync(path, '');
      expect(await pageOf(path, own)).toEqual({ path, words: [], extent: null });
      await begin('first');
      expect((await pageOf(path, own)).words).toEqual(['first']);
      for (const suffix of ['', '-wal', '-shm']) renameIfThere(`${path}${suffix}`, `${path}.aside${suffix}`);
      await begin('second');
      expect((await pageOf(path, own)).words).toEqual(['second']);
    } finally {
      await own.close();
    }
  });
});

describe('reading the log', () => {
  it('begins with the newest page, oldest first within it, and goes on to the first line and back to the last', async () => {
    for (let n = 1; n <= 25; n += 1) put(`line ${n}`);
    const newest = await read({ limit: 10 });
    expect(words(newest)).toEqual(numbered(16, 25));
    const middle = await read({ limit: 10, at: { kind: 'before', seq: newest.olderSeq ?? 0 } });
    expect(words(middle)).toEqual(numbered(6, 15));
    const first = await read({ limit: 10, at: { kind: 'before', seq: middle.olderSeq ?? 0 } });
    expect(words(first)).toEqual(numbered(1, 5));
    expect([newest.newerSeq, first.olderSeq, first.extent]).toEqual([null, null, { firstSeq: 1, lastSeq: 25 }]);
    const after = await read({ limit: 20, at: { kind: 'after', seq: 5 } });
    expect([words(after), after.newerSeq]).toEqual([numbered(6, 25), null]);
    expect((await read({ limit: 19, at: { kind: 'after', seq: 5 } })).newerSeq).toBe(24);
  });

  it('keeps its place while lines are added', async () => {
    for (let n = 1; n <= 10; n += 1) put(`line ${n}`);
    const first = await read({ limit: 5 });
    put('later');
    expect(words(await read({ limit: 5, at: { kind: 'before', seq: first.olderSeq ?? 0 } }))).toEqual(numbered(1, 5));
  });

  it('opens around a line, an instant or a share of the whole, with lines on both sides', async () => {
    for (let n = 1; n <= 1_000; n += 1) put(`line ${n}`, 'info', {}, n * 1_000);
    const at = (place: LogPlace) => read({ limit: 10, at: place });
    expect(words(await at({ kind: 'around', seq: 500 }))).toEqual(numbered(495, 504));
    expect(words(await at({ kind: 'time', atMs: 499_001 }))).toEqual(numbered(495, 504));
    expect(words(await at({ kind: 'share', share: 0 }))).toEqual(numbered(1, 5));
    expect(words(await at({ kind: 'share', share: 1 }))).toEqual(numbered(995, 1_000));
    expect(words(await at({ kind: 'time', atMs: 0 }))).toEqual(numbered(1, 5));
    expect(words(await at({ kind: 'time', atMs: 9e12 }))).toEqual(numbered(996, 1_000));
  });

  it('of an empty log, or of a place beyond its ends, is an empty page', async () => {
    // the thread may not have made the file yet
    await vi.waitFor(async () =>
      expect(await read()).toEqual({ lines: [], olderSeq: null, newerSeq: null, extent: null }),
    );
    put('one');
    expect(words(await read({ at: { kind: 'before', seq: 1 } }))).toEqual([]);
    expect(words(await read({ at: { kind: 'after', seq: 7 } }))).toEqual([]);
  });

  it('is narrowed by level, text, storage and time, each and together', async () => {
    put('a job failed', 'error', { storageId: 'storage-a' }, 100);
    put('a job failed', 'error', { storageId: 'storage-b' }, 100);
    put('a job failed', 'error', { storageId: 'storage-a' }, 900);
    put('Health of storage:storage-a', 'warn', {}, 100);
    put('100% of it, ÄRGER', 'info', { path: 'Reel/Take_1' }, 100);
    const found = async (params: Partial<Ask>) => (await read(params)).lines.length;
    expect(await found({ minLevel: 'error' })).toBe(3);
    expect(await found({ minLevel: 'warn' })).toBe(4);
    expect(await found({ storageId: 'storage-a' })).toBe(3);
    expect(await found({ text: 'A JOB' })).toBe(3);
    expect(await found({ text: '100%' })).toBe(1);
    expect(await found({ text: 'ÄRGER' })).toBe(1);
    expect(await found({ text: 'take_1' })).toBe(1);
    expect(await found({ text: '^a job (failed|ended)$', isPattern: true })).toBe(3);
    expect(await found({ text: 'TAKE_\\d', isPattern: true })).toBe(1);
    expect(await found({ text: `'; DROP TABLE log_record; --` })).toBe(0);
    expect(await found({ fromMs: 101 })).toBe(1);
    expect(await found({ toMs: 100 })).toBe(4);
    expect(await found({ minLevel: 'error', storageId: 'storage-a', toMs: 500, text: 'failed' })).toBe(1);
  });

  it('tells each line once it is stored, under the number it can be found by', async () => {
    put('one', 'info', { term: 7 });
    put('two');
    await store.flush();
    expect(written.map(({ seq, message }) => [seq, message])).toEqual([
      [1, 'one'],
      [2, 'two'],
    ]);
    const { lines } = await read();
    expect(lines.map(({ seq, fields }) => [seq, fields])).toEqual([
      [1, '{"term":7}'],
      [2, ''],
    ]);
  });

  it('refuses what is no pattern, and a pattern that tries for ever; the next search is answered again', async () => {
    put('a'.repeat(60));
    await expect(read({ text: '(', isPattern: true })).rejects.toMatchObject({ code: 'pattern-invalid' });
    await expect(read({ text: '(a+)+b', isPattern: true })).rejects.toMatchObject({ code: 'pattern-too-slow' });
    expect(await read({ text: 'a{60}', isPattern: true })).toMatchObject({ lines: [{ seq: 1 }] });
    // lines of other nodes are tried in the same thread, under the same limit
    expect(await view.match('^B\\b', ['b c', 'bc', ''])).toEqual([true, false, false]);
    await expect(view.match('(a+)+b', ['a'.repeat(60)])).rejects.toMatchObject({ code: 'pattern-too-slow' });
  });

  it('says that the logs of other nodes need the database', async () => {
    await expect(read({ workerId: 'w' })).rejects.toMatchObject({ code: 'log-unreadable', retry: 'transient' });
  });

  it('with 120,000 lines finds a rare text page by page, and the only error with the first page', async () => {
    for (let n = 1; n <= 120_000; n += 1) put(`line ${n}`, n === 5 ? 'error' : 'debug', { path: `reel/take_${n}.mov` });
    const search = async (params: Partial<Ask>) => {
      let page = await read(params);
      for (let pages = 0; page.lines.length === 0 && page.olderSeq !== null && pages < 1_000; pages += 1)
        page = await read({ ...params, at: { kind: 'before', seq: page.olderSeq } });
      return page.lines;
    };
    expect((await read()).lines).toHaveLength(100);
    // the index of warnings and errors leads there at once
    expect((await read({ minLevel: 'error' })).lines).toMatchObject([{ message: 'line 5' }]);
    expect((await read({ minLevel: 'warn', at: { kind: 'after', seq: 0 } })).lines).toMatchObject([{ seq: 5 }]);
    expect(await search({ text: 'take_77.mov' })).toMatchObject([{ message: 'line 77' }]);
  });
});
