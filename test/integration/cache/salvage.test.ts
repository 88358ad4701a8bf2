import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DropCounts, OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { asideToSalvage, beginQuarantine, putAside } from '../../../agent/cache/log/quarantine.ts';
import { salvage } from '../../../agent/cache/log/salvage.ts';
import { isLong } from '../../support/long-version.ts';
import { contents, openKeeper, row } from './log-rows.ts';

const CORRUPTIONS = isLong ? 500 : 25;
const RECORDS = 2_000;
const PAGE = 4_096;

let folder: string;
let outboxId = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-salvage-'));
  const file = new OutboxFile(join(folder, 'sound', 'log.db'), 'run', 64_000_000);
  outboxId = file.identity().outboxId;
  for (let no = 0; no < 20; no += 1) {
    const records = Array.from({ length: 100 }, (_, n) => row(`record ${no * 100 + n + 1}`));
    file.append([{ no: no + 1, records, dropped: [0, 0, 0, 0] }]);
  }
  file.setShipped(500);
  file.close();
  makeLarge();
});
afterAll(() => rm(folder, { recursive: true }));

async function copyOf(name: string): Promise<string> {
  await cp(join(folder, 'sound'), join(folder, name), { recursive: true });
  return join(folder, name, 'log.db');
}

async function overwrite(path: string, offset: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
  await file.close();
}

/** Opens, looks at every record (which finds the damage), writes one more and opens again. */
async function liveOn(path: string) {
  const opened = openKeeper(path);
  const found = opened.read();
  opened.put([row('after')]);
  const rows = opened.read();
  const identity = opened.keeper.use((file) => ({ ...file.identity() }));
  opened.keeper.close();
  return { found, rows, identity, told: opened.told };
}

// most of it shipped, some not, and counters of what was dropped before
const LARGE = 40_000;
const LARGE_SHIPPED = 25_000;
const LARGE_CAP = 20_000_000;
let large: { outboxId: string; drops: DropCounts };
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n): [number, string] => [from + n, `record ${from + n}`]);

function makeLarge(): void {
  const file = new OutboxFile(join(folder, 'large', 'log.db'), 'run', LARGE_CAP);
  for (let no = 0; no < LARGE / 1_000; no += 1) {
    const records = Array.from({ length: 1_000 }, (_, n) => row(`record ${no * 1_000 + n + 1}`));
    file.append([{ no: no + 1, records, dropped: [1, 0, 0, 2] }]);
  }
  file.database.exec("INSERT INTO drop_count VALUES ('cap', 0, 7)");
  file.setShipped(LARGE_SHIPPED);
  large = { outboxId: file.identity().outboxId, drops: file.dropCounts() };
  file.close();
}

/** A copy with one damaged page among its shipped records. */
async function largeCopy(name: string) {
  await cp(join(folder, 'large'), join(folder, name), { recursive: true });
  const path = join(folder, name, 'log.db');
  await overwrite(path, 500 * PAGE, Buffer.alloc(PAGE, 0xa5));
  const { ino } = await stat(path);
  return { path, cap: LARGE_CAP, damagedFrom: ino };
}

/** Records of a file that is another one than the one with this inode; 0 where there is none yet. */
async function recordsIn(path: string, notInode: number): Promise<number> {
  try {
    if ((await stat(path)).ino === notInode) return 0;
    const database = new Database(path, { readonly: true, fileMustExist: true });
    try {
      return Number(database.prepare('SELECT count(*) FROM log_record').pluck().get());
    } finally {
      database.close();
    }
  } catch {
    // ignored because a file in the making is looked at again
    return 0;
  }
}

