import type { NewJob } from '../../../contract/index.ts';
import type { IngestRow } from '../../../db/queries/ingest.ts';
import type { FileRecord } from '../../../iconik/api.ts';
import type { IngestContext } from './ingest-context.ts';
import type { CloudCopy, CompleteIds } from './ingest-plan.ts';
import { uploadAgainJob, uploadJob } from './ingest-plan.ts';

/** Copies of an asset's files that iconik has on storages other than those of gateways. */
async function copiesInCloud(
  context: IngestContext,
  row: IngestRow,
  ids: CompleteIds,
): Promise<{ record: FileRecord; storageId: string }[]> {
  const { api, leadership } = context;
  const limits = { signal: leadership.signal };
  const records = await api.files.assetFiles(ids.assetId, limits);
  const copies: { record: FileRecord; storageId: string }[] = [];
  const methods = new Map<string, string>([[row.storageId, 'FILE']]);
  for (const record of records) {
    const storageId = record.storage_id;
    if (storageId === null || record.status === 'DELETED' || record.format_id !== ids.formatId) continue;
    const method = methods.get(storageId) ?? (await api.storages.get(storageId, limits)).method;
    methods.set(storageId, method);
    if (method !== 'FILE') copies.push({ record, storageId });
  }
  return copies;
}

/** The upload that the storage asks for, or null; none when it is content with any remote copy and there is one. */
export async function orderedUpload(context: IngestContext, row: IngestRow, ids: CompleteIds): Promise<NewJob | null> {
  const { settings } = context.storage;
  const upload = uploadJob(row, ids, settings);
  if (upload === null || settings.skip_upload_on_any_remote_copy_found !== true) return upload;
  const copies = await copiesInCloud(context, row, ids);
  return copies.some(({ record }) => record.status === 'CLOSED') ? null : upload;
}

/** Uploads that bring the cloud copies of a modified file up to date: those of its name whose content is another one. */
export async function uploadsOfCopies(
  context: IngestContext,
  row: IngestRow,
  modified: { ids: CompleteIds; record: FileRecord },
): Promise<NewJob[]> {
  const { ids, record: own } = modified;
  const isCopy = ({ record }: { record: FileRecord }) =>
    (record.original_name === own.original_name || record.name === own.name) && record.checksum !== row.md5;
  const copies = (await copiesInCloud(context, row, ids)).filter(isCopy);
  if (copies.length === 0) return [];
  const limits = { signal: context.leadership.signal };
  const sets = new Map(
    (await context.api.files.fileSets(ids.assetId, ids.formatId, limits)).map((set) => [set.id, set]),
  );
  const withSet = (copy: { record: FileRecord; storageId: string }): CloudCopy => ({
    ...copy,
    fileSetName: sets.get(copy.record.file_set_id ?? '')?.name ?? null,
  });
  return copies.map((copy) => uploadAgainJob(row, ids, withSet(copy)));
}
