import { z } from 'zod';
import { type RecordedFile, recordedFiles, sumRecorded } from '../../db/queries/recorded-digest.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../jobs/job-handler.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { DigestedFile, StorageAccess } from '../../storage/storage-access.ts';
import { pathKey } from '../../storage/storage-path.ts';
import { outcomeOfStorageTrouble } from '../storage-trouble.ts';
import type { ChecksumDeps } from './checksum-handler.ts';
import {
  byPlace,
  failureOf,
  firstPart,
  judgeFile,
  NOTHING_VERIFIED,
  type VerifySums,
  withFile,
  wordsOf,
} from './verify-plan.ts';

/** Data of a `verify` job. */
const verifyPayloadSchema = z.looseObject({
  storageId: z.string().min(1),
  /** Directory, relative to the mount point; '' = the whole storage. */
  path: z.string(),
});
/** Data of a `verify` job. */
export type VerifyPayload = z.infer<typeof verifyPayloadSchema>;

const count = z.number();
const checkpointSchema = z.object({
  afterPathKey: z.string(),
  sums: z.object({
    files: count,
    bytes: count,
    same: count,
    changed: count,
    gone: count,
    differs: count,
    unreadable: count,
    told: z.array(z.string()),
  }),
});

/** What the verification needs. */
export interface VerifyDeps extends ChecksumDeps {
  sql: Sql;
}

const AWAY_MS = 5_000;
/** Between two checkpoints: files, and bytes. */
const PART_FILES = 1_000;
const PART_BYTES = 32 * 1024 ** 3;

/**
 * Kind `verify`: reads the files of a directory again and compares them with the recorded digests. Changes nothing, neither
 * in the index nor on the storage. A file with another content under the recorded size and time, or one that cannot be read,
 * fails the job at its end; each is logged. Goes on from its last checkpoint after a restart.
 */
export function createVerifyHandler(deps: VerifyDeps): JobHandler<VerifyPayload> {
  return { role: 'CHECKSUM', kind: 'verify', payload: verifyPayloadSchema, run: (context) => verify(deps, context) };
}

async function verify(deps: VerifyDeps, context: JobContext<VerifyPayload>): Promise<JobOutcome> {
  const storage = deps.storageOf(context.payload.storageId);
  if (!storage) return { kind: 'snooze', afterMs: AWAY_MS, why: 'This node does not reach the storage now.' };
  try {
    const sums = await verifyAll(deps, context, storage);
    const error = failureOf(sums);
    // An operator's second try begins from the start.
    if (error) await context.saveCheckpoint(null);
    return error ? { kind: 'failed', error } : { kind: 'done', result: { ...sums } };
  } catch (thrown) {
    context.signal.throwIfAborted();
    const outcome = await outcomeOfStorageTrouble(storage, thrown, AWAY_MS);
    if (outcome) return outcome;
    throw thrown;
  }
}

async function verifyAll(
  deps: VerifyDeps,
  context: JobContext<VerifyPayload>,
  storage: StorageAccess,
): Promise<VerifySums> {
  const { storageId, path } = context.payload;
  const where = { storageId, directoryKey: pathKey(path) };
  const whole = await sumRecorded(deps.sql, where);
  const saved = checkpointSchema.safeParse(context.job.checkpoint).data;
  let { afterPathKey, sums } = saved ?? { afterPathKey: '', sums: NOTHING_VERIFIED };
  for (;;) {
    context.signal.throwIfAborted();
    const page = await recordedFiles(deps.sql, where, { afterPathKey, limit: PART_FILES });
    const part = firstPart(page, PART_BYTES);
    const last = part.at(-1);
    if (!last) return sums;
    const before = sums;
    const tell = (doneBytes: number) => {
      const fraction = whole.bytes > 0 ? Math.min(1, (before.bytes + doneBytes) / whole.bytes) : 1;
      context.progress(fraction, `${before.files} of ${whole.files} files compared`);
    };
    const digest = (files: readonly RecordedFile[], withMd5: boolean) =>
      storage.digestMany(
        files.map((file) => file.path),
        { withMd5, signal: context.signal, onProgress: tell, maxBytesPerSecond: deps.maxBytesPerSecond() },
      );
    sums = await verifyPart({ context, storage, digest }, part, sums);
    afterPathKey = last.pathKey;
    tell(0);
    await context.saveCheckpoint({ afterPathKey, sums });
  }
}

interface PartTools {
  context: JobContext<VerifyPayload>;
  storage: StorageAccess;
  digest(files: readonly RecordedFile[], withMd5: boolean): Promise<DigestedFile[]>;
}

async function verifyPart(tools: PartTools, part: readonly RecordedFile[], sums: VerifySums): Promise<VerifySums> {
  let after = sums;
  for (const withMd5 of [false, true]) {
    const files = byPlace(part.filter(({ xxh128 }) => (xxh128 === null) === withMd5));
    if (files.length === 0) continue;
    const found = await tools.digest(files, withMd5);
    await assertStorageThere(tools.storage, found);
    for (const [index, file] of files.entries()) {
      const verdict = judgeFile(file, found[index] ?? NOT_READ);
      after = withFile(after, file, verdict);
      const words = wordsOf(file.path, verdict);
      if (words !== null) tools.context.log.error('A file failed its verification', { path: file.path, words });
    }
  }
  return after;
}

const NOT_READ: DigestedFile = {
  kind: 'trouble',
  error: { code: 'unexpected', message: 'It was not read.', retry: 'transient' },
};

/** A file that cannot be read is a finding only while the storage itself answers. */
async function assertStorageThere(storage: StorageAccess, found: readonly DigestedFile[]): Promise<void> {
  const away = found.find((file) => file.kind === 'trouble' && file.error.code === 'storage-unavailable');
  if (away?.kind !== 'trouble') return;
  const error = new IsgError('storage-unavailable', away.error.message, { retry: 'transient' });
  const outcome = await outcomeOfStorageTrouble(storage, error, AWAY_MS);
  if (outcome?.kind === 'snooze') throw error;
}
