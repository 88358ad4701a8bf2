import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IndexedFileRow } from '../../../../agent/db/queries/storage-file.ts';
import {
  type DirectoryKnowledge,
  isDirectoryGone,
  isPresent,
  planDirectory,
} from '../../../../agent/roles/main/scan/scan-plan.ts';
import type { DirectoryEntry } from '../../../../agent/storage/storage-access.ts';
import { directoryOf, joinPath, nameOf, pathKey } from '../../../../agent/storage/storage-path.ts';

const THRESHOLD = { growingFilesThresholdS: 10 };

function entry(name: string, over: Partial<DirectoryEntry> = {}): DirectoryEntry {
  return { name, kind: 'file', sizeBytes: 10, mtimeNs: '1000', fileId: '7', ...over };
}

function row(path: string, over: Partial<IndexedFileRow> = {}): IndexedFileRow {
  return {
    pathKey: pathKey(path),
    path,
    directory: pathKey(directoryOf(path)),
    sizeBytes: 10,
    mtimeNs: '1000',
    fileId: '7',
    state: 'ingested',
    hasDigests: true,
    quietSeconds: 0,
    isHeld: false,
    ...over,
  };
}

const stateAfter = (listed: DirectoryEntry, indexed: IndexedFileRow[]) =>
  planDirectory('', [listed], indexed, THRESHOLD).changes.map((change) => [change.state, change.keepContent]);

