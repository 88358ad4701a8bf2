import type { FileState } from '../../../contract/index.ts';
import type { IndexedFileRow } from '../../../db/queries/storage-file.ts';
import type { DirectoryEntry } from '../../../storage/storage-access.ts';
import { directoryOf, joinPath, pathKey } from '../../../storage/storage-path.ts';

/**
 * What one pass of a scan changes in the index: pure comparisons of what a directory shows with what the index holds.
 * It never declares anything missing: it names candidates, and the scanner demands proof.
 */

/** One row to write. `before` null = insert; otherwise the write holds only while the row still is `before`. */
export interface FileChange {
  pathKey: string;
  path: string;
  directory: string;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
  state: FileState;
  /** The content is the one the row knew: digests and the time of the last change stay. */
  keepContent: boolean;
  before: IndexedFileRow | null;
}

/** What one directory asks for. */
export interface DirectoryPlan {
  changes: FileChange[];
  /** Rows whose file was not in the listing: candidates, to be proven absent. */
  gone: IndexedFileRow[];
  /** Keys of child directories (and whatever else is no regular file): their contents are not absent for want of a listing. */
  children: string[];
  /** Entries that are no regular file or clash with another entry's name. */
  skipped: number;
  /** Once the changes are written, the rows of the directory say just what the listing says. */
  isComplete: boolean;
}

/** Settings of the comparison. */
export interface PlanSettings {
  /** Seconds without change before a file is read. */
  growingFilesThresholdS: number;
}

const sameFacts = (row: IndexedFileRow, entry: DirectoryEntry): boolean =>
  row.sizeBytes === entry.sizeBytes && row.mtimeNs === entry.mtimeNs && row.fileId === entry.fileId;

/** State of a file whose content is new to the index. */
function stateOfNewContent(entry: DirectoryEntry, row: IndexedFileRow | undefined): FileState {
  if (entry.sizeBytes === 0) return 'empty';
  return row?.state === 'seen' || row?.state === 'growing' ? 'growing' : 'seen';
}

/** State of an unchanged file, or null when its row stays as it is. */
function stateOfUnchanged(row: IndexedFileRow, settings: PlanSettings): FileState | null {
  switch (row.state) {
    case 'seen':
    case 'growing':
      return row.quietSeconds >= settings.growingFilesThresholdS ? 'ready' : null;
    case 'skipped':
      // What ingest refused stays refused until it changes or somebody orders another look.
      if (row.hasDigests) return null;
      return row.sizeBytes === 0 ? 'empty' : 'seen';
    case 'missing':
      if (row.sizeBytes === 0) return 'empty';
      // Content that is known needs no second reading; ingest compares it with iconik's record.
      return row.hasDigests ? 'hashed' : 'seen';
    default:
      return null;
  }
}

function compareFile(
  directory: string,
  entry: DirectoryEntry,
  row: IndexedFileRow | undefined,
  settings: PlanSettings,
): FileChange | null {
  const path = joinPath(directory, entry.name);
  const unchanged = row !== undefined && sameFacts(row, entry);
  const state = unchanged ? stateOfUnchanged(row, settings) : stateOfNewContent(entry, row);
  if (state === null) return null;
  // A found file without digests starts its quiet time anew: nobody looked while it was away.
  const keepContent = unchanged && state !== 'seen';
  const { sizeBytes, mtimeNs, fileId } = entry;
  return {
    pathKey: pathKey(path),
    path,
    directory: pathKey(directory),
    sizeBytes,
    mtimeNs,
    fileId,
    state,
    keepContent,
    before: row ?? null,
  };
}

/**
 * Picks one entry for each key. Two names that differ only in composition are one file to the index: the one it knows
 * keeps its place, so that passes do not alternate; else the first by code units.
 */
function uniqueFiles(
  directory: string,
  files: readonly DirectoryEntry[],
  rows: ReadonlyMap<string, IndexedFileRow>,
): Map<string, DirectoryEntry> {
  const chosen = new Map<string, DirectoryEntry>();
  for (const entry of files) {
    const path = joinPath(directory, entry.name);
    const key = pathKey(path);
    const rival = chosen.get(key);
    const isKnown = rows.get(key)?.path === path;
    const isRivalKnown = rival !== undefined && rows.get(key)?.path === joinPath(directory, rival.name);
    if (rival === undefined || isKnown || (!isRivalKnown && entry.name < rival.name)) chosen.set(key, entry);
  }
  return chosen;
}

/**
 * Compares one directory that was listed without error with the index's rows of that directory. `directory` is the path
 * as the file system gave it.
 */
export function planDirectory(
  directory: string,
  entries: readonly DirectoryEntry[],
  indexed: readonly IndexedFileRow[],
  settings: PlanSettings,
): DirectoryPlan {
  const rows = new Map(indexed.map((row) => [row.pathKey, row]));
  const files = entries.filter((entry) => entry.kind === 'file');
  const others = entries.filter((entry) => entry.kind !== 'file');
  const chosen = uniqueFiles(directory, files, rows);

  const changes: FileChange[] = [];
  for (const [key, entry] of chosen) {
    const change = compareFile(directory, entry, rows.get(key), settings);
    if (change !== null) changes.push(change);
  }
  const children = others.map((entry) => pathKey(joinPath(directory, entry.name)));
  const gone = indexed.filter((row) => isPresent(row) && !chosen.has(row.pathKey));
  const notDirectories = others.filter((entry) => entry.kind !== 'directory').length;
  // A row without its file, also one that its writer holds, has to be looked at again.
  const isComplete = indexed.every(
    (row) => chosen.has(row.pathKey) || row.state === 'missing' || row.state === 'skipped',
  );
  return { changes, gone, children, skipped: notDirectories + files.length - chosen.size, isComplete };
}

/** Whether the index expects to see the row's file. */
export function isPresent(row: Pick<IndexedFileRow, 'state' | 'isHeld'>): boolean {
  return row.state !== 'missing' && row.state !== 'skipped' && !row.isHeld;
}

/** What a pass learnt of directories, by key: listed without error, tried in vain, or only named by their parent. */
export type DirectoryKnowledge = Map<string, 'listed' | 'unreadable' | 'named'>;

/**
 * Whether a directory that the index knows and the pass did not list is gone: its nearest ancestor that the pass knows was
 * listed without error and did not name the next step down. Anything else (unreadable, ignored, outside the scanned
 * roots) proves nothing.
 */
export function isDirectoryGone(directory: string, known: DirectoryKnowledge): boolean {
  let path = directory;
  while (known.get(path) === undefined && path !== '') path = directoryOf(path);
  return path !== directory && known.get(path) === 'listed';
}
