import type { IndexedFileRow } from '../../../db/queries/storage-file.ts';
import type { DirectoryListing } from '../../../storage/storage-access.ts';
import { directoryOf, joinPath, pathKey } from '../../../storage/storage-path.ts';
import { isPresent } from './scan-plan.ts';

type Listed = Extract<DirectoryListing, { kind: 'listed' }>;

/** Entries of a listing that may be compared with the rows, and how many files were left out. */
export interface OwnEntries {
  entries: Listed['entries'];
  leftOut: number;
}

/**
 * Directories of one pass whose names differ by composition only (NFC and NFD): they have one key and their rows in common.
 * Both are entered. A file whose name stands in both has one place in the index, which it keeps while its directory is
 * there; the other one is left out and counted as skipped, so that passes do not alternate between the two.
 */
export class TwinDirectories {
  /** Keys of files that a listing of this pass has, by key of the directory. */
  readonly #taken = new Map<string, Set<string>>();

  /** `rows` are those of the directory's key. */
  ownEntries({ path, entries }: Pick<Listed, 'path' | 'entries'>, rows: readonly IndexedFileRow[]): OwnEntries {
    const directory = pathKey(path);
    const taken = this.#taken.get(directory) ?? new Set<string>();
    const othersRows = rows.filter((row) => isPresent(row) && directoryOf(row.path) !== path).map((row) => row.pathKey);
    const held = new Set([...taken, ...othersRows]);
    const keyOf = (name: string) => pathKey(joinPath(path, name));
    const own = entries.filter((entry) => entry.kind !== 'file' || !held.has(keyOf(entry.name)));
    for (const entry of own) if (entry.kind === 'file') taken.add(keyOf(entry.name));
    this.#taken.set(directory, taken);
    return { entries: own, leftOut: entries.length - own.length };
  }
}