describe('what a listed file does to its row', () => {
  it('a new file is seen, a new file without bytes is empty', () => {
    expect(stateAfter(entry('a'), [])).toEqual([['seen', false]]);
    expect(stateAfter(entry('a', { sizeBytes: 0 }), [])).toEqual([['empty', false]]);
  });

  it('an unchanged file with a settled state costs no write', () => {
    for (const state of ['ready', 'hashing', 'hashed', 'ingesting', 'ingested', 'faulty'] as const) {
      expect(stateAfter(entry('a'), [row('a', { state })])).toEqual([]);
    }
    expect(stateAfter(entry('a', { sizeBytes: 0 }), [row('a', { state: 'empty', sizeBytes: 0 })])).toEqual([]);
  });

  it.each([{ sizeBytes: 11 }, { mtimeNs: '1001' }, { fileId: '8' }])(
    'a difference in %o drops the digests',
    (change) => {
      expect(stateAfter(entry('a', change), [row('a')])).toEqual([['seen', false]]);
      expect(stateAfter(entry('a', change), [row('a', { state: 'hashing' })])).toEqual([['seen', false]]);
      expect(stateAfter(entry('a', change), [row('a', { state: 'faulty' })])).toEqual([['seen', false]]);
    },
  );

  it('a file that changes between two looks is growing, and stays so until it was quiet for the threshold', () => {
    expect(stateAfter(entry('a', { sizeBytes: 11 }), [row('a', { state: 'seen' })])).toEqual([['growing', false]]);
    expect(stateAfter(entry('a'), [row('a', { state: 'growing', quietSeconds: 9.9 })])).toEqual([]);
    expect(stateAfter(entry('a'), [row('a', { state: 'growing', quietSeconds: 10 })])).toEqual([['ready', true]]);
    expect(stateAfter(entry('a', { mtimeNs: '2' }), [row('a', { state: 'growing', quietSeconds: 99 })])).toEqual([
      ['growing', false],
    ]);
  });

  it('a missing file found unchanged keeps its digests; a changed one is read again', () => {
    expect(stateAfter(entry('a'), [row('a', { state: 'missing' })])).toEqual([['hashed', true]]);
    expect(stateAfter(entry('a'), [row('a', { state: 'missing', hasDigests: false })])).toEqual([['seen', false]]);
    expect(stateAfter(entry('a', { sizeBytes: 3 }), [row('a', { state: 'missing' })])).toEqual([['seen', false]]);
  });

  it('a file that ingest refused stays refused, pass after pass, until it changes', () => {
    expect(stateAfter(entry('a'), [row('a', { state: 'skipped' })])).toEqual([]);
    expect(stateAfter(entry('a', { sizeBytes: 3 }), [row('a', { state: 'skipped' })])).toEqual([['seen', false]]);
    // One without digests was never looked at by ingest: the scan had left it out, and now finds it.
    expect(stateAfter(entry('a'), [row('a', { state: 'skipped', hasDigests: false })])).toEqual([['seen', false]]);
  });

  it('a file that lost its bytes is empty, and one that gained some is seen', () => {
    expect(stateAfter(entry('a', { sizeBytes: 0 }), [row('a')])).toEqual([['empty', false]]);
    expect(stateAfter(entry('a'), [row('a', { state: 'empty', sizeBytes: 0 })])).toEqual([['seen', false]]);
  });

  it('rows that are not listed are candidates, but not those that are missing already', () => {
    const indexed = [row('gone'), row('old', { state: 'missing' }), row('kept')];
    expect(planDirectory('', [entry('kept')], indexed, THRESHOLD).gone.map((file) => file.path)).toEqual(['gone']);
  });

  it('a download that is registered but not in place yet is no candidate', () => {
    expect(planDirectory('', [], [row('a', { state: 'ingesting', isHeld: true })], THRESHOLD).gone).toEqual([]);
  });

  const composed = 'caf\u00e9.mov';
  const decomposed = 'cafe\u0301.mov';
  const spelled = { composed: 'caf⟦c3a9⟧.mov', decomposed: 'cafe⟦cc81⟧.mov' };

  it('two spellings of one name are two files: the known one keeps its place, the other is spelled out', () => {
    const entries = [entry(composed, { fileId: '1' }), entry(decomposed, { fileId: '2' })];
    const pathsOf = (rows: IndexedFileRow[]) =>
      planDirectory('', entries, rows, THRESHOLD).changes.map((change) => [change.path, change.before === null]);
    expect(pathsOf([])).toEqual([
      [decomposed, true],
      [spelled.composed, true],
    ]);
    expect(pathsOf([row(composed, { fileId: '1' })])).toEqual([[spelled.decomposed, true]]);
    expect(pathsOf([row(decomposed, { fileId: '2' })])).toEqual([[spelled.composed, true]]);
    const settled = [row(composed, { fileId: '1' }), row(spelled.decomposed, { fileId: '2' })];
    expect(planDirectory('', entries, settled, THRESHOLD)).toMatchObject({ changes: [], gone: [], skipped: 0 });
  });

  it('a spelled-out file keeps its place when its twin is gone, and the twin is the one that is missed', () => {
    const rows = [row(composed, { fileId: '1' }), row(spelled.decomposed, { fileId: '2' })];
    const plan = planDirectory('', [entry(decomposed, { fileId: '2' })], rows, THRESHOLD);
    expect(plan.changes).toEqual([]);
    expect(plan.gone.map((file) => file.path)).toEqual([composed]);
    const other = planDirectory('', [entry(composed, { fileId: '1' })], rows, THRESHOLD);
    expect(other.gone.map((file) => file.path)).toEqual([spelled.decomposed]);
  });

  it('a file that is renamed to the other spelling keeps its content, under the path by which it is found', () => {
    const plan = (over: Partial<IndexedFileRow>) =>
      planDirectory('', [entry(decomposed)], [row(composed, over)], THRESHOLD).changes.map((change) => [
        change.path,
        change.state,
        change.keepContent,
      ]);
    expect(plan({})).toEqual([[decomposed, 'ingested', true]]);
    expect(plan({ state: 'hashing' })).toEqual([[decomposed, 'seen', false]]);
    expect(plan({ state: 'ingesting', isHeld: true })).toEqual([]);
    expect(planDirectory('', [entry(decomposed)], [row(decomposed)], THRESHOLD).changes).toEqual([]);
  });

  it('links and devices are skipped, never indexed', () => {
    const plan = planDirectory('', [entry('l', { kind: 'symlink' }), entry('d', { kind: 'other' })], [], THRESHOLD);
    expect(plan).toMatchObject({ changes: [], skipped: 2 });
  });
});

