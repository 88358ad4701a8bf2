/** From the columns in which digests cross the channel to one object a file, and from long lists to several calls. */
import type { CallOptions, DigestedFile } from './storage-access.ts';
import { type DigestColumns, MAX_DIGEST_PATHS } from './storage-messages.ts';

const CHANGED = 2;
const TROUBLE = 3;
const DIGEST_BYTES = 16;

/** Digests a list in calls of what one may carry, one after the other; progress is of all of them. */
export async function digestInCalls(
  paths: readonly string[],
  { withMd5, signal, onProgress }: CallOptions & { withMd5: boolean },
  call: (paths: string[], options: CallOptions) => Promise<DigestColumns>,
): Promise<DigestedFile[]> {
  const found: DigestedFile[] = [];
  let doneBytes = 0;
  for (let from = 0; from < paths.length; from += MAX_DIGEST_PATHS) {
    const options: CallOptions = { onProgress: (bytes) => onProgress?.(doneBytes + bytes) };
    if (signal) options.signal = signal;
    const columns = await call(paths.slice(from, from + MAX_DIGEST_PATHS), options);
    found.push(...filesOf(columns, withMd5));
    doneBytes += columns.sizes.reduce((sum, size) => sum + size, 0);
  }
  return found;
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
