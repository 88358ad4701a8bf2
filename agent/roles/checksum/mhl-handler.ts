import { z } from 'zod';
import { type RecordedFile, recordedFiles } from '../../db/queries/recorded-digest.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import { mayStandForBytes } from '../../storage/odd-name.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { joinPath, nameOf, pathKey } from '../../storage/storage-path.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';
import {
  C4Sum,
  chainOf,
  isSayable,
  MANIFEST_TAIL,
  MHL_CHAIN,
  MHL_FOLDER,
  type MhlOrigin,
  manifestEntry,
  manifestHead,
  manifestName,
} from './mhl-plan.ts';

/** Data of a `write-mhl` job: the directory, '' = the whole storage. */
const mhlPayloadSchema = z.looseObject({ storageId: z.string().min(1), path: z.string() });
/** Data of a `write-mhl` job. */
export type MhlPayload = z.infer<typeof mhlPayloadSchema>;

/** The name of the manifest stays the same when the job is tried again. */
const checkpointSchema = z.object({ createdMs: z.number() });

/** What the writing needs. */
export interface MhlDeps {
  sql: Sql;
  /** The storage as jobs may write to it; null when this node does not reach it. */
  storageOf(storageId: string): StorageAccess | null;
  /** Whether the settings of the storage allow writing. */
  mayWrite(storageId: string): boolean;
  hostName: string;
  version: string;
  wallMs(): number;
}

const AWAY_MS = 5_000;
/** Files read from the index, and written, at a time. */
const PAGE = 1_000;

/**
 * Kind `write-mhl`: writes the recorded digests of a directory as the first generation of an ASC MHL history. Nothing is read
 * again. A directory that has a history keeps it: the job fails and says so.
 */
export function createMhlHandler(deps: MhlDeps): JobHandler<MhlPayload> {
  return { role: 'CHECKSUM', kind: 'write-mhl', payload: mhlPayloadSchema, run: (context) => run(deps, context) };
}

async function run(deps: MhlDeps, context: JobContext<MhlPayload>): Promise<JobOutcome> {
  const storage = deps.storageOf(context.payload.storageId);
  if (!storage) return { kind: 'snooze', afterMs: AWAY_MS, why: 'This node does not reach the storage now.' };
  if (!deps.mayWrite(context.payload.storageId)) {
    const words =
      'The settings of the storage in iconik do not allow writing; nothing was written. Allow it there first.';
    return { kind: 'failed', error: errorRecord(refused(words)) };
  }
  try {
    return { kind: 'done', result: await write(deps, context, storage) };
  } catch (thrown) {
    context.signal.throwIfAborted();
    const error = coerceError(thrown);
    const outcome = await outcomeOfStorageTrouble(storage, error, AWAY_MS);
    if (outcome) return outcome;
    if (error.retry === 'transient') throw error;
    return { kind: 'failed', error: errorRecord(error) };
  }
}

async function write(deps: MhlDeps, context: JobContext<MhlPayload>, storage: StorageAccess) {
  const { path } = context.payload;
  const folder = joinPath(path, MHL_FOLDER);
  const chainPath = joinPath(folder, MHL_CHAIN);
  if ((await storage.stat(chainPath)) !== null)
    throw refused(`${JSON.stringify(folder)} holds a history already; it is left as it is.`);
  const saved = checkpointSchema.safeParse(context.job.checkpoint).data;
  const createdMs = saved?.createdMs ?? deps.wallMs();
  if (!saved) await context.saveCheckpoint({ createdMs });
  const { hostName, version } = deps;
  const origin = { directoryName: nameOf(path) || context.payload.storageId, createdMs, hostName, version };
  const partial = (what: string) => joinPath(folder, `.isg-pro-mhl-${context.job.jobId}-${what}`);
  const manifest = await writeManifest(deps, context, { storage, origin, partialPath: partial('list') });
  await storage.writeText(partial('chain'), chainOf(manifestName(origin), manifest.c4), 0);
  await context.confirmLease();
  const manifestPath = joinPath(folder, manifestName(origin));
  // Of an earlier try that did not come to its chain.
  const earlier = await storage.stat(manifestPath);
  if (earlier) await storage.removeFile(manifestPath, earlier);
  await storage.commitFile(partial('list'), manifestPath);
  await storage.commitFile(partial('chain'), chainPath);
  return { manifest: manifestPath, files: manifest.files, unsayable: manifest.unsayable };
}

async function writeManifest(
  deps: MhlDeps,
  context: JobContext<MhlPayload>,
  { storage, origin, partialPath }: { storage: StorageAccess; origin: MhlOrigin; partialPath: string },
): Promise<{ c4: string; files: number; unsayable: number }> {
  const { storageId, path } = context.payload;
  const where = { storageId, directoryKey: pathKey(path) };
  const sum = new C4Sum();
  let offsetBytes = 0;
  const add = async (text: string) => {
    context.signal.throwIfAborted();
    sum.add(text);
    offsetBytes = await storage.writeText(partialPath, text, offsetBytes);
  };
  const relative = (file: RecordedFile) => (path === '' ? file.path : file.path.slice(path.length + 1));
  let files = 0;
  let unsayable = 0;
  let afterPathKey = '';
  await add(manifestHead(origin));
  for (;;) {
    const page = await recordedFiles(deps.sql, where, { afterPathKey, limit: PAGE });
    const last = page.at(-1);
    if (!last) break;
    const sayable = page.filter((file) => isSayable(file.path) && !file.path.split('/').some(mayStandForBytes));
    await add(sayable.map((file) => manifestEntry(relative(file), file)).join(''));
    files += sayable.length;
    unsayable += page.length - sayable.length;
    afterPathKey = last.pathKey;
    context.progress(0, `${files} files listed`);
  }
  if (files === 0)
    throw refused(`No file in ${JSON.stringify(path)} has recorded digests yet; there is nothing to list.`);
  await add(MANIFEST_TAIL);
  return { c4: sum.id(), files, unsayable };
}

function refused(message: string): IsgError {
  return new IsgError('content-differs', message, { retry: 'permanent' });
}
