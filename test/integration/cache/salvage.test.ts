import { cp, mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { isLong } from '../../support/long-version.ts';
import { openKeeper, row } from './log-rows.ts';

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

  it('that is no database at all, or another program’s, is put aside', async () => {
    await mkdir(join(folder, 'text'));
    const path = join(folder, 'text', 'log.db');
    await writeFile(path, 'this is not a database, but it is long enough to look at'.repeat(200));
    expect((await liveOn(path)).rows.map(({ message }) => message)).toEqual(['after']);
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
