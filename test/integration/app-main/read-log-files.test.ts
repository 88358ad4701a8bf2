import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogLine } from '../../../agent/contract/index.ts';
import { formatLogLine, type LogLevel } from '../../../main/logging/log-line.ts';
import { createMainLog } from '../../../main/logging/main-log.ts';
import { type LogFilesRequest, readLogFiles } from '../../../main/logging/read-log-files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-logs-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const line = (atMs: number, message: string, level: LogLevel = 'info') =>
  `${formatLogLine(level, message, {}, atMs)}\n`;
const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
const EVERYTHING = {
  minLevel: 'debug',
  text: '',
  isPattern: false,
  storageId: null,
  fromMs: null,
  toMs: null,
  cursor: null,
} as const;
const read = (over: Partial<LogFilesRequest> = {}) => readLogFiles(dir, { ...EVERYTHING, limit: 100, ...over });
const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message);

/** All pages, put together as a viewer does: older ones in front. */
async function readAll(over: Partial<LogFilesRequest> = {}): Promise<{ lines: LogLine[]; pages: number }> {
  let lines: LogLine[] = [];
  let cursor: string | null = null;
  for (let pages = 1; ; pages += 1) {
    const page = await read({ ...over, cursor });
    lines = [...page.lines, ...lines];
    if (page.nextCursor === null) return { lines, pages };
    cursor = page.nextCursor;
  }
}

