import type { IngestRow } from '../../../db/queries/ingest.ts';
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
  const variant = formers.some((former) => former.isMissing) ? null : caseVariantOf(row.path, formers);
  const listed = variant === null ? null : await namesInFolder(context, directoryOf(row.path));
  const isListed = listed?.has(nameOf(row.path)) === true;
  const former = chooseFormer(row.path, formers, isListed ? listed : null);
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