describe('a damaged cache', () => {
  it('keeps the numbers of the records that are readable, its id and what is shipped', async () => {
    const path = await copyOf('middle');
    await overwrite(path, 40 * PAGE, Buffer.alloc(10 * PAGE, 0xa5));
    const { rows, identity, told } = await liveOn(path);
    expect(identity).toMatchObject({ outboxId, shippedSeq: 500 });
    expect(rows.length).toBeGreaterThan(RECORDS / 2);
    expect(rows.length).toBeLessThan(RECORDS);
    for (const { seq, message } of rows.slice(0, -1)) expect(message).toBe(`record ${seq}`);
    expect(rows.at(-1)).toMatchObject({ seq: RECORDS + 1, message: 'after' });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('put aside');
    expect((await readdir(join(folder, 'middle'))).some((name) => name.includes('.corrupt-'))).toBe(true);
  });

  it('is read in whole when only its first page, which says what is where, is gone', async () => {
    const path = await copyOf('first-page');
    await overwrite(path, 0, Buffer.alloc(PAGE, 0x5a));
    const { rows, identity } = await liveOn(path);
    expect(identity).toMatchObject({ outboxId, shippedSeq: 500 });
    expect(rows).toHaveLength(RECORDS + 1);
  });

  it('is read in whole when one of the two pages with its identity is gone', async () => {
    for (const page of [2, 3]) {
      const path = await copyOf(`identity-${page}`);
      await overwrite(path, page * PAGE, Buffer.alloc(PAGE, 0x5a));
      const { rows, identity } = await liveOn(path);
      expect(identity?.outboxId).toBe(outboxId);
      expect(rows).toHaveLength(RECORDS + 1);
    }
  });

  it('does not repeat numbers under an id that it could not read', async () => {
    const path = await copyOf('no-identity');
    await overwrite(path, 2 * PAGE, Buffer.alloc(2 * PAGE, 0x5a));
    const { rows, identity } = await liveOn(path);
    expect(identity?.outboxId).not.toBe(outboxId);
    expect(rows.at(-1)).toMatchObject({ seq: RECORDS + 1, message: 'after' });
    expect(new Set(rows.map(({ seq }) => seq)).size).toBe(rows.length);
  });

  it('is found when a record has a number that was not given yet, before it ships under it', async () => {
    const path = await copyOf('number');
    const opened = openKeeper(path);
    opened.keeper.use((file) => file.database.exec('UPDATE log_record SET seq = 245767 WHERE seq = 1994'));
    const read = () => opened.keeper.use((file) => contents(file)) ?? [];
    expect(read()).toHaveLength(RECORDS);
    expect(opened.told).toHaveLength(1);
    opened.put([row('after')]);
    opened.read();
    const rows = read();
    expect(rows).toHaveLength(RECORDS + 1);
    expect(rows.at(-1)?.[1]).toBe('after');
    expect(opened.keeper.use((file) => file.identity().nextSeq)).toBe((rows.at(-1)?.[0] ?? 0) + 1);
    opened.keeper.close();
  });

  it('that is no database at all, or another program’s, is put aside', async () => {
    await mkdir(join(folder, 'text'));
    const path = join(folder, 'text', 'log.db');
    await writeFile(path, 'this is not a database, but it is long enough to look at'.repeat(200));
    expect((await liveOn(path)).rows.map(({ message }) => message)).toEqual(['after']);
  });

  it('goes on with its salvage after a kill in the middle of it, under the same id, with all that is not shipped and all counters', async () => {
    const { path, cap, damagedFrom } = await largeCopy('killed');
    const program = fileURLToPath(new URL('./open-cache.ts', import.meta.url));
    const child = spawn(process.execPath, [program, path, String(cap)], { stdio: ['ignore', 'inherit', 'inherit'] });
    try {
      await expect.poll(() => recordsIn(path, damagedFrom), { timeout: 30_000, interval: 2 }).toBeGreaterThan(0);
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    expect(existsSync(`${path}.salvaging`), 'it was killed too late to say anything').toBe(true);
    const opened = openKeeper(path, { capBytes: cap });
    const identity = opened.keeper.use((file) => ({ ...file.identity(), drops: file.dropCounts() }));
    expect(identity).toMatchObject({ outboxId: large.outboxId, shippedSeq: LARGE_SHIPPED, drops: large.drops });
    const unshipped = opened.keeper.use((file) => contents(file).filter(([seq]) => seq > LARGE_SHIPPED)) ?? [];
    expect(unshipped).toEqual(numbered(LARGE_SHIPPED + 1, LARGE));
    expect(opened.told).toHaveLength(1);
    expect(existsSync(`${path}.salvaging`)).toBe(false);
    opened.keeper.close();
  });

  it('has back what no database has even where there is no time for the rest', async () => {
    const { path, cap } = await largeCopy('hurried');
    beginQuarantine(path, 'now');
    putAside(path);
    const file = new OutboxFile(path, 'run-2', cap);
    const aside = asideToSalvage(path, true) ?? '';
    const { leftOut, isComplete } = salvage(aside, file, { unshippedMs: 60_000, mostMs: 0 });
    expect({ leftOut, isComplete }).toEqual({ leftOut: 0, isComplete: false });
    expect(contents(file)).toEqual(numbered(LARGE_SHIPPED + 1, LARGE));
    expect(file.dropCounts()).toEqual(large.drops);
    const again = salvage(aside, file, { unshippedMs: -1, mostMs: 0 });
    expect(again).toMatchObject({ leftOut: LARGE - LARGE_SHIPPED, isComplete: false });
    file.close();
  });

  it('is given up by salvage that ended five processes, and not by one that waits for room', async () => {
    const path = await copyOf('given-up');
    beginQuarantine(path, 'now');
    putAside(path);
    for (let n = 0; n < 10; n += 1) expect(asideToSalvage(path, false)).toContain('.corrupt-now');
    for (let n = 0; n < 5; n += 1) expect(asideToSalvage(path, true)).toContain('.corrupt-now');
    expect(asideToSalvage(path, true)).toBeNull();
    expect(existsSync(`${path}.salvaging`)).toBe(false);
    expect(existsSync(`${path}.corrupt-now`)).toBe(true);
  });

  it('has all of its long records back in a small file', async () => {
    const path = join(folder, 'long', 'log.db');
    const file = new OutboxFile(path, 'run', 16_000_000);
    const records = Array.from({ length: 130 }, (_, n) => ({
      ...row(`long ${n}`, 'error'),
      fields: JSON.stringify({ body: 'x'.repeat(60_000) }),
    }));
    for (const [n, record] of records.entries()) file.append([{ no: n + 1, records: [record], dropped: [] }]);
    expect(contents(file)).toHaveLength(130);
    file.close();
    beginQuarantine(path, 'now');
    const opened = openKeeper(path, { capBytes: 16_000_000 });
    expect(opened.keeper.use((into) => [contents(into).length, into.dropCounts().cap])).toEqual([130, [0, 0, 0, 0]]);
    opened.keeper.close();
  });

  it('counts what there is no room for in the new file', async () => {
    const { path } = await largeCopy('smaller');
    beginQuarantine(path, 'now');
    const opened = openKeeper(path, { capBytes: 2_000_000 });
    const [kept = 0, cap = 0] =
      opened.keeper.use((file) => {
        const [debug = 0, info = 0] = file.dropCounts().cap;
        return [contents(file).filter(([seq]) => seq > LARGE_SHIPPED).length, debug + info - (large.drops.cap[0] ?? 0)];
      }) ?? [];
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(LARGE - LARGE_SHIPPED);
    expect(kept + cap).toBe(LARGE - LARGE_SHIPPED);
    opened.keeper.close();
  });

  it(`starts and works after each of ${CORRUPTIONS} random corruptions`, {
    timeout: isLong ? 3_600_000 : 120_000,
  }, async () => {
    const { size } = await stat(join(folder, 'sound', 'log.db'));
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return Math.floor((state / 2 ** 31) * below);
    };
    for (let n = 0; n < CORRUPTIONS; n += 1) {
      const why = `corruption ${n} of seed ${seed}`;
      const path = await copyOf(`fuzzed-${n}`);
      for (let hit = 0; hit <= random(4); hit += 1) await corrupt(path, size, random);
      const { rows, identity } = await liveOn(path);
      expect(rows.at(-1)?.message, why).toBe('after');
      expect(new Set(rows.map(({ seq }) => seq)).size, why).toBe(rows.length);
      expect(identity?.nextSeq, why).toBe((rows.at(-1)?.seq ?? 0) + 1);
      await rm(join(folder, `fuzzed-${n}`), { recursive: true });
    }
  });
});

/** One of: a run of noise, a page of zeros, a torn end, a flipped bit; half of them in the pages that say what is where. */
async function corrupt(path: string, size: number, random: (below: number) => number): Promise<void> {
  const offset = random(2) === 0 ? random(8 * PAGE) : random(size);
  const kind = random(4);
  if (kind === 0) {
    const noise = Buffer.from(Array.from({ length: 1 + random(2_000) }, () => random(256)));
    await overwrite(path, offset, noise);
  } else if (kind === 1) await overwrite(path, offset - (offset % PAGE), Buffer.alloc(PAGE));
  else if (kind === 2) {
    const file = await open(path, 'r+');
    await file.truncate(offset);
    await file.close();
  } else await overwrite(path, offset, Buffer.from([1 << random(8)]));
}
