import { z } from 'zod';
import { removeFileRow } from '../../../db/queries/deletion.ts';
import type { OrderedFile } from '../../../db/queries/ordered-file.ts';
import { fileAtPath, filesByIconikId } from '../../../db/queries/ordered-file.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../../jobs/job-handler.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { deleteContent } from './delete-content.ts';
import { awaitStorage, confirmAbsent, refuse, whyAway } from './deletion-outcome.ts';

const payloadSchema = z.object({
  storageId: z.string().min(1),
  /** iconik's id of the file to be deleted. */
  fileId: z.string().min(1),
  /** Where iconik says it is, relative to the mount. */
  path: z.string().min(1),
  /** Only iconik forgets the file; it stays on the storage. */
  keepSource: z.boolean(),
  assetId: z.string().optional(),
  formatId: z.string().optional(),
  /** `path` names a file, a directory with all that is in it, or a numbered sequence of files. */
  subject: z.enum(['file', 'directory', 'sequence']).default('file'),
  /** Of a sequence: how its files are named, when `path` does not say it. */
  template: z.string().optional(),
});
/** Payload of a `delete` job. */
export type DeletePayload = z.infer<typeof payloadSchema>;

/** What deleting needs. */
export interface DeleteDeps {
  database: Sql;
  /** The storage as this node reaches it; null when it is not mounted here. */
  storage(storageId: string): StorageAccess | null;
  /** Whether the storage's settings allow deleting (`delete`). */
  mayDelete(storageId: string): boolean;
}

/**
 * Makes the handler of MAIN `delete`: removes a file that iconik ordered deleted, only while it is the very file that
 * iconik knows (size and mtime as recorded when its content was last told to iconik). Safe to run again after a kill at
 * any point: a file that is gone counts as deleted. Directories and sequences: README.md.
 */
export function createDeleteHandler(deps: DeleteDeps): JobHandler<DeletePayload> {
  return { role: 'MAIN', kind: 'delete', payload: payloadSchema, run: (context) => runDelete(deps, context) };
}

async function runDelete(deps: DeleteDeps, context: JobContext<DeletePayload>): Promise<JobOutcome> {
  const { payload } = context;
  if (payload.keepSource) return { kind: 'done', result: { file: 'kept' } };
  if (!deps.mayDelete(payload.storageId))
    return refuse('config-invalid', 'Deleting is switched off in the settings of the storage; the file was kept.');
  const storage = deps.storage(payload.storageId);
  if (!storage) return awaitStorage('the storage is not mounted on this node');
  const away = await whyAway(deps, storage);
  if (away) return awaitStorage(away);
  if (payload.subject === 'file') return await deleteFile(deps, context, storage);
  return await deleteContent({
    database: deps.database,
    storage,
    context,
    order: { ...payload, subject: payload.subject },
  });
}

async function deleteFile(
  deps: DeleteDeps,
  context: JobContext<DeletePayload>,
  storage: StorageAccess,
): Promise<JobOutcome> {
  const { payload, log } = context;
  const found = await findFile(deps, payload);
  // Which of several is meant nobody can tell, and what is at the ordered path says nothing about them.
  if (found.kind === 'ambiguous') return refuse('file-changed', found.why);
  if (found.kind === 'refused') {
    // Nothing to protect when there is no file; but its absence is believed only of a storage that is still there.
    const path = found.file?.path ?? payload.path;
    if ((await storage.stat(path)) !== null) return refuse('file-changed', found.why);
    return (await confirmAbsent(deps, storage)) ?? gone('absent', payload.storageId, null);
  }
  const { file } = found;
  if (context.signal.aborted)
    return { kind: 'snooze', afterMs: 0, why: 'the job was stopped before anything was deleted' };
  await context.confirmLease();
  const removal = await storage.removeFile(file.path, { sizeBytes: file.sizeBytes, mtimeNs: file.mtimeNs });
  switch (removal) {
    case 'removed':
      log.info(`Deleted ${file.path} on iconik's order.`, { storageId: payload.storageId });
      return gone('removed', payload.storageId, file);
    case 'absent':
      return (await confirmAbsent(deps, storage)) ?? gone('absent', payload.storageId, file);
    case 'differs':
      return refuse('file-changed', notTheFile(file.path));
    default:
      return removal satisfies never;
  }
}

type Found =
  | { kind: 'file'; file: OrderedFile }
  | { kind: 'refused'; why: string; file: OrderedFile | null }
  | { kind: 'ambiguous'; why: string };

/** The file of the index that the order means, if its recorded content is what iconik was told last. */
async function findFile(deps: DeleteDeps, payload: DeletePayload): Promise<Found> {
  const named = await filesByIconikId(deps.database, payload.storageId, payload.fileId);
  if (named.length > 1)
    return { kind: 'ambiguous', why: `refused: ${named.length} files carry the iconik id of the order.` };
  const file = named[0] ?? (await fileAtPath(deps.database, payload.storageId, payload.path));
  if (!file) return { kind: 'refused', why: `refused: the node does not know the file ${payload.path}.`, file: null };
  if (file.iconikFileId !== payload.fileId || (file.state !== 'ingested' && file.state !== 'missing'))
    return { kind: 'refused', why: notTheFile(file.path), file };
  return { kind: 'file', file };
}

function notTheFile(path: string): string {
  return `refused: ${path} is not the file iconik knows; it changed since, and was kept. Delete it by hand if it may go.`;
}

/** The file is not on the storage any more; its row goes in the transaction that ends the job. */
function gone(how: 'removed' | 'absent', storageId: string, file: OrderedFile | null): JobOutcome {
  const outcome = { kind: 'done', result: { file: how } } as const;
  return file ? { ...outcome, alongside: (sql) => removeFileRow(sql, storageId, file) } : outcome;
}
