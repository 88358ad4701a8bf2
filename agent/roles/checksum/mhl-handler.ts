import { z } from 'zod';
import { type RecordedFile, recordedFiles } from '../../db/queries/recorded-digest.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import { mayStandForBytes } from '../../storage/odd-name.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import { directoryOf, joinPath, nameOf, pathKey } from '../../storage/storage-path.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';
import {
  C4Sum,
  chainOf,
  isChainOf,
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

/** The name of the manifest stays the same when the job is tried again, by which it knows a chain of its own. */
const checkpointSchema = z.object({
  createdMs: z.number(),
  /** The list is written; only its place and the chain may be left to do. */
  listed: z.object({ files: z.number(), unsayable: z.number() }).optional(),
});

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
/** More than a chain of ours is long. */
const MOST_CHAIN_BYTES = 65_536;

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

/** Where a history goes: everything as the disk spells it. */
interface Place {
  directory: string;
  origin: MhlOrigin;
  manifestPath: string;
  chainPath: string;
  /** Partial files of this job. */
  partials: { list: string; chain: string };
}

/**
 * The directory as the index has it from the disk: what is typed may differ in composition (NFC, NFD), and would make another
 * directory. Refused when nothing in it is recorded, before anything is written.
 */
async function directoryOnDisk({ sql }: MhlDeps, { storageId, path }: MhlPayload): Promise<string> {
  const [first] = await recordedFiles(sql, { storageId, directoryKey: pathKey(path) }, { afterPathKey: '', limit: 1 });
  if (!first) throw refused(`No file in ${JSON.stringify(path)} has recorded digests yet; there is nothing to list.`);
  return path === '' ? '' : first.path.split('/').slice(0, path.split('/').length).join('/');
}

async function placeOf(deps: MhlDeps, context: JobContext<MhlPayload>, createdMs: number): Promise<Place> {
  const { hostName, version } = deps;
  const directory = await directoryOnDisk(deps, context.payload);
  const origin = { directoryName: nameOf(directory) || context.payload.storageId, createdMs, hostName, version };
  const folder = joinPath(directory, MHL_FOLDER);
  const partial = (what: string) => joinPath(folder, `.isg-pro-mhl-${context.job.jobId}-${what}`);
  return {
    directory,
    origin,
    manifestPath: joinPath(folder, manifestName(origin)),
    chainPath: joinPath(folder, MHL_CHAIN),
    partials: { list: partial('list'), chain: partial('chain') },
  };
}

async function write(
  deps: MhlDeps,
  context: JobContext<MhlPayload>,
  storage: StorageAccess,
): Promise<Record<string, unknown>> {
  const saved = checkpointSchema.safeParse(context.job.checkpoint).data;
  const createdMs = saved?.createdMs ?? deps.wallMs();
  const place = await placeOf(deps, context, createdMs);
  if ((await storage.stat(place.chainPath)) !== null) {
    const chain = (await storage.readText(place.chainPath, MOST_CHAIN_BYTES)) ?? '';
    // This job's own, of an attempt that ended before it could say so.
    if (saved?.listed && isChainOf(chain, nameOf(place.manifestPath))) return resultOf(place, saved.listed);
    throw refused(`${JSON.stringify(directoryOf(place.chainPath))} holds a history already; it is left as it is.`);
  }
  if (!saved) await context.saveCheckpoint({ createdMs });
  try {
    return await writeNew(deps, context, { storage, place });
  } catch (thrown) {
    if (isOver(context.signal, thrown)) await dropPartials(storage, place);
    throw thrown;
  }
}

async function writeNew(
  deps: MhlDeps,
  context: JobContext<MhlPayload>,
  { storage, place }: { storage: StorageAccess; place: Place },
): Promise<Record<string, unknown>> {
  const { partials, manifestPath, chainPath, origin } = place;
  const { c4, ...listed } = await writeManifest(deps, context, { storage, place });
  await storage.appendText(partials.chain, chainOf(nameOf(manifestPath), c4), 0);
  await context.saveCheckpoint({ createdMs: origin.createdMs, listed });
  await context.confirmLease();
  // Of an earlier try that did not come to its chain.
  const earlier = await storage.stat(manifestPath);
  if (earlier) await storage.removeFile(manifestPath, earlier);
  await storage.commitFile(partials.list, manifestPath);
  await storage.commitFile(partials.chain, chainPath);
  return resultOf(place, listed);
}

function resultOf({ manifestPath }: Place, listed: { files: number; unsayable: number }): Record<string, unknown> {
  return { manifest: manifestPath, ...listed };
}

/** Whether no other attempt goes on, or is at it already: it would have the same partial files. */
function isOver(signal: AbortSignal, thrown: unknown): boolean {
  return signal.aborted ? coerceError(signal.reason).code === 'cancelled' : coerceError(thrown).retry === 'permanent';
}

/** Removes what a list that will not be finished left. Best effort: the scan passes such names over. */
async function dropPartials(storage: StorageAccess, { partials }: Place): Promise<void> {
  for (const path of [partials.list, partials.chain]) {
    const facts = await storage.stat(path).catch(() => null);
    if (facts) await storage.removeFile(path, facts).catch(() => undefined);
  }
}

async function writeManifest(
  deps: MhlDeps,
  context: JobContext<MhlPayload>,
  { storage, place }: { storage: StorageAccess; place: Place },
): Promise<{ c4: string; files: number; unsayable: number }> {
  const { storageId, path } = context.payload;
  const where = { storageId, directoryKey: pathKey(path) };
  const sum = new C4Sum();
  let offsetBytes = 0;
  const add = async (text: string) => {
    context.signal.throwIfAborted();
    sum.add(text);
    offsetBytes = await storage.appendText(place.partials.list, text, offsetBytes);
  };
  // By segments: of another file the directory may be spelled with another number of characters.
  const depth = path === '' ? 0 : path.split('/').length;
  const relative = (file: RecordedFile) => file.path.split('/').slice(depth).join('/');
  let files = 0;
  let unsayable = 0;
  let afterPathKey = '';
  await add(manifestHead(place.origin));
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
  await add(MANIFEST_TAIL);
  return { c4: sum.id(), files, unsayable };
}

function refused(message: string): IsgError {
  return new IsgError('content-differs', message, { retry: 'permanent' });
}
