import type { FileRecord } from '../../iconik/api.ts';
import { IsgError } from '../../runtime/errors.ts';
import { directoryOf, isIndexable, nameOf, pathKey, unwritableName } from '../../storage/storage-path.ts';
import { nameOfCopy } from './copy-name.ts';

/** One file to be downloaded. Paths are relative to the mount point. */
export interface DownloadItem {
  /** Where its bytes come from: a file of the source file set, or what an export adds to it. */
  from: 'file' | 'proxy' | 'poster' | 'metadata';
  /** Source record; of metadata the view. */
  recordId: string;
  /** Directory of the final path; '' = the root. */
  directoryPath: string;
  name: string;
  finalPath: string;
  /** Where the bytes gather; the same in every attempt of the job. */
  partialPath: string;
  sizeBytes: number;
  /** 32 hex digits in lower case; null = iconik does not know it. */
  md5: string | null;
}

/** Where a file set is to go. */
export interface DownloadOrder {
  jobId: string;
  destinationDirectoryPath: string;
  /** Only for a file set of one file; several keep their own names. */
  destinationFilename: string | null;
  /** Whether the ordered name gets the extension of the original. */
  includeOriginalExtension: boolean;
}

/**
 * What to fetch and where to put it, from the records of the source file set: the directories that all have in common
 * are replaced by the destination directory. Throws (permanent) `outside-storage` for names that lead elsewhere,
 * `download-refused` for file sets that cannot be downloaded, or that this platform cannot keep under their names.
 */
export function planDownload(
  order: DownloadOrder,
  records: readonly FileRecord[],
  platform: NodeJS.Platform = process.platform,
): DownloadItem[] {
  const files = filesToFetch(records);
  if (files.length === 0) throw refused('The source file set has no files; there is nothing to download.');
  const sources = files.map((record) => sourceOf(record));
  const shared = sharedDirectory(sources.map((source) => source.directory));
  const base = segmentsOf(order.destinationDirectoryPath);
  const renamed = files.length === 1 ? order.destinationFilename : null;
  const items = sources.map((source, index) => {
    const name = renamed ? checkedName(nameOfCopy(source.name, renamed, order.includeOriginalExtension)) : source.name;
    const directory = [...base, ...source.directory.slice(shared)];
    return {
      from: 'file' as const,
      recordId: source.record.id,
      directoryPath: directory.join('/'),
      name,
      finalPath: [...directory, name].join('/'),
      partialPath: [...base, `.isg-pro-part-${order.jobId}-${index}`].join('/'),
      sizeBytes: source.sizeBytes,
      md5: source.record.checksum ? source.record.checksum.toLowerCase() : null,
    };
  });
  assertUsable(items, platform);
  return items;
}

/** The files among the records of a file set: no directories, and nothing that is deleted. */
export function filesToFetch(records: readonly FileRecord[]): FileRecord[] {
  return records.filter((record) => record.type !== 'DIRECTORY' && record.status !== 'DELETED');
}

/** Throws (permanent) `download-refused` when two items would become one file, or a name cannot be kept here. */
export function assertUsable(items: readonly DownloadItem[], platform: NodeJS.Platform = process.platform): void {
  assertDistinct(items);
  for (const item of items) assertWritable(item.finalPath, platform);
}

function sourceOf(record: FileRecord) {
  if (record.type !== null && record.type !== 'FILE') {
    throw refused(`The file set holds an entry of type ${record.type}, which cannot be downloaded yet.`);
  }
  if (record.size === null) throw refused(`iconik does not know the size of file ${record.id}; it cannot be verified.`);
  const name = checkedName(record.original_name || record.name || '');
  return { record, name, directory: segmentsOf(record.directory_path), sizeBytes: record.size };
}

/** Segments of a directory that iconik names; throws `outside-storage` for one that leads out. */
export function segmentsOf(path: string): string[] {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  for (const segment of segments) checkedName(segment);
  return segments;
}

/** A file name that iconik gave; throws (permanent) `outside-storage` for one that is none. */
export function checkedName(name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)) return name;
  const message = `iconik ordered a download to a path that leads out of the storage or has no name (${JSON.stringify(name)}); nothing was written.`;
  throw new IsgError('outside-storage', message, { retry: 'permanent' });
}

/** How many leading segments all directories have in common. */
export function sharedDirectory(directories: readonly (readonly string[])[]): number {
  const [first = []] = directories;
  const differs = first.findIndex((segment, at) => directories.some((other) => other[at] !== segment));
  return differs === -1 ? first.length : differs;
}

function assertDistinct(items: readonly DownloadItem[]): void {
  const seen = new Set<string>();
  for (const item of items) {
    const key = pathKey(item.finalPath);
    if (seen.has(key)) throw refused(`Two files of the order would both become ${item.finalPath}.`);
    seen.add(key);
  }
}

/**
 * Before a byte is fetched: the disk would refuse the name, or keep the file under another one, or it is a name of our own files:
 * no scan would see it, and one of them tells which storage this is.
 */
function assertWritable(path: string, platform: NodeJS.Platform): void {
  const directory = directoryOf(path);
  if (!isIndexable(Buffer.byteLength(directory), directory, nameOf(path)))
    throw refused(
      `${JSON.stringify(path.slice(0, 200))}… is longer than this node can keep. Choose a shorter directory.`,
    );
  for (const name of path.split('/')) {
    const isOurs = name.toLowerCase().startsWith('.isg-pro-');
    const why = isOurs ? 'is a name that the node keeps for files of its own' : unwritableName(name, platform);
    if (why === null) continue;
    throw refused(
      `${JSON.stringify(path)} cannot be kept on this node: ${JSON.stringify(name)} ${why}. Rename it in iconik.`,
    );
  }
}

function refused(message: string): IsgError {
  return new IsgError('download-refused', message, { retry: 'permanent' });
}
