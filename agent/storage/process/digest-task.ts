/** What the main thread of a storage process and its digest threads say to each other. */
import type { ErrorCode, IsgError } from '../../runtime/errors.ts';
import type { DiskPath } from './disk-path.ts';

/** What became of a file of a list; values of `states` below. */
export const FILE_STATES = ['untouched', 'digested', 'changed', 'trouble'] as const;

/** Findings on a list of files, by columns in shared memory: each thread writes the rows of the files it took. */
export interface SharedColumns {
  /** Index into `FILE_STATES`. */
  states: Uint8Array;
  /** 32 bytes a file: XXH3-128, then MD5 (zeros when it was not asked for). */
  digests: Uint8Array;
  sizes: Float64Array;
  mtimesNs: BigInt64Array;
  fileIds: BigUint64Array;
}

/** An error that crosses threads. */
export interface ThreadTrouble {
  code: ErrorCode;
  message: string;
  retry: 'transient' | 'permanent';
  fields: Record<string, unknown>;
}

/** One file of a list that could not be read. */
export interface FileTrouble extends ThreadTrouble {
  /** Its place in the list. */
  index: number;
}

/** Where the files of a list lie. One long string crosses to a thread in a fraction of the time that thousands of objects take. */
export interface ListedFiles {
  count: number;
  /** Paths in the storage, joined by NUL. */
  paths: string;
  /** The mount point: a file lies at its path below it … */
  root: string;
  /** The mount point as what is open is compared with it (`held-directory.ts`). */
  realMount: string;
  /** … but those named here, by their place in the list; null = it is not to be read. */
  elsewhere: ReadonlyMap<number, DiskPath | null>;
}

/** What every task carries: memory of a `DigestControl`, and how fast this thread may read (null = as fast as it can). */
interface Shared {
  control: SharedArrayBuffer;
  bytesPerSecond: number | null;
}

/** Work for a digest thread. */
export type DigestTask =
  /** Reads an open file and computes XXH3-128, and MD5 as well unless a ring hands the pieces to a thread that does. */
  | (Shared & { kind: 'read'; fd: number; lengthBytes: number; path: string; ring: SharedArrayBuffer | null })
  /** Computes MD5 of what comes through the ring. */
  | { kind: 'md5'; ring: SharedArrayBuffer; control: SharedArrayBuffer }
  /** Opens, reads and looks at files of a list, as many as this thread gets hold of. */
  | (Shared & { kind: 'files'; files: ListedFiles; columns: SharedColumns; withMd5: boolean });

/** What a task answers. */
export interface TaskResults {
  read: { readBytes: number; xxh128: string; md5: string | null };
  md5: { md5: string };
  files: { troubles: FileTrouble[] };
}

/** What a digest thread sends. */
export type FromDigestThread =
  | { kind: 'done'; taskId: number; result: TaskResults[keyof TaskResults] }
  | { kind: 'failed'; taskId: number; trouble: ThreadTrouble };

/** The form in which an error crosses threads. */
export function troubleOf({ code, message, retry, fields }: IsgError): ThreadTrouble {
  return { code, message, retry, fields };
}
