import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { settleAbsence } from '../../../agent/roles/main/scan/absence.ts';
import { runScanPass } from '../../../agent/roles/main/scan/scan-pass.ts';
import { takeOver } from '../../integration/main/scan/leading.ts';
import { ScanBench } from '../../integration/main/scan/scan-bench.ts';
import { isLong } from '../../support/long-version.ts';

/** Scripts of random changes to a real tree, with passes between them: afterwards the index is the tree. */

const SCRIPTS = isLong ? 300 : 4;

let bench: ScanBench;
beforeAll(async () => {
  bench = await ScanBench.create();
});
afterAll(() => bench.close());

const path = fc
  .array(fc.constantFrom('a', 'A', 'b', 'caf\u00e9', 'x.mov', 'X.MOV', 'y.mov'), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join('/'));
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('write' as const), path, bytes: fc.integer({ min: 0, max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mkdir' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('link' as const), path, to: path }) },
  // A file becomes a directory with a file in it, or a directory a file.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('vanish while scanned' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move while scanned' as const), path, to: path }) },
  // Another part of the product takes a row away; its file is still there.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), path }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('scan' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each write is at a second of its own: a change that keeps size, time and id is not promised to be seen. */
let second = 1_700_000_000;

/** Makes the change where the tree allows it. */
async function perform(change: Step): Promise<void> {
  if (change.do === 'scan') return scan(() => {});
  if (change.do === 'vanish while scanned') return scan(() => apply({ do: 'remove', path: change.path }));
  if (change.do === 'move while scanned') return scan(() => apply({ do: 'rename', path: change.path, to: change.to }));
  if (change.do === 'forget') {
    await bench.database.execute('DELETE FROM storage_file WHERE path = $1', [change.path]);
    return;
  }
  apply(change);
}

type OnDisk =
  | { do: 'write'; path: string; bytes: number }
  | { do: 'remove'; path: string }
  | { do: 'mkdir'; path: string }
  | { do: 'turn'; path: string }
  | { do: 'rename'; path: string; to: string }
  | { do: 'link'; path: string; to: string };

function apply(change: OnDisk): void {
  const at = join(bench.folder, change.path);
  try {
    if (change.do === 'write') write(at, change.bytes);
    else if (change.do === 'remove') rmSync(at, { recursive: true, force: true });
    else if (change.do === 'mkdir') mkdirSync(at, { recursive: true });
    else if (change.do === 'turn') turn(at);
    else if (change.do === 'link') linkSync(at, join(bench.folder, change.to));
    else renameSync(at, join(bench.folder, change.to));
  } catch (thrown) {
    // A file where a folder should be, or the other way round: nothing happened.
    if (!(thrown instanceof Error && 'syscall' in thrown)) throw thrown;
  }
}

function write(at: string, bytes: number): void {
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, 'x'.repeat(bytes));
  second += 1;
  utimesSync(at, second, second);
}

function turn(at: string): void {
  const wasDirectory = lstatSync(at).isDirectory();
  rmSync(at, { recursive: true });
  write(wasDirectory ? at : join(at, 'inside.mov'), 3);
}

/** One pass; `meanwhile` happens after the root was listed and before anything is proven absent. */
async function scan(meanwhile: () => void): Promise<void> {
  const { database, storage, access: real } = bench;
  let hasBegun = false;
  const begin = () => {
    if (!hasBegun) meanwhile();
    hasBegun = true;
  };
  const walk: typeof real.walk = (options, onDirectory, signal) => {
    const take: typeof onDirectory = (listing) => {
      begin();
      return onDirectory(listing);
    };
    return real.walk(options, take, signal);
  };
  const access = { ...real, walk };
  const context = { database, leadership: await takeOver(database), storage, access, walkers: 2 };
  await settleAbsence(context, await runScanPass(context), () => Promise.resolve());
}

interface Seen {
  path: string;
  size: string;
  mtime: string;
}

function tree(directory = ''): Seen[] {
  const found: Seen[] = [];
  for (const name of readdirSync(join(bench.folder, directory))) {
    const relative = directory === '' ? name : `${directory}/${name}`;
    const stats = lstatSync(join(bench.folder, relative), { bigint: true });
    if (stats.isDirectory()) found.push(...tree(relative));
    else if (!name.startsWith('.isg-pro-'))
      found.push({ path: relative, size: String(stats.size), mtime: String(stats.mtimeNs) });
  }
  return found.sort((one, other) => (one.path < other.path ? -1 : 1));
}

async function index(): Promise<Seen[]> {
  const row = z.object({ path: z.string(), size: z.string(), mtime: z.string() });
  const rows = await bench.database.query(
    "SELECT path, size_bytes::text AS size, mtime_ns::text AS mtime FROM storage_file WHERE state <> 'missing'",
    [],
    row,
  );
  return rows.sort((one, other) => (one.path < other.path ? -1 : 1));
}

async function clear(): Promise<void> {
  for (const name of readdirSync(bench.folder)) rmSync(join(bench.folder, name), { recursive: true });
  await bench.database.execute('DELETE FROM storage_file', []);
  await bench.database.execute('DELETE FROM storage_directory', []);
  writeFileSync(join(bench.folder, 'never-empty.mov'), 'x');
  await bench.access.placeMarker();
}

it(`after ${SCRIPTS} scripts of changes with scans between them the index is the tree, and nothing is left to compare`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (script) => {
      await clear();
      for (const change of script) await perform(change);
      await scan(() => {});
      expect(await index()).toEqual(tree());
      // One more pass has nothing to look up: every folder stands by its fingerprint.
      await scan(() => {});
      const listed = await listedAgain();
      expect(listed).toEqual([]);
      expect(await remembered()).toEqual(directories());
      expect(existsSync(join(bench.folder, 'never-empty.mov'))).toBe(true);
    }),
    { numRuns: SCRIPTS, endOnFailure: true },
  );
});

async function remembered(): Promise<string[]> {
  const row = z.object({ directory: z.string() });
  const rows = await bench.database.query('SELECT directory FROM storage_directory', [], row);
  return rows.map(({ directory }) => directory).sort();
}

/** The tree's directories, the root with them. */
function directories(directory = ''): string[] {
  const below = readdirSync(join(bench.folder, directory), { withFileTypes: true }).filter((one) => one.isDirectory());
  return [
    directory,
    ...below.flatMap(({ name }) => directories(directory === '' ? name : `${directory}/${name}`)),
  ].sort();
}

/** Directories that a walk with the index's fingerprints would still compare. */
async function listedAgain(): Promise<string[]> {
  const row = z.object({ directory: z.string(), fingerprint: z.string().nullable() });
  const rows = await bench.database.query('SELECT directory, fingerprint FROM storage_directory', [], row);
  const known = new Map(rows.map((one) => [one.directory, one.fingerprint]));
  const listed: string[] = [];
  await bench.access.walk(
    {
      directories: [],
      ignore: [],
      include: [],
      concurrency: 2,
      known: async (paths) => paths.map((one) => known.get(one) ?? null),
    },
    async (listing) => {
      if (listing.kind !== 'unchanged') listed.push(listing.path);
    },
    new AbortController().signal,
  );
  return listed;
}
