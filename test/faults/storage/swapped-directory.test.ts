import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { useStorages } from '../../integration/storage/storage-fixture.ts';
import { isLong } from '../../support/long-version.ts';

const SWAPPER = fileURLToPath(new URL('swap-directory.ts', import.meta.url));
const ROUNDS = isLong ? 4_000 : 150;
const OLD = new Date('2020-01-01T00:00:00Z');
/** What the node may read. Of the same length as what it may not, so that no size tells them apart. */
const INSIDE = 'inside the storage';
const OUTSIDE = 'outside: a secret!';
const MD5_OUTSIDE = createHash('md5').update(OUTSIDE).digest('hex');

const storages = useStorages();

describe.skipIf(process.platform !== 'linux')(
  'a directory that is swapped for a link out of the storage all the time',
  () => {
    let storage: StorageAccess;
    let outside: string;
    let swapper: ChildProcess;

    beforeEach(async () => {
      storage = await storages.open();
      outside = await storages.directory();
      for (const folder of [join(storage.mountPoint, 'real'), outside]) {
        mkdirSync(folder, { recursive: true });
        const text = folder === outside ? OUTSIDE : INSIDE;
        for (const name of ['read', 'from']) writeFileSync(join(folder, name), text);
        mkdirSync(join(folder, 'empty'));
      }
      for (let at = 0; at < ROUNDS; at += 1) placeVictim(outside, at);
      symlinkSync('real', join(storage.mountPoint, 'shown'));
      swapper = spawn(process.execPath, [SWAPPER, storage.mountPoint, outside, '120'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      assert(swapper.stdout);
      await once(swapper.stdout, 'data');
    });
    afterEach(async () => {
      if (swapper.exitCode === null && swapper.signalCode === null) {
        swapper.kill('SIGKILL');
        await once(swapper, 'exit');
      }
      rmSync(outside, { recursive: true, force: true });
    });

    it('is never read, written, removed or filled outside', { timeout: 180_000 }, async () => {
      const before = fingerprint(outside);
      const outcomes = { inside: 0, refused: 0 };
      const count = (settled: PromiseSettledResult<unknown>[]) => {
        for (const one of settled) outcomes[one.status === 'fulfilled' ? 'inside' : 'refused'] += 1;
      };
      const victim = { sizeBytes: OUTSIDE.length, mtimeNs: String(BigInt(OLD.getTime()) * 1_000_000n) };
      for (let at = 0; at < ROUNDS; at += 1) {
        const texts = await Promise.allSettled([
          storage.readText('shown/read', 100),
          storage.digest('shown/read', {}),
          storage.digestMany(['shown/read'], { withMd5: true }),
        ]);
        expect(JSON.stringify(texts)).not.toContain(OUTSIDE);
        // Of the digests too nothing may be theirs.
        expect(JSON.stringify(texts)).not.toContain(MD5_OUTSIDE);
        count(texts);
        count(
          await Promise.allSettled([
            storage.writeText(`shown/new-${at}`, 'written by the node', 0),
            storage.writeText(`shown/deep-${at}/below/new`, 'written by the node', 0),
            storage.removeFile(`shown/victim-${at}`, victim),
            storage.removeDirectory('shown/empty'),
            storage.commitFile(`shown/new-${at - 1}`, `shown/committed-${at}`),
          ]),
        );
      }
      expect(fingerprint(outside)).toBe(before);
      // Else nothing would have been tried: both faces were met.
      expect(outcomes.inside).toBeGreaterThan(0);
      expect(outcomes.refused).toBeGreaterThan(0);
    });
  },
);

/** Looks exactly like what the node is told to remove. */
function placeVictim(folder: string, at: number): void {
  const path = join(folder, `victim-${at}`);
  writeFileSync(path, OUTSIDE);
  utimesSync(path, OLD, OLD);
}

/** Names, kinds, contents and times of all in a folder; access times too where the mount keeps them. */
function fingerprint(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const facts = lstatSync(join(folder, name), { bigint: true });
      const what = facts.isFile() ? readFileSync(join(folder, name), 'utf8') : 'directory';
      return `${name} ${facts.mode} ${facts.mtimeNs} ${facts.ino} ${what}`;
    })
    .concat(String(statSync(folder, { bigint: true }).mtimeNs))
    .join('\n');
}
