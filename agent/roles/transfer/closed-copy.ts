import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import type { JobContext, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError } from '../../runtime/errors.ts';

/** What a copy must be. */
interface WantedCopy {
  assetId: string;
  formatId: string;
  destinationStorageId: string;
  sizeBytes: number;
  md5: string;
}

/** Whether a record is the closed copy of this content. One that names no MD5 says nothing about its content. */
export function isClosedCopy(record: FileRecord, wanted: Pick<WantedCopy, 'sizeBytes' | 'md5'>): boolean {
  if (record.status !== 'CLOSED') return false;
  const isSameSize = record.size === null || record.size === wanted.sizeBytes;
  return isSameSize && record.checksum?.toLowerCase() === wanted.md5.toLowerCase();
}

/** The end of the upload of one file to which iconik answered 409 (`thrown`): done once its copy can be seen, closed and equal. */
export async function outcomeOfConflict(
  api: Pick<IconikApi, 'files'>,
  { payload, signal }: Pick<JobContext<WantedCopy>, 'payload' | 'signal'>,
  thrown: unknown,
): Promise<JobOutcome> {
  const records = await api.files.assetFiles(payload.assetId, { signal });
  const copy = records.find(
    (record) =>
      record.storage_id === payload.destinationStorageId &&
      record.format_id === payload.formatId &&
      isClosedCopy(record, payload),
  );
  if (copy) return { kind: 'done', result: { fileId: copy.id, fileSetId: copy.file_set_id, alreadyThere: true } };
  const why = coerceError(thrown).message;
  const message = `iconik says that the destination already has this copy, but shows no closed file of it yet (${why}); it will be looked at again.`;
  return { kind: 'retry', error: { code: 'iconik-conflict', message, retry: 'transient' } };
}
