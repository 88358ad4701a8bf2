import type { FormerRow } from '../../../db/queries/moved-file.ts';
import type { FileRecord, FileSet } from '../../../iconik/api.ts';
import { isSamePath, plainDirectory } from '../../../iconik/record-path.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';

/** What becomes of files that moved: pure functions of rows, records and paths. */

/** Whether two paths differ by upper and lower case only. */
export function isCaseVariant(path: string, other: string): boolean {
  const fold = (text: string) => text.normalize('NFC').toLowerCase();
  return path !== other && fold(path) === fold(other);
}

/**
 * The row that a file used to be, or null: one whose file is gone (the same file id first, then the same name, then any),
 * or one that only its case tells apart and that the folder does not list any more (`listed` = names of the folder, as far
 * as they were asked for; null = unknown). On file systems without case the old name still answers, so it never goes missing.
 */
export function chooseFormer(
  path: string,
  formers: readonly FormerRow[],
  listed: ReadonlySet<string> | null,
): FormerRow | null {
  const missing = formers.filter((former) => former.isMissing);
  const byName = missing.find((former) => nameOf(former.path) === nameOf(path));
  const gone = missing.find((former) => former.isSameFile) ?? byName ?? missing[0];
  if (gone !== undefined) return gone;
  const variant = caseVariantOf(path, formers);
  return variant !== null && listed !== null && !listed.has(nameOf(variant.path)) ? variant : null;
}

/** The row whose path differs by case only and in its last segment, if the folder must be listed to decide. */
export function caseVariantOf(path: string, formers: readonly FormerRow[]): FormerRow | null {
  const isVariant = (former: FormerRow) =>
    !former.isMissing &&
    former.isSameFile &&
    isCaseVariant(path, former.path) &&
    directoryOf(former.path) === directoryOf(path);
  return formers.find(isVariant) ?? null;
}

/** Whether a record is at the file's path; NFC and NFD are one path. */
export function isAtPath(record: FileRecord, path: string): boolean {
  return isSamePath(record, { directoryPath: directoryOf(path), name: nameOf(path) });
}

/** What moves a record to the file's path. */
export function placeBody(path: string): Record<string, unknown> {
  return { directory_path: directoryOf(path), name: nameOf(path), original_name: nameOf(path) };
}

/** What moves a file set along with its only file, or null when the set is not named after that file. */
export function fileSetPlaceBody(set: FileSet, record: FileRecord, path: string): Record<string, unknown> | null {
  const isNamedAfter = set.name === record.name || set.name === record.original_name;
  if (!isNamedAfter || plainDirectory(set.base_dir) !== plainDirectory(record.directory_path)) return null;
  return { base_dir: directoryOf(path), name: nameOf(path) };
}
