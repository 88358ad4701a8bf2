import { forgetDirectories, nextKnownDirectories } from '../../../db/queries/directory-fingerprint.ts';
import type { IndexedFileRow } from '../../../db/queries/storage-file.ts';
import { markMissing, nextDirectories, readDirectories } from '../../../db/queries/storage-file.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import type { PassContext, PassResult } from './scan-pass.ts';
import { isDirectoryGone, isPresent } from './scan-plan.ts';

/** Directories of the index looked at per query. */
const DIRECTORY_PAGE = 500;
/** Remembered directories looked at per query: nothing but names. */
const REMEMBERED_PAGE = 2_000;
/** Files proven and marked together; the root is probed once for each such group. */
const PROOF_GROUP = 500;
/** Files asked for at once. */
const PROOF_CONCURRENCY = 8;

/** Whether a file is gone at this instant. Throws when that cannot be known. */
export async function isGone(access: Pick<StorageAccess, 'stat'>, path: string): Promise<boolean> {
  // Where names ignore case, a file is still found by a name that it was renamed from.
  const facts = await access.stat(path, { spelledExactly: true });
  return facts === null || facts.kind !== 'file';
}

/** Those of `rows` whose file is really not there: a listing can miss a file, and patterns can have begun to ignore it. */
async function provenGone(access: StorageAccess, rows: readonly IndexedFileRow[]): Promise<IndexedFileRow[]> {
  const gone: IndexedFileRow[] = [];
  const queue = rows.values();
  const lane = async () => {
    for (const row of queue) if (await isGone(access, row.path)) gone.push(row);
  };
  await Promise.all(Array.from({ length: PROOF_CONCURRENCY }, lane));
  return gone;
}

/** Those of some directories that are gone, with their rows. */
async function rowsOfGone(context: PassContext, pass: PassResult, directories: readonly string[]) {
  const gone = directories.filter((directory) => isDirectoryGone(directory, pass.known));
  return gone.length === 0 ? [] : (await readDirectories(context.database, context.storage.id, gone)).filter(isPresent);
}

/** Rows of directories that the index knows and the storage shows no more. */
async function* rowsOfGoneDirectories(context: PassContext, pass: PassResult): AsyncIterable<IndexedFileRow[]> {
  const { database, storage } = context;
  for (let after = ''; ; ) {
    const page = await nextDirectories(database, storage.id, after, DIRECTORY_PAGE);
    yield await rowsOfGone(context, pass, page);
    const last = page.at(-1);
    if (last === undefined || page.length < DIRECTORY_PAGE) return;
    after = last;
  }
}

/**
 * Marks missing what a pass did not find, after proof: directory listed without error (by the pass), no such file at a
 * second look, and only then the root still the right one (`confirmRoot`, which throws otherwise: a share that went away
 * meanwhile shows no file at all). Answers how many rows became missing. With `directories` (keys) only these of the
 * index are asked whether they are gone.
 */
export async function settleAbsence(
  context: PassContext,
  pass: PassResult,
  confirmRoot: () => Promise<void>,
  directories?: readonly string[],
): Promise<number> {
  const { database, storage, access, leadership } = context;
  let marked = 0;
  const settle = async (rows: readonly IndexedFileRow[]) => {
    for (let from = 0; from < rows.length; from += PROOF_GROUP) {
      leadership.assertTrusted();
      const gone = await provenGone(access, rows.slice(from, from + PROOF_GROUP));
      if (gone.length === 0) continue;
      await confirmRoot();
      marked += await markMissing(database, leadership, storage.id, gone);
    }
  };
  await settle(pass.candidates);
  if (directories) {
    await settle(await rowsOfGone(context, pass, directories));
    return marked;
  }
  for await (const rows of rowsOfGoneDirectories(context, pass)) await settle(rows);
  await forgetGoneDirectories(context, pass);
  return marked;
}

/** Forgets directories that are gone from the storage and hold no present file. A mistake costs one comparison. */
async function forgetGoneDirectories(context: PassContext, pass: PassResult): Promise<void> {
  const { database, storage, leadership } = context;
  for (let after = ''; ; ) {
    const page = await nextKnownDirectories(database, storage.id, after, REMEMBERED_PAGE);
    const gone = page.filter((directory) => isDirectoryGone(directory, pass.known));
    if (gone.length > 0) await forgetDirectories(database, leadership, storage.id, gone);
    const last = page.at(-1);
    if (last === undefined || page.length < REMEMBERED_PAGE) return;
    after = last;
  }
}
