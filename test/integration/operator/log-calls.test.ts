import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogCache, type LogCache, type StoredLogRecord } from '../../../agent/cache/log/log-cache.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { AGENT_CALLS, type AgentParams } from '../../../agent/contract/index.ts';
import { logCalls } from '../../../agent/operator/calls/log-calls.ts';
import type { LogLevel } from '../../../agent/runtime/logger.ts';

let dir = '';
let store: LogCache;
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
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const read = async (params: Partial<AgentParams<'logs.read'>> = {}) => {
  const all = {
    minLevel: 'debug' as const,
    text: '',
    storageId: null,
    fromMs: null,
    toMs: null,
    cursor: null,
    limit: 100,
    ...params,
  };
  const calls = logCalls((beforeSeq, limit, filter) => store.lookBack(beforeSeq, limit, filter));
  return AGENT_CALLS['logs.read'].answer.parse(await calls['logs.read'](all));
};
const put = (message: string, level: LogLevel = 'info', fields: Record<string, unknown> = {}, atMs = 1) =>
  store.sink({ message, level, fields, atMs });

describe('reading the log backwards', () => {
  it('begins with the newest page, oldest first within it, and goes on to the first line', async () => {
    for (let n = 1; n <= 25; n += 1) put(`line ${n}`);
    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const page = await read({ cursor, limit: 10 });
      pages.push(page.lines.map(({ message }) => message));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(pages.map((page) => page[0])).toEqual(['line 16', 'line 6', 'line 1']);
    expect(pages.flat()).toHaveLength(25);
  });

  it('keeps its place while lines are added', async () => {
    for (let n = 1; n <= 10; n += 1) put(`line ${n}`);
    const first = await read({ limit: 5 });
    put('later');
    expect((await read({ limit: 5, cursor: first.nextCursor })).lines.map(({ message }) => message)).toEqual([
      'line 1',
      'line 2',
      'line 3',
      'line 4',
      'line 5',
    ]);
  });

  it('is narrowed by level, text, storage and time, each and together', async () => {
    put('a job failed', 'error', { storageId: 'storage-a' }, 100);
    put('a job failed', 'error', { storageId: 'storage-b' }, 100);
    put('a job failed', 'error', { storageId: 'storage-a' }, 900);
    put('Health of storage:storage-a', 'warn', {}, 100);
    put('100% of it', 'info', { path: 'Reel/Take_1' }, 100);
    const found = async (params: Partial<AgentParams<'logs.read'>>) => (await read(params)).lines.length;
    expect(await found({ minLevel: 'error' })).toBe(3);
    expect(await found({ minLevel: 'warn' })).toBe(4);
    expect(await found({ storageId: 'storage-a' })).toBe(3);
    expect(await found({ text: 'A JOB' })).toBe(3);
    expect(await found({ text: '100%' })).toBe(1);
    expect(await found({ text: 'take_1' })).toBe(1);
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

  it('stays quick with 120,000 lines, and never holds the thread for long', async () => {
    for (let n = 1; n <= 120_000; n += 1) put(`line ${n}`, n === 5 ? 'error' : 'debug', { path: `reel/take_${n}.mov` });
    await store.flush(60_000);
    let longestMs = 0;
    const calls = logCalls(async (beforeSeq, limit, filter) => {
      const startedMs = performance.now();
      const look = await store.lookBack(beforeSeq, limit, filter);
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      return look;
    });
    const all = {
      minLevel: 'debug' as const,
      text: '',
      storageId: null,
      fromMs: null,
      toMs: null,
      cursor: null,
      limit: 200,
    };
    const timed = async (params: Partial<AgentParams<'logs.read'>>) => {
      const startedMs = performance.now();
      const { lines } = await calls['logs.read']({ ...all, ...params });
      return { lines, ms: Math.round(performance.now() - startedMs) };
    };
    const newest = await timed({});
    const rare = await timed({ minLevel: 'error' });
    const text = await timed({ text: 'take_77.mov' });
    process.stderr.write(
      `logs.read at 120,000: newest ${newest.ms} ms, rare ${rare.ms} ms, text ${text.ms} ms, longest look ${Math.round(longestMs)} ms\n`,
    );
    expect(newest.lines).toHaveLength(200);
    expect(rare.lines).toMatchObject([{ message: 'line 5' }]);
    expect(text.lines).toMatchObject([{ message: 'line 77' }]);
    expect(newest.ms).toBeLessThan(3_000);
    expect(Math.max(rare.ms, text.ms)).toBeLessThan(3_000);
    expect(longestMs).toBeLessThan(2_000);
  });
});
