import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import type { LogSeverity } from '../../../agent/contract/index.ts';
import { contents, openKeeper, row } from './log-rows.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-outbox-'));
  path = join(folder, 'cache', 'log.db');
});
afterEach(() => rm(folder, { recursive: true }));

const CAP = 2_000_000;
const batch = (no: number, count: number, level: LogSeverity) => ({
  no,
  records: Array.from({ length: count }, (_, n) => row(`${level} ${no}.${n}`, level)),
  dropped: [0, 0, 0, 0],
});

describe('the cache’s file', () => {
  it('numbers records without gap or repetition over its whole life, also when all of them have gone', () => {
    const first = new OutboxFile(path, 'run-1', CAP);
    first.append([batch(1, 40, 'info'), batch(2, 3, 'error')]);
    const { outboxId } = first.identity();
    first.setShipped(43);
    expect(first.removeOld(Number.MAX_SAFE_INTEGER, 100)).toBe(43);
    first.close();
    const second = new OutboxFile(path, 'run-2', CAP);
    expect(second.append([batch(1, 2, 'info')])).toEqual([{ no: 1, firstSeq: 44, refusedBelow: 0 }]);
    expect(second.identity()).toMatchObject({ outboxId, shippedSeq: 43, nextSeq: 46 });
    second.close();
  });

  it('does not write a batch twice that is handed over again after its answer was lost', () => {
    const first = new OutboxFile(path, 'run-1', CAP);
    first.append([batch(1, 2, 'info'), batch(2, 2, 'info')]);
    first.close();
    const again = new OutboxFile(path, 'run-1', CAP);
    again.append([batch(2, 2, 'info'), batch(3, 1, 'warn')]);
    expect(contents(again).map(([, message]) => message)).toEqual([
      'info 1.0',
      'info 1.1',
      'info 2.0',
      'info 2.1',
      'warn 3.0',
    ]);
    again.close();
  });

  it('never exceeds its cap by more than 2 %, drops old DEBUG first and ERROR last, and counts what it drops exactly', () => {
    const file = new OutboxFile(path, 'run', CAP);
    let [no, largest] = [0, 0];
    const written = [0, 0, 0, 0];
    const put = (level: LogSeverity, at: number, times: number) => {
      for (let n = 0; n < times; n += 1) {
        no += 1;
        written[at] = (written[at] ?? 0) + 100;
        file.append([batch(no, 100, level)]);
        largest = Math.max(largest, file.sizeBytes());
      }
    };
    put('error', 3, 8);
    for (let n = 0; n < 40; n += 1) {
      put('debug', 0, 3);
      put('info', 1, 1);
    }
    expect(largest).toBeLessThanOrEqual(CAP * 1.02);
    const kept = contents(file).map(([, message]) => message);
    const countOf = (level: string) => kept.filter((message) => message.startsWith(level)).length;
    const { cap } = file.dropCounts();
    expect([countOf('debug'), countOf('info'), countOf('warn'), countOf('error')]).toEqual(
      written.map((count, level) => count - (cap[level] ?? 0)),
    );
    expect(countOf('error')).toBe(800);
    expect(cap[0]).toBeGreaterThan(0);
    expect(cap.slice(1)).toEqual([0, 0, 0]);
    put('warn', 2, 120);
    expect(largest).toBeLessThanOrEqual(CAP * 1.02);
    expect(contents(file).filter(([, message]) => message.startsWith('error'))).toHaveLength(800);
    expect(file.dropCounts().cap[0]).toBe(written[0]);
    file.close();
  });

  it('refuses new DEBUG rather than old ERROR, and counts it', () => {
    const file = new OutboxFile(path, 'run', CAP);
    for (let no = 1; no <= 100; no += 1) file.append([batch(no, 100, 'error')]);
    const before = file.dropCounts().cap[3] ?? 0;
    expect(before).toBeGreaterThan(0);
    file.append([batch(101, 5_000, 'debug')]);
    expect(file.dropCounts().cap[0]).toBe(5_000);
    file.close();
  });

  it('lets what is shipped go first, uncounted', () => {
    const file = new OutboxFile(path, 'run', CAP);
    for (let no = 1; no <= 50; no += 1) file.append([batch(no, 100, 'error')]);
    file.setShipped(5_000);
    for (let no = 51; no <= 100; no += 1) file.append([batch(no, 100, 'debug')]);
    expect(contents(file).filter(([, message]) => message.startsWith('debug'))).toHaveLength(5_000);
    expect(file.dropCounts().cap).toEqual([0, 0, 0, 0]);
    file.close();
  });

  it('shrinks when its cap is lowered', () => {
    const large = new OutboxFile(path, 'run', 4 * CAP);
    for (let no = 1; no <= 200; no += 1) large.append([batch(no, 100, 'info')]);
    large.close();
    const small = new OutboxFile(path, 'run-2', CAP);
    small.append([batch(1, 10, 'info')]);
    expect(small.sizeBytes()).toBeLessThanOrEqual(CAP * 1.02);
    expect(contents(small).at(-1)?.[1]).toBe('info 1.9');
    small.close();
  });

  it('takes the records of a store of the former kind over', async () => {
    const { default: Database } = await import('better-sqlite3');
    const file = new OutboxFile(path, 'make-folder', CAP);
    file.close();
    await rm(path);
    const old = new Database(path);
    old.pragma(`application_id = ${0x4953474c}`);
    old.exec(`CREATE TABLE log_record (seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, level INTEGER NOT NULL,
      message TEXT NOT NULL, fields TEXT NOT NULL) STRICT; CREATE INDEX log_record_level ON log_record (level, seq);
      INSERT INTO log_record VALUES (7, 1, 1, 'of old', '{}')`);
    old.close();
    const now = new OutboxFile(path, 'run', CAP);
    now.append([batch(1, 1, 'info')]);
    expect(contents(now)).toEqual([
      [7, 'of old'],
      [8, 'info 1.0'],
    ]);
    now.close();
  });

  it('belongs to one process or run at a time: a second one waits in memory and writes when the first has ended', async () => {
    const first = openKeeper(path);
    const second = openKeeper(path);
    second.put([row('waits')]);
    expect(second.told.join()).toContain('Another process');
    first.keeper.close();
    await expect.poll(() => second.storedUpTo(), { timeout: 20_000 }).toBe(1);
    expect(second.read().map(({ message }) => message)).toEqual(['waits']);
    second.keeper.close();
  });
});
