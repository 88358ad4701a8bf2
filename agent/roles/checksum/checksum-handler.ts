import { z } from 'zod';
import { type HashedRow, markUnreadable, recordDigests, returnToScan } from '../../db/queries/file-digest.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { coerceError, errorRecord, type IsgError } from '../../runtime/errors.ts';
import type { DigestResult, StorageAccess } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';

/** Data of a `checksum` job: the file as the index knew it when the job was made. */
const checksumPayloadSchema = z.looseObject({
  storageId: z.string().min(1),
  /** Relative to the mount point. */
  path: z.string().min(1),
  sizeBytes: z.number().int().min(0),
  /** Decimal text. */
  mtimeNs: z.string().regex(/^-?\d+$/),
});
/** Data of a `checksum` job. */
export type ChecksumPayload = z.infer<typeof checksumPayloadSchema>;

/** What the checksum role needs. */
export interface ChecksumDeps {
  /** The storage as this node reaches it; null when it does not (not mounted here, just removed). */
  storageOf(storageId: string): StorageAccess | null;
  /** What one job may read in a second; null = any number. Asked for at the start of each job. */
  maxBytesPerSecond(): number | null;
}

/** A storage that is away costs no attempt; this is how soon it is looked at again, milliseconds. */
const AWAY_MS = 5_000;

/**
 * Kind `checksum`: reads a file once and stores MD5 and XXH3-128 in the index, in the transaction that ends the job, and
 * only if the file before, during and after the reading was the one the index describes. Otherwise the row goes back to
 * the scan; a file that can never be read becomes `faulty`.
 */
export function createChecksumHandler(deps: ChecksumDeps): JobHandler<ChecksumPayload> {
  return {
    role: 'CHECKSUM',
    kind: 'checksum',
    payload: checksumPayloadSchema,
    run: (context) => runChecksum(deps, context),
  };
}

async function runChecksum(deps: ChecksumDeps, context: JobContext<ChecksumPayload>): Promise<JobOutcome> {
  const { payload } = context;
  const storage = deps.storageOf(payload.storageId);
  if (!storage) return { kind: 'snooze', afterMs: AWAY_MS, why: 'This node does not reach the storage now.' };
  try {
    return judge(await digest(storage, context, deps.maxBytesPerSecond()), payload);
  } catch (thrown) {
    context.signal.throwIfAborted();
    return (await outcomeOfStorageTrouble(storage, thrown, AWAY_MS)) ?? outcomeOfTrouble(coerceError(thrown), payload);
  }
}

function digest(
  storage: StorageAccess,
  context: JobContext<ChecksumPayload>,
  maxBytesPerSecond: number | null,
): Promise<DigestResult> {
  const { sizeBytes, path } = context.payload;
  const onProgress = (doneBytes: number) => context.progress(sizeBytes > 0 ? Math.min(1, doneBytes / sizeBytes) : 1);
  return storage.digest(path, { signal: context.signal, onProgress, maxBytesPerSecond });
}

function judge(found: DigestResult, payload: ChecksumPayload): JobOutcome {
  const { md5, xxh128, facts } = found;
  const isSame = facts.sizeBytes === payload.sizeBytes && facts.mtimeNs === payload.mtimeNs;
  if (found.changed || !isSame) return toScan(payload, { changed: true });
  return {
    kind: 'done',
    result: { md5, xxh128, sizeBytes: facts.sizeBytes },
    alongside: async (sql) => {
      await recordDigests(sql, rowOf(payload), { md5, xxh128 });
    },
  };
}

function outcomeOfTrouble(error: IsgError, payload: ChecksumPayload): JobOutcome {
  if (error.code === 'file-not-found') return toScan(payload, { gone: true });
  if (error.code === 'file-changed') return toScan(payload, { changed: true });
  if (error.retry === 'transient') throw error;
  const record = errorRecord(error);
  return {
    kind: 'failed',
    error: record,
    alongside: async (sql) => {
      await markUnreadable(sql, rowOf(payload), record);
    },
  };
}

function toScan(payload: ChecksumPayload, result: Record<string, unknown>): JobOutcome {
  return {
    kind: 'done',
    result,
    alongside: async (sql) => {
      await returnToScan(sql, rowOf(payload));
    },
  };
}

function rowOf(payload: ChecksumPayload): HashedRow {
  const { storageId, path, sizeBytes, mtimeNs } = payload;
  return { storageId, pathKey: pathKey(path), sizeBytes, mtimeNs };
}
