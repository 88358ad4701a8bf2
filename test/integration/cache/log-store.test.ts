import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogStore } from '../../../agent/cache/log-store.ts';
import type { LogLevel } from '../../../agent/runtime/logger.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-log-store-'));
  path = join(folder, 'cache', 'log.db');
});
afterEach(() => rm(folder, { recursive: true }));

const record = (message: string, level: LogLevel = 'info') => ({ level, message, fields: { role: 'MAIN' }, atMs: 7 });

describe('log store', () => {
  it('gives records back in order with growing numbers, also after closing', () => {
    const first = createLogStore({ path });
    first.sink(record('one'));
    first.sink(record('two', 'error'));
    expect(first.read(0, 10)).toEqual([
      { seq: 1, ...record('one') },
      { seq: 2, ...record('two', 'error') },
    ]);
    first.sink(record('three'));
    first.close();
    const second = createLogStore({ path });
    expect(second.read(2, 10)).toEqual([{ seq: 3, ...record('three') }]);
    second.close();
  });

  it('stays below its row cap: old debug goes first, errors last, and counts what went', () => {
    const store = createLogStore({ path, maxRows: 10 });
    for (let n = 0; n < 6; n += 1) store.sink(record(`error ${n}`, 'error'));
    for (let n = 0; n < 6; n += 1) store.sink(record(`debug ${n}`, 'debug'));
    store.flush();
    for (let n = 0; n < 3; n += 1) store.sink(record(`info ${n}`));
    const messages = store.read(0, 100).map(({ message }) => message);
    expect(messages).toHaveLength(10);
    expect(messages.filter((message) => message.startsWith('error'))).toHaveLength(6);
    expect(messages).toContain('debug 5');
    expect(messages).not.toContain('debug 0');
    expect(store.counts()).toEqual({ trimmed: 5, dropped: 0, buffered: 0 });
    store.close();
  });

  it('puts a damaged file aside, begins anew and says so', async () => {
    await mkdir(join(folder, 'cache'));
    await writeFile(path, 'this is not a database, not even nearly one, but it is long enough to look at'.repeat(100));
    const told: string[] = [];
    const store = createLogStore({ path, onTrouble: (message) => told.push(message) });
    store.sink(record('after'));
    expect(store.read(0, 10)).toMatchObject([{ message: 'after' }]);
    store.close();
    expect(told).toHaveLength(1);
    expect((await readdir(join(folder, 'cache'))).some((name) => name.includes('.corrupt-'))).toBe(true);
  });

  it('survives damage done to its pages between two starts', async () => {
    const first = createLogStore({ path });
    for (let n = 0; n < 2_000; n += 1) first.sink(record(`record ${n} ${'x'.repeat(100)}`));
    first.close();
    const file = await open(path, 'r+');
    for (let page = 1; page < 30; page += 1) await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
    await file.close();
    const second = createLogStore({ path, onTrouble: () => undefined });
    second.sink(record('after'));
    second.flush();
    second.read(0, 5_000);
    second.sink(record('again'));
    second.flush();
    expect(second.counts().buffered).toBe(0);
    expect(second.read(0, 5_000).at(-1)).toMatchObject({ message: 'again' });
    second.close();
  });

  it('drops and counts what the disk refuses for too long, and never throws', async () => {
    await writeFile(join(folder, 'cache'), 'a file where the folder should be');
    const told: string[] = [];
    const store = createLogStore({ path, maxBuffered: 3, onTrouble: (message) => told.push(message) });
    for (let n = 0; n < 5; n += 1) store.sink(record(`record ${n}`));
    store.flush();
    expect(store.counts()).toEqual({ trimmed: 0, dropped: 2, buffered: 3 });
    expect(told).toHaveLength(1);
    await rm(join(folder, 'cache'));
    expect(store.read(0, 10)).toHaveLength(3);
    store.close();
  });

  it('has every flushed record after its writer was killed in the middle', async () => {
    const program = fileURLToPath(new URL('./write-log.ts', import.meta.url));
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let flushed = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      flushed = Number(chunk.toString().trim().split('\n').at(-1));
      if (flushed > 1_000) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const store = createLogStore({ path });
    const records = store.read(0, 1_000_000);
    expect(records.length).toBeGreaterThanOrEqual(flushed);
    expect(records.every(({ seq, message }) => message === `record ${seq}`)).toBe(true);
    store.close();
  });
});
