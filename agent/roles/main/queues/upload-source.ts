import type { z } from 'zod';
import type { OrderedFile } from '../../../db/queries/ordered-file.ts';
import { fileAtPath, filesOfFileSets, hasBeenScanned } from '../../../db/queries/ordered-file.ts';
import type { FileRecord, IconikApi } from '../../../iconik/api.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { UploadFile, UploadSource, uploadRecordSchema } from './record-plan.ts';
import { judgeUploadFile, pathInStorage } from './record-plan.ts';

/** What finding the files of upload orders needs. */
export interface UploadSourceDeps {
  iconik: Pick<IconikApi, 'files'>;
  database: Sql;
}

/** An upload order as it was parsed. */
export type UploadRecord = z.infer<typeof uploadRecordSchema>;

/** Files of the index by file set, for many orders at once. */
export async function indexedFileSets(
  database: Sql,
  storageId: string,
  records: readonly UploadRecord[],
): Promise<Map<string, OrderedFile[]>> {
  const ids = [...new Set(records.map((record) => record.original_file_set_id))];
  const files = ids.length === 0 ? [] : await filesOfFileSets(database, storageId, ids);
  return Map.groupBy(files, (file) => file.fileSetId ?? '');
}

/**
 * The files that an upload order means: the index's by file set when it is one and iconik lists no more; else what iconik lists, found
 * in the index by path, when its content is the one iconik knows. Of several, all or none. Transient troubles of iconik or the
 * database are thrown.
 */
export async function findUploadSource(
  deps: UploadSourceDeps,
  order: { storageId: string; record: UploadRecord; indexed: readonly OrderedFile[] },
  signal: AbortSignal,
): Promise<UploadSource> {
  const { indexed, record, storageId } = order;
  // What the index has of a file set need not be all of it: others may not be scanned or ingested yet.
  const listed = await filesIconikLists(deps, record, signal);
  const [only] = indexed;
  if (only && indexed.length === 1 && listed.length <= 1) return judgeUploadFile(only);
  if (listed.length === 0) return unusable('iconik lists no file in the file set that is to be uploaded.');
  if (listed.length > MOST_FILES)
    return unusable(`The file set holds ${listed.length} files; at most ${MOST_FILES} are uploaded by one order.`);
  const files: UploadFile[] = [];
  for (const one of listed) {
    const source = await findListed(deps, storageId, one);
    if (source.kind !== 'found') return source;
    files.push(source.file);
  }
  const [file, ...others] = files;
  if (!file) return unusable('iconik lists no file in the file set that is to be uploaded.');
  return { kind: 'found', file, ...(others.length > 0 ? { others } : {}) };
}

/** What an order's job can carry. */
const MOST_FILES = 5_000;

async function findListed(deps: UploadSourceDeps, storageId: string, file: FileRecord): Promise<UploadSource> {
  const path = pathInStorage(file.directory_path, file.name ?? file.original_name ?? '');
  if (!path) return unusable('iconik lists no file in the file set that is to be uploaded.');
  const row = await fileAtPath(deps.database, storageId, path);
  if (row === null) return notInIndex(deps, storageId, path);
  if (file.checksum && row.md5 && file.checksum.toLowerCase() !== row.md5)
    return unusable(`The file ${path} is not the one iconik knows: its checksum differs.`);
  return judgeUploadFile({
    ...row,
    versionId: row.versionId ?? file.version_id,
    formatId: file.format_id ?? row.formatId,
    iconikFileId: file.id,
  });
}

async function filesIconikLists(
  deps: UploadSourceDeps,
  record: UploadRecord,
  signal: AbortSignal,
): Promise<FileRecord[]> {
  try {
    const files = await deps.iconik.files.fileSetFiles(record.asset_id, record.original_file_set_id, { signal });
    return files.filter((file) => file.status !== 'DELETED' && (file.type === null || file.type === 'FILE'));
  } catch (thrown) {
    // A file set that iconik itself does not know any more holds nothing.
    if (coerceError(thrown).code === 'iconik-not-found') return [];
    throw thrown;
  }
}

async function notInIndex(deps: UploadSourceDeps, storageId: string, path: string): Promise<UploadSource> {
  if (!(await hasBeenScanned(deps.database, storageId)))
    return { kind: 'wait', why: 'the first scan of the storage has not ended yet' };
  return unusable(`The storage has no file ${path} that the node has scanned.`);
}

function unusable(why: string): UploadSource {
  return { kind: 'unusable', why };
}