describe('when a directory of the index counts as gone', () => {
  const known = (entries: Record<string, 'listed' | 'unreadable' | 'named'>): DirectoryKnowledge =>
    new Map(Object.entries(entries));

  it('its nearest known ancestor was listed and does not name the next step', () => {
    expect(isDirectoryGone('a/b/c', known({ '': 'listed', a: 'listed' }))).toBe(true);
    expect(isDirectoryGone('a', known({ '': 'listed' }))).toBe(true);
  });

  it('not when it was listed, or an ancestor could not be, or was named but not walked', () => {
    expect(isDirectoryGone('a', known({ '': 'listed', a: 'listed' }))).toBe(false);
    expect(isDirectoryGone('a/b', known({ '': 'listed', a: 'unreadable' }))).toBe(false);
    expect(isDirectoryGone('a', known({ '': 'listed', a: 'unreadable' }))).toBe(false);
    expect(isDirectoryGone('a/b', known({ '': 'listed', a: 'named' }))).toBe(false);
  });

  it('not outside of the scanned roots', () => {
    expect(isDirectoryGone('other/x', known({ projects: 'listed' }))).toBe(false);
    expect(isDirectoryGone('', known({ projects: 'listed' }))).toBe(false);
    expect(isDirectoryGone('projects/x', known({ projects: 'listed' }))).toBe(true);
  });
});

/** A tree by path, and an index that passes bring up to it. */
type Tree = Map<string, { sizeBytes: number; mtimeNs: string; fileId: string }>;

function directoriesOf(tree: Tree): Set<string> {
  const found = new Set(['']);
  for (const path of tree.keys()) {
    for (let at = directoryOf(path); at !== ''; at = directoryOf(at)) found.add(at);
  }
  return found;
}

function listing(tree: Tree, directory: string): DirectoryEntry[] {
  const files = [...tree].filter(([path]) => directoryOf(path) === directory);
  const children = [...directoriesOf(tree)].filter((path) => path !== '' && directoryOf(path) === directory);
  return [
    ...files.map(([path, facts]) => entry(nameOf(path), facts)),
    ...children.map((path) => entry(nameOf(path), { kind: 'directory' })),
  ];
}

/** One pass without a database: plans applied to a map, then absence by the rules of absence.ts. */
function pass(tree: Tree, index: Map<string, IndexedFileRow>, unreadable: ReadonlySet<string>): void {
  const known: DirectoryKnowledge = new Map();
  const rowsIn = (directory: string) => [...index.values()].filter((file) => file.directory === directory);
  const isHidden = (path: string): boolean => {
    for (let at = path; ; at = directoryOf(at)) {
      if (unreadable.has(at)) return true;
      if (at === '') return false;
    }
  };
  const gone: IndexedFileRow[] = [];
  for (const directory of directoriesOf(tree)) {
    if (isHidden(directory)) {
      if (directory === '' || !isHidden(directoryOf(directory))) known.set(directory, 'unreadable');
      continue;
    }
    const plan = planDirectory(directory, listing(tree, directory), rowsIn(directory), THRESHOLD);
    known.set(directory, 'listed');
    for (const child of plan.children) if (!known.has(child)) known.set(child, 'named');
    gone.push(...plan.gone);
    for (const { before, keepContent, ...change } of plan.changes) {
      index.set(change.pathKey, {
        ...change,
        hasDigests: keepContent && (before?.hasDigests ?? false),
        quietSeconds: 0,
        isHeld: false,
      });
    }
  }
  for (const file of index.values()) if (isDirectoryGone(file.directory, known)) gone.push(file);
  for (const file of gone) index.set(file.pathKey, { ...file, state: 'missing' });
}

