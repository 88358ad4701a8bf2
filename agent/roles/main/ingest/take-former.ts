import type { IngestRow } from '../../../db/queries/ingest.ts';
import type { FormerRow } from '../../../db/queries/moved-file.ts';
import { formerRows, hasBegunAsset, idsOfRow, moveIds } from '../../../db/queries/moved-file.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';
import { pathInDirectoryAsset } from './directory-plan.ts';
import type { IngestContext } from './ingest-context.ts';
import { caseVariantOf, chooseFormer } from './move-plan.ts';

/** Names in one folder right now; null when the storage cannot be asked. */
async function namesInFolder(context: IngestContext, folder: string): Promise<Set<string> | null> {
  const { access } = context;
  if (access === null) return null;
  const enough = new AbortController();
  let names: Set<string> | null = null;
  const walk = { directories: folder === '' ? [] : [folder], ignore: [], include: [], concurrency: 1 };
  const signal = AbortSignal.any([enough.signal, context.leadership.signal]);
  const walking = access.walk(
    walk,
    async (listing) => {
      if (listing.kind !== 'listed' || listing.path !== folder) return;
      names = new Set(listing.entries.map((entry) => entry.name));
      enough.abort();
    },
    signal,
  );
  // A walk that has shown the folder is ended by the abort, and says so.
  await walking.catch((thrown: unknown) => {
    if (names === null) throw thrown;
  });
  return names;
}

/**
 * The missing row that a file used to be. A row can be missing whose file is there (outside the scan directories, or come
 * back since the last scan): then this file is a copy of it.
 */
async function goneFormer(
  context: IngestContext,
  path: string,
  formers: readonly FormerRow[],
): Promise<FormerRow | null> {
  let left = formers.filter((former) => former.isMissing);
  for (;;) {
    const former = chooseFormer(path, left, null);
    if (former === null) return null;
    const facts = (await context.access?.stat(former.path)) ?? null;
    if (facts?.kind !== 'file') return former;
    left = left.filter((other) => other !== former);
  }
}

/** The row of the same file under a name that differs by case only and that the folder does not list any more. */
async function respelledFormer(
  context: IngestContext,
  path: string,
  formers: readonly FormerRow[],
): Promise<FormerRow | null> {
  const present = formers.filter((former) => !former.isMissing);
  if (caseVariantOf(path, present) === null) return null;
  const listed = await namesInFolder(context, directoryOf(path));
  return listed?.has(nameOf(path)) === true ? chooseFormer(path, present, listed) : null;
}

/**
 * Takes over the record of the file that this one used to be: same content, its old path gone (or only written in another
 * case). Answers the row with those ids, to be brought up to date, or null when the file is new. A creation that was begun
 * for the row goes first: it would leave an empty asset.
 */
export async function takeFormer(context: IngestContext, row: IngestRow, assetKey: string): Promise<IngestRow | null> {
  const { database, leadership } = context;
  const { settings } = context.storage;
  const inside = pathInDirectoryAsset(row.path, settings);
  // Small files of two camera cards are often alike: a file of a directory asset moves only along with its directory.
  const isLike = (other: { path: string }) => pathInDirectoryAsset(other.path, settings) === inside;
  const formers = (await formerRows(database, row)).filter(isLike);
  if (formers.length === 0) return null;
  const former = (await goneFormer(context, row.path, formers)) ?? (await respelledFormer(context, row.path, formers));
  if (former === null || (await hasBegunAsset(database, assetKey))) return null;
  if (!(await moveIds(database, leadership, row, former))) return null;
  const ids = await idsOfRow(database, row);
  if (ids === null || ids.assetId === null) return null;
  context.log.info('a file was moved or renamed; its record in iconik follows', {
    storageId: row.storageId,
    path: row.path,
    formerPath: former.path,
  });
  return { ...row, ...ids, state: 'hashed' };
}
