import { removeFileRow } from '../../../db/queries/deletion.ts';
import { filesBelow, type OrderedFile } from '../../../db/queries/ordered-file.ts';
import type { JobContext, JobOutcome } from '../../../jobs/job-handler.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { directoryOf, joinPath } from '../../../storage/storage-path.ts';
import { type ContentOrder, type FoundEntry, planContent } from './content-plan.ts';
import { confirmAbsent, refuse } from './deletion-outcome.ts';

/** What deleting many files works with. */
interface ContentDeps {
  database: Sql;
  storage: StorageAccess;
  context: JobContext<unknown>;
  order: ContentOrder;
}

/** Directories read at once. */
const WALKERS = 2;

/** Carries out an order that means a directory or a sequence (README.md). Safe to run again after a kill at any point. */
export async function deleteContent(deps: ContentDeps): Promise<JobOutcome> {
  const { database, storage, order } = deps;
  const isDirectory = order.subject === 'directory';
  const directory = isDirectory ? order.path : directoryOf(order.path);
  const found = await listContent(deps, directory, isDirectory);
  if (found.kind === 'no-directory') return refuse('file-changed', `refused: ${directory} is no directory.`);
  if (found.kind === 'unreadable') return refuse('file-unreadable', `refused: ${found.why} Nothing was deleted.`);
  const known = await filesBelow(database, storage.storageId, directory, { isDeep: isDirectory });
  const plan = planContent(order, found.entries, known);
  if (plan.kind === 'refused') return refuse('file-changed', plan.why);
  const kept = await removeFiles(deps, plan.files);
  if (kept !== null) return kept;
  if (found.isThere && isDirectory) {
    const left = await removeDirectories(deps, [...plan.directories, directory]);
    if (left !== null) return left;
  }
  if (plan.files.length === 0) {
    const away = await confirmAbsent(deps, storage);
    if (away) return away;
  }
  deps.context.log.info(`Deleted ${plan.files.length} files of ${order.path} on iconik's order.`, {
    storageId: storage.storageId,
  });
  return {
    kind: 'done',
    result: {
      file: found.isThere && (isDirectory || plan.files.length > 0) ? 'removed' : 'absent',
      files: plan.files.length,
    },
    alongside: async (sql) => {
      for (const file of [...plan.files, ...plan.gone]) await removeFileRow(sql, storage.storageId, file);
    },
  };
}

type Listed =
  | { kind: 'listed'; isThere: boolean; entries: FoundEntry[] }
  | { kind: 'no-directory' }
  | { kind: 'unreadable'; why: string };

/** Everything in a directory; an absent one counts as empty. */
async function listContent({ storage, context }: ContentDeps, directory: string, isDeep: boolean): Promise<Listed> {
  const facts = directory === '' ? null : await storage.stat(directory);
  if (directory !== '' && facts === null) return { kind: 'listed', isThere: false, entries: [] };
  if (facts !== null && facts.kind !== 'directory') return { kind: 'no-directory' };
  const entries: FoundEntry[] = [];
  const unreadable: string[] = [];
  await storage.walk(
    { directories: [directory], ignore: [], include: [], concurrency: WALKERS, shallow: !isDeep },
    async (listing) => {
      if (listing.kind === 'unreadable') unreadable.push(`${listing.path} cannot be read (${listing.reason}).`);
      if (listing.kind !== 'listed') return;
      for (const { name, kind, sizeBytes, mtimeNs } of listing.entries)
        entries.push({ path: joinPath(listing.path, name), kind, sizeBytes, mtimeNs });
    },
    context.signal,
  );
  const [why] = unreadable;
  return why === undefined ? { kind: 'listed', isThere: true, entries } : { kind: 'unreadable', why };
}

/** Null when all are gone. */
async function removeFiles(
  { storage, context }: ContentDeps,
  files: readonly OrderedFile[],
): Promise<JobOutcome | null> {
  for (const [index, file] of files.entries()) {
    if (context.signal.aborted)
      return { kind: 'snooze', afterMs: 0, why: `the job was stopped after ${index} of ${files.length} files` };
    await context.confirmLease();
    const removal = await storage.removeFile(file.path, { sizeBytes: file.sizeBytes, mtimeNs: file.mtimeNs });
    if (removal === 'differs')
      return refuse(
        'file-changed',
        `refused: ${file.path} changed while ${index} of ${files.length} files had been deleted; it was kept.`,
      );
    context.progress((index + 1) / files.length);
  }
  return null;
}

/** Null when all are gone. From the deepest up; each only if nothing is in it. */
async function removeDirectories(
  { storage, context }: ContentDeps,
  paths: readonly string[],
): Promise<JobOutcome | null> {
  for (const path of paths) {
    await context.confirmLease();
    const removal = await storage.removeDirectory(path);
    if (removal === 'not-empty' || removal === 'differs')
      return refuse(
        'file-changed',
        `refused: the directory ${path} holds something that no scan takes, or something new; it was kept, its known files are deleted.`,
      );
  }
  return null;
}