const presentOf = (index: Map<string, IndexedFileRow>) =>
  new Map(
    [...index.values()].filter(isPresent).map((file) => [file.path, [file.sizeBytes, file.mtimeNs, file.fileId]]),
  );

const factsOf = (tree: Tree) =>
  new Map([...tree].map(([path, facts]) => [path, [facts.sizeBytes, facts.mtimeNs, facts.fileId]]));

const path = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
  .chain((directories) => fc.constantFrom('x.mov', 'y.wav').map((name) => [...directories, name].join('/')));
const facts = fc.record({
  sizeBytes: fc.integer({ min: 0, max: 3 }),
  mtimeNs: fc.integer({ min: 0, max: 3 }).map(String),
  fileId: fc.constantFrom('1', '2'),
});
const tree: fc.Arbitrary<Tree> = fc.array(fc.tuple(path, facts), { maxLength: 12 }).map((files) => new Map(files));

describe('after passes over names that differ only in composition', () => {
  // Three spellings of one name (the Ångström sign is a third), and the Kelvin sign, which NFC makes a K.
  const names = ['\u00c5.mov', 'A\u030a.mov', '\u212b.mov', 'K.mov', '\u212a.mov'];
  const file = fc.record({ name: fc.constantFrom(...names), sizeBytes: fc.integer({ min: 1, max: 2 }) });
  const folder = fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: 5 });

  it('every file has one row of its own, and another pass changes nothing', () => {
    fc.assert(
      fc.property(fc.array(folder, { minLength: 1, maxLength: 6 }), (folders) => {
        let rows = new Map<string, IndexedFileRow>();
        const passOver = (files: { name: string; sizeBytes: number }[]) => {
          // The file id belongs to the name, as long as nobody renames.
          const listed = files.map(({ name, sizeBytes }) =>
            entry(name, { sizeBytes, fileId: String(names.indexOf(name)) }),
          );
          const plan = planDirectory('', listed, [...rows.values()], THRESHOLD);
          rows = new Map(rows);
          for (const gone of plan.gone) rows.set(gone.pathKey, { ...gone, state: 'missing' });
          for (const { before: _, keepContent, ...change } of plan.changes) {
            rows.set(change.pathKey, { ...change, hasDigests: keepContent, quietSeconds: 0, isHeld: false });
          }
          expect(plan.skipped).toBe(0);
          return plan;
        };
        for (const files of folders) {
          passOver(files);
          const again = passOver(files);
          expect([again.changes, again.gone]).toEqual([[], []]);
          const present = [...rows.values()]
            .filter(isPresent)
            .map((one) => `${names[Number(one.fileId)]} ${one.sizeBytes}`);
          expect(present.sort()).toEqual(files.map(({ name, sizeBytes }) => `${name} ${sizeBytes}`).sort());
        }
      }),
    );
  });
});

describe('after a pass', () => {
  it('the present rows of the index are exactly the files of the tree, whatever happened between passes', () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), (trees) => {
        const index = new Map<string, IndexedFileRow>();
        for (const current of trees) {
          pass(current, index, new Set());
          expect(presentOf(index)).toEqual(factsOf(current));
        }
      }),
    );
  });

  it('nothing under a directory that could not be read has changed', () => {
    fc.assert(
      fc.property(tree, tree, fc.constantFrom('a', 'b', 'a/b', 'c/a', ''), (before, after, unreadable) => {
        // The unreadable directory itself must still be there, or it is simply gone.
        fc.pre(directoriesOf(after).has(unreadable));
        const index = new Map<string, IndexedFileRow>();
        pass(before, index, new Set());
        pass(after, index, new Set([unreadable]));
        const isUnder = (file: string) => unreadable === '' || file.startsWith(joinPath(unreadable, ''));
        const under = (files: Map<string, unknown>) => new Map([...files].filter(([file]) => isUnder(file)));
        expect(under(presentOf(index))).toEqual(under(factsOf(before)));
      }),
    );
  });
});
