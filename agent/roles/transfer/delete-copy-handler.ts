import { z } from 'zod';
import type { NewJob } from '../../contract/index.ts';
import { removeFileRow } from '../../db/queries/deletion.ts';
import type { FileRecord, IconikApi } from '../../iconik/api.ts';
import type { LookAtCopy } from '../../iconik/object-upload/look-at-copy.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { postponement, storageAway } from './postponed.ts';

const id = z.string().min(1);

/** Data of a `delete-copy` job: a copy that an order of a transfer wants gone, now that there is another one. */
const deleteCopyPayloadSchema = z.object({
  /** Storage of this cluster that the transfer read from or wrote to. */
  storageId: id,
  assetId: id,
  /** The copy to be deleted. */
  fileSetId: id,
  /** The copy that the transfer has made. */
  keptFileSetId: id,
  /** `here`: what is to be deleted lies on this storage; `elsewhere`: what is to stay lies on it. */
  where: z.enum(['here', 'elsewhere']),
  /** The files on this storage, as the transfer saw them. */
  files: z
    .array(
      z.object({
        path: id,
        sizeBytes: z.number().int().min(0),
        mtimeNs: z.string(),
        md5: id,
        iconikFileId: id.nullable(),
      }),
    )
    .min(1),
});
/** Data of a `delete-copy` job. */
export type DeleteCopyPayload = z.infer<typeof deleteCopyPayloadSchema>;

/** What deleting copies needs. */
export interface DeleteCopyDeps {
  api: Pick<IconikApi, 'files'>;
  sql: Sql;
  /** The storage as this node reaches it; null when it does not (not mounted here, just removed). */
  storageOf(storageId: string): StorageAccess | null;
  lookAtCopy: LookAtCopy;
  /** Whether the storage's settings allow deleting (`delete`). */
  mayDelete(storageId: string): boolean;
}

type Context = JobContext<DeleteCopyPayload>;

/** The job that deletes a copy, for the transaction that ends the transfer: only a committed copy is a reason to delete one. */
export function deleteCopyJob(payload: DeleteCopyPayload): NewJob {
  const dedupeKey = `delete-copy:${payload.fileSetId}:${payload.keptFileSetId}`;
  return { role: 'TRANSFER', kind: 'delete-copy', storageId: payload.storageId, payload, dedupeKey };
}

/**
 * Kind `delete-copy`: deletes a copy after the transfer that made another one. Proof comes first, at each attempt: iconik
 * shows a closed file of the kept copy for every file, with its MD5 and size, elsewhere than what is deleted, and an object
 * store has it in that size; files on this storage are still what the transfer saw (size and mtime). What cannot be proven stays, and the job fails with the reason.
 */
export function createDeleteCopyHandler(deps: DeleteCopyDeps): JobHandler<DeleteCopyPayload> {
  return {
    role: 'TRANSFER',
    kind: 'delete-copy',
    payload: deleteCopyPayloadSchema,
    run: (context) => runDeletion(deps, context),
  };
}

async function runDeletion(deps: DeleteCopyDeps, context: Context): Promise<JobOutcome> {
  const storage = deps.storageOf(context.payload.storageId);
  if (!storage) return storageAway('This node does not reach the storage now.');
  try {
    return await deleteCopy(deps, context, storage);
  } catch (thrown) {
    context.signal.throwIfAborted();
    const postponed = await postponement(storage, thrown);
    if (postponed) return postponed;
    throw thrown;
  }
}

async function deleteCopy(deps: DeleteCopyDeps, context: Context, storage: StorageAccess): Promise<JobOutcome> {
  const { payload } = context;
  const { assetId, fileSetId, storageId } = payload;
  const limits = { signal: context.signal };
  if (payload.fileSetId === payload.keptFileSetId) throw kept('it is the only copy that iconik shows');
  const copies = keptCopies(payload, await deps.api.files.fileSetFiles(assetId, payload.keptFileSetId, limits));
  assertAllCopied(payload, await filesOfDoomed(deps, context));
  if (payload.where === 'elsewhere') await assertHere(payload, storage);
  else {
    await assertStored(deps, context, copies);
    await removeHere(deps, context, storage);
  }
  await context.confirmLease();
  await deps.api.files.deleteFileSet(assetId, fileSetId, { keepSource: payload.where === 'here' }, limits);
  context.log.info('Deleted a copy after its transfer, as ordered.', { storageId, fileSetId, where: payload.where });
  const result = { fileSetId, files: payload.files.length };
  if (payload.where === 'elsewhere') return { kind: 'done', result };
  return { kind: 'done', result, alongside: (sql) => forgetRows(sql, payload) };
}

