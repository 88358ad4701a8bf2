/** From the columns in which digests cross the channel to one object a file, and from long lists to several calls. */
import type { CallOptions, DigestedFile, StorageAccess } from './storage-access.ts';
import {
  type DigestColumns,
  MAX_DIGEST_PATHS,
  type Operation,
  type RequestOf,
  type ResultOf,
} from './storage-messages.ts';

/** The digests of a storage access, by a function that carries out an operation in the lane of contents. */
export function digestCalls(
  onContents: <O extends Operation>(operation: O, request: RequestOf<O>, call: CallOptions) => Promise<ResultOf<O>>,
): Pick<StorageAccess, 'digest' | 'digestMany'> {
  return {
    digest: (path, { maxBytesPerSecond = null, ...call }) => onContents('digest', { path, maxBytesPerSecond }, call),
    digestMany: (paths, { withMd5, maxBytesPerSecond = null, ...call }) =>
      digestInCalls(paths, { ...call, withMd5 }, (some, handling) => {
        const share = maxBytesPerSecond === null ? null : maxBytesPerSecond / callsFor(paths.length);
        return onContents('digest-many', { paths: some, withMd5, maxBytesPerSecond: share }, handling);
      }),
  };
}

const CHANGED = 2;
const TROUBLE = 3;
const DIGEST_BYTES = 16;

/** Calls on their way at a time, in a process each: while one's answer travels, the other's files are read. */
const CALLS_AT_A_TIME = 2;

const callsFor = (files: number) => Math.min(CALLS_AT_A_TIME, Math.ceil(files / MAX_DIGEST_PATHS));

/**
 * Digests a list in calls of what one may carry; progress is the sum of all. The first call that fails stops the others, and
 * all have ended when this rejects.
 */
export async function digestInCalls(
  paths: readonly string[],
  { withMd5, signal, onProgress }: CallOptions & { withMd5: boolean },
  call: (paths: string[], options: CallOptions) => Promise<DigestColumns>,
): Promise<DigestedFile[]> {
  const parts: DigestedFile[][] = [];
  const doneBytes: number[] = [];
  const failure = new AbortController();
  const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  let next = 0;
  const work = async () => {
    for (let part = next++; part * MAX_DIGEST_PATHS < paths.length; part = next++) {
      const some = paths.slice(part * MAX_DIGEST_PATHS, (part + 1) * MAX_DIGEST_PATHS);
      const tell = (bytes: number) => {
        doneBytes[part] = bytes;
        onProgress?.(doneBytes.reduce((sum, of) => sum + of, 0));
      };
      parts[part] = filesOf(await call(some, { signal: either, onProgress: tell }), withMd5);
    }
  };
  const workers = Array.from({ length: callsFor(paths.length) }, () =>
    work().catch((thrown: unknown) => {
      failure.abort(thrown);
      throw thrown;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return parts.flat();
}

/** One object for each row. A row that says trouble without a reason is `unexpected`. Pure. */
export function filesOf(columns: DigestColumns, withMd5: boolean): DigestedFile[] {
  const troubles = new Map(columns.troubles.map((trouble) => [trouble.index, trouble]));
  const hex = Buffer.from(columns.digests.buffer, columns.digests.byteOffset, columns.digests.byteLength).toString(
    'hex',
  );
  return Array.from(columns.states, (state, row): DigestedFile => {
    if (state === TROUBLE || state === 0) return troubleOf(troubles.get(row));
    const at = row * DIGEST_BYTES * 4;
    return {
      kind: 'digested',
      xxh128: hex.slice(at, at + DIGEST_BYTES * 2),
      md5: withMd5 ? hex.slice(at + DIGEST_BYTES * 2, at + DIGEST_BYTES * 4) : null,
      facts: {
        kind: 'file',
        sizeBytes: columns.sizes[row] ?? 0,
        mtimeNs: String(columns.mtimesNs[row] ?? 0n),
        fileId: String(columns.fileIds[row] ?? 0n),
      },
      changed: state === CHANGED,
    };
  });
}

const NOT_READ = { code: 'unexpected', message: 'The file was not read.', retry: 'transient' } as const;

function troubleOf(trouble: DigestColumns['troubles'][number] | undefined): DigestedFile {
  if (!trouble) return { kind: 'trouble', error: NOT_READ };
  const { code, message, retry } = trouble;
  return { kind: 'trouble', error: { code, message, retry } };
}