describe('readLogFiles', () => {
  it('has nothing to tell when there are no files', async () => {
    expect(await read()).toEqual({ lines: [], nextCursor: null });
  });

  it('merges both programs by time, the rotated files too, oldest first', async () => {
    write('agent.2.log', line(1, 'a1') + line(2, 'a2'));
    write('agent.1.log', line(4, 'a4'));
    write('agent.log', line(7, 'a7') + line(9, 'a9'));
    write('main.1.log', line(3, 'm3'));
    write('main.log', line(5, 'm5') + line(8, 'm8'));
    const { lines, nextCursor } = await read();
    expect(messages(lines)).toEqual(['a1', 'a2', 'm3', 'a4', 'm5', 'a7', 'm8', 'a9']);
    expect(nextCursor).toBeNull();
  });

  it.each([1, 2, 3, 7])('gives every line exactly once on pages of %i, with falling seq', async (limit) => {
    const count = 40;
    const of = (name: string, step: number) =>
      Array.from({ length: count }, (_, i) => line(i * step, `${name}${i}`)).join('');
    write('agent.1.log', of('old', 1));
    write('agent.log', of('agent', 3).replaceAll('1970', '1971'));
    write('main.log', of('main', 5));
    const { lines, pages } = await readAll({ limit });
    expect(lines).toHaveLength(3 * count);
    expect(new Set(messages(lines)).size).toBe(3 * count);
    expect(pages).toBeGreaterThanOrEqual(Math.ceil((3 * count) / limit));
    for (const [i, { seq, atMs }] of lines.entries()) {
      expect(seq).toBeGreaterThan(lines[i - 1]?.seq ?? Number.NEGATIVE_INFINITY);
      expect(atMs).toBeGreaterThanOrEqual(lines[i - 1]?.atMs ?? 0);
    }
  });

  it('filters by level and by text in message or fields, whatever the case', async () => {
    write(
      'agent.log',
      `${line(1, 'Scan of NAS') + line(2, 'nas gone', 'error')}${formatLogLine('warn', 'x', { at: 'NAS' }, 3)}\n`,
    );
    expect(messages((await read({ text: 'nas' })).lines)).toEqual(['Scan of NAS', 'nas gone', 'x']);
    expect(messages((await read({ minLevel: 'warn' })).lines)).toEqual(['nas gone', 'x']);
    expect(messages((await read({ minLevel: 'error', text: 'NAS' })).lines)).toEqual(['nas gone']);
  });

  it('goes on where it was when lines were added and files rotated in between', async () => {
    write('agent.log', Array.from({ length: 10 }, (_, i) => line(i, `l${i}`)).join(''));
    const first = await read({ limit: 4 });
    appendFileSync(join(dir, 'agent.log'), line(20, 'later'));
    renameSync(join(dir, 'agent.log'), join(dir, 'agent.1.log'));
    write('agent.log', line(30, 'newest'));
    const second = await read({ limit: 100, cursor: first.nextCursor });
    expect(messages([...second.lines, ...first.lines])).toEqual(Array.from({ length: 10 }, (_, i) => `l${i}`));
  });

  it('ends quietly when the file of a cursor is gone', async () => {
    write('agent.log', line(1, 'a') + line(2, 'b'));
    const first = await read({ limit: 1 });
    rmSync(join(dir, 'agent.log'));
    write('other.log', '');
    write('agent.log', '');
    expect((await read({ cursor: first.nextCursor })).nextCursor).toBeNull();
  });

  it('adds lines that begin no record to the record before them', async () => {
    write('main.log', `${line(1, 'Ended')}    at one\n    at two\n\n${line(2, 'next')}torn`);
    expect(messages((await read()).lines)).toEqual(['Ended\n    at one\n    at two', 'next\ntorn']);
  });

  it('reads characters whole that lie across two chunks, and cuts only monstrous lines', async () => {
    const text = 'é'.repeat(50_000);
    // as another program might have written them: ours cuts what is longer than 32,768 characters
    const raw = (atMs: number, words: string) => `${new Date(atMs).toISOString()} INFO  ${words}\n`;
    write('agent.log', raw(1, text) + line(2, 'after') + raw(3, 'x'.repeat(2_000_000)) + line(4, 'end'));
    const { lines } = await read();
    expect(lines[0]?.message).toBe(text);
    expect(lines.at(-1)?.message).toBe('end');
    expect(lines.reduce((sum, { message }) => sum + message.length, 0)).toBeLessThan(500_000);
  });

  it('gives the first page of 50 MB as fast as of a small file', async () => {
    const block = Array.from({ length: 1_000 }, (_, i) => line(i, `message ${i} ${'x'.repeat(60)}`)).join('');
    write('agent.log', block.repeat(500));
    const startedAt = performance.now();
    expect((await read({ limit: 200 })).lines).toHaveLength(200);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('finds what a pattern matches, and gives up one that tries for ever', async () => {
    write('agent.log', line(1, 'Scan of NAS') + line(2, 'no match') + line(3, `took 12 s ${'a'.repeat(60)}`));
    expect(messages((await read({ text: '^(scan|took \\d+ s)', isPattern: true })).lines)).toHaveLength(2);
    await expect(read({ text: '(', isPattern: true })).rejects.toMatchObject({ code: 'pattern-invalid' });
    await expect(read({ text: '(a+)+b', isPattern: true })).rejects.toMatchObject({ code: 'pattern-too-slow' });
  });

  it('is narrowed by time and storage', async () => {
    write('agent.log', line(1, 'one st-1') + line(2, 'two st-2') + line(3, 'three st-1'));
    expect(messages((await read({ storageId: 'st-1', toMs: 2 })).lines)).toEqual(['one st-1']);
    expect(messages((await read({ fromMs: 2 })).lines)).toEqual(['two st-2', 'three st-1']);
  });

  it('finds an hour in the middle of 40 MB at once, whole, with one page and no other', async () => {
    const HOUR_MS = 3_600_000;
    const text = 'x'.repeat(900);
    // 4 files of 100 h, a line each 36 s
    for (let file = 0; file < 4; file += 1) {
      const lines = Array.from({ length: 10_000 }, (_, n) =>
        line((file * 10_000 + n) * 36_000, `${file} ${n} ${text}`),
      );
      write(file === 3 ? 'agent.log' : `agent.${3 - file}.log`, lines.join('') + 'a torn line of a stack\n'.repeat(99));
    }
    for (const fromHour of [0, 99, 137, 399]) {
      const from = fromHour * HOUR_MS;
      const startedMs = performance.now();
      const page = await read({ fromMs: from, toMs: from + HOUR_MS - 1, limit: 500 });
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      expect(page.lines.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 100 }, (_, n) => from + n * 36_000));
      expect(page.nextCursor).toBeNull();
    }
    const before = await read({ toMs: 150 * HOUR_MS, limit: 2 });
    expect(before.lines.map(({ atMs }) => atMs)).toEqual([150 * HOUR_MS - 36_000, 150 * HOUR_MS]);
    expect(await read({ toMs: -60_001 })).toEqual({ lines: [], nextCursor: null });
  });

  it('finds what lies beyond its range by its place, because the clock was set back by seconds', async () => {
    const at = (n: number) => (n < 300 ? n * 1_000 : n * 1_000 - 40_000);
    write('agent.log', Array.from({ length: 600 }, (_, n) => line(at(n), `${n} ${'x'.repeat(900)}`)).join(''));
    const page = await read({ fromMs: 270_000, toMs: 280_000, limit: 500 });
    const expected = Array.from({ length: 600 }, (_, n) => n).filter((n) => at(n) >= 270_000 && at(n) <= 280_000);
    expect(page.lines.map(({ message }) => Number.parseInt(message, 10)).sort((a, b) => a - b)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(20);
  });

  it('refuses a cursor that it did not give', async () => {
    await expect(read({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'cursor-invalid' });
  });

  it('reads what the main log writes', async () => {
    const log = createMainLog({ folder: join(dir, 'deep'), least: 'info', echo: false });
    log.debug('not written');
    log.warn('50 % done', { path: '/a b' });
    const { lines } = await readLogFiles(join(dir, 'deep'), { ...EVERYTHING, limit: 9 });
    expect(lines).toMatchObject([{ level: 'warn', message: '50 % done', fields: '{"path":"/a b"}' }]);
  });

  it('loses no line of a main log that begins new files', async () => {
    const log = createMainLog({ folder: dir, least: 'info', echo: false });
    const count = 400;
    for (let i = 0; i < count; i += 1) log.info(`${i} ${'x'.repeat(30_000)}`);
    expect(readdirSync(dir).sort()).toEqual(['main.1.log', 'main.2.log', 'main.log']);
    const { lines } = await readAll({ limit: 50 });
    expect(lines.map(({ message }) => Number.parseInt(message, 10))).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
  });
});