/** The closed file of the same content that each file has in the kept copy. Throws when one has none. */
function keptCopies(payload: DeleteCopyPayload, records: readonly FileRecord[]): FileRecord[] {
  return payload.files.map(({ path, md5, sizeBytes }) => {
    const copy = records.find(
      (record) =>
        record.status === 'CLOSED' &&
        record.checksum?.toLowerCase() === md5.toLowerCase() &&
        record.size === sizeBytes &&
        (record.storage_id === payload.storageId) === (payload.where === 'elsewhere'),
    );
    if (copy) return copy;
    throw kept(`iconik shows no closed copy of ${path} with MD5 ${md5} in the file set that was made`);
  });
}

/** Throws when an object store does not have what iconik's record says. Where iconik gives no way to look, its word stands. */
async function assertStored(deps: DeleteCopyDeps, context: Context, copies: readonly FileRecord[]): Promise<void> {
  for (const [at, { path, sizeBytes, md5 }] of context.payload.files.entries()) {
    const url = copies[at]?.url;
    if (!url) continue;
    const seen = await deps.lookAtCopy({ url, sizeBytes, md5, signal: context.signal });
    if (seen === 'absent') throw kept(`iconik says that there is a copy of ${path}, but the object store has none`);
    if (seen === 'differs') throw kept(`what the object store has as the copy of ${path} is something else`);
    context.progress(0);
  }
}

/** Files of the copy to be deleted; none when an earlier attempt deleted it. */
async function filesOfDoomed(deps: DeleteCopyDeps, { payload, signal }: Context): Promise<FileRecord[]> {
  try {
    return await deps.api.files.fileSetFiles(payload.assetId, payload.fileSetId, { signal });
  } catch (thrown) {
    if (coerceError(thrown).code === 'iconik-not-found') return [];
    throw thrown;
  }
}

/** Throws when the copy holds what was not transferred: a file that was added, or changed, since. */
function assertAllCopied({ files }: DeleteCopyPayload, records: readonly FileRecord[]): void {
  const living = records.filter((record) => record.status !== 'DELETED' && record.type !== 'DIRECTORY');
  const other = living.find(
    (record) =>
      !files.some(
        (file) => file.md5.toLowerCase() === record.checksum?.toLowerCase() && file.sizeBytes === record.size,
      ),
  );
  if (other) throw kept(`it also holds ${other.name ?? other.id}, which was not transferred as it is now`);
}

/** Throws unless the kept files are on this storage as they were received. */
async function assertHere(payload: DeleteCopyPayload, storage: StorageAccess): Promise<void> {
  for (const { path, sizeBytes, mtimeNs } of payload.files) {
    const facts = await storage.stat(path);
    if (facts?.kind !== 'file' || facts.sizeBytes !== sizeBytes || facts.mtimeNs !== mtimeNs)
      throw kept(`the copy ${path} is not on the storage any more as it was received`);
  }
}

async function removeHere(deps: DeleteCopyDeps, context: Context, storage: StorageAccess): Promise<void> {
  const { payload } = context;
  if (!deps.mayDelete(payload.storageId)) throw kept('deleting is switched off in the settings of the storage');
  await assertUnchangedHere(context, storage);
  for (const { path, sizeBytes, mtimeNs } of payload.files) {
    await context.confirmLease();
    const removal = await storage.removeFile(path, { sizeBytes, mtimeNs });
    if (removal === 'differs') throw changedHere(path);
    context.progress(1);
  }
}

/** Before the first of several is removed: what is kept is to be kept whole. One that is gone already is no hindrance. */
async function assertUnchangedHere(context: Context, storage: StorageAccess): Promise<void> {
  for (const { path, sizeBytes, mtimeNs } of context.payload.files) {
    const facts = await storage.stat(path);
    if (facts && (facts.kind !== 'file' || facts.sizeBytes !== sizeBytes || facts.mtimeNs !== mtimeNs))
      throw changedHere(path);
    context.progress(0);
  }
}

const changedHere = (path: string): IsgError => kept(`${path} has changed since it was transferred`);

async function forgetRows(sql: Sql, { storageId, files }: DeleteCopyPayload): Promise<void> {
  for (const file of files) await removeFileRow(sql, storageId, { ...file, pathKey: pathKey(file.path) });
}

function kept(why: string): IsgError {
  const message = `The copy that was to be deleted after its transfer was kept: ${why}. Delete it in iconik if it may go.`;
  return new IsgError('content-differs', message, { retry: 'permanent' });
}
