/** Facts of files, and the one place where file system errors are classified. */
import type { BigIntStats } from 'node:fs';
import { IsgError } from '../../runtime/errors.ts';
import type { FileFacts } from '../storage-access.ts';

/** Times are kept in 64 bits, as the index does: what lies before 1677 or after 2262 counts as the end of that range. */
export function mtimeNsOf(stats: BigIntStats): bigint {
  if (stats.mtimeNs > MAX_MTIME_NS) return MAX_MTIME_NS;
  return stats.mtimeNs < -MAX_MTIME_NS ? -MAX_MTIME_NS : stats.mtimeNs;
}

const MAX_MTIME_NS = 2n ** 63n - 1n;

/** Whether a size can be counted exactly; sparse files can claim more. */
export function isCountable(stats: BigIntStats): boolean {
  return stats.size <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** That a file claims to be larger than 2^53 - 1 bytes. */
export function uncountable(path: string): IsgError {
  const words = `${JSON.stringify(path)} claims to be larger than 8 PiB; such files are not taken.`;
  return new IsgError('file-unreadable', words, { retry: 'permanent', fields: { path } });
}

/** Facts of a stat; throws `file-unreadable` when the size cannot be counted. */
export function factsOf(stats: BigIntStats, path: string): FileFacts {
  if (stats.isFile() && !isCountable(stats)) throw uncountable(path);
  return {
    kind: kindOf(stats),
    sizeBytes: Number(stats.size),
    mtimeNs: String(mtimeNsOf(stats)),
    fileId: String(stats.ino),
  };
}

function kindOf(stats: BigIntStats): FileFacts['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

/**
 * Whether two looks at a file saw the same content as far as the file system tells. Not the file id: some network and FUSE
 * file systems make up a new one while a long read is going on.
 */
export function isSameContent(one: BigIntStats, other: BigIntStats): boolean {
  return one.size === other.size && one.mtimeNs === other.mtimeNs;
}

/** Whether a file looks as recorded. */
export function isAsExpected(stats: BigIntStats, expected: { sizeBytes: number; mtimeNs: string }): boolean {
  return stats.isFile() && Number(stats.size) === expected.sizeBytes && String(mtimeNsOf(stats)) === expected.mtimeNs;
}

/** The system's code of an error (`ENOENT`); '' when it has none. */
export function systemCode(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}

const MISSING = new Set(['ENOENT', 'ENOTDIR']);
const FULL = new Set(['ENOSPC', 'EDQUOT']);
const FORBIDDEN = new Set(['EACCES', 'EPERM']);
/** The server or the connection to it is away, the disk is failing, or this machine is short of something: may pass. */
const AWAY = new Set(
  `EIO ESTALE ENOTCONN ENODEV ENXIO EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENETRESET ECONNRESET ECONNABORTED ECONNREFUSED
   ETIMEDOUT EREMOTEIO ENOLINK ESHUTDOWN EPIPE EMFILE ENFILE ENOMEM EBUSY EAGAIN EINTR ETXTBSY EDEADLK ENOLCK`.split(
    /\s+/,
  ),
);
/** The name or the thing itself: trying again gives the same. */
const UNUSABLE = new Set(['ELOOP', 'EISDIR', 'ENAMETOOLONG', 'EINVAL', 'EILSEQ', 'EOVERFLOW', 'ENOTSUP', 'EOPNOTSUPP']);

/** Whether a write failed only for want of room. */
export function saysFull(thrown: unknown): boolean {
  return FULL.has(systemCode(thrown));
}

/** Classifies an error of the file system; `path` is relative to the storage. Our own errors pass unchanged. */
export function classifyFileError(thrown: unknown, path: string): IsgError {
  if (thrown instanceof IsgError) return thrown;
  const code = systemCode(thrown);
  const name = path === '' ? 'the root of the storage' : JSON.stringify(path);
  const make = (kind: IsgError['code'], message: string, retry: IsgError['retry']) =>
    new IsgError(kind, message, { retry, cause: thrown, fields: { path, systemCode: code } });
  if (MISSING.has(code)) return make('file-not-found', `There is no ${name} (${code}).`, 'permanent');
  if (FULL.has(code)) {
    return make(
      'disk-full',
      `The storage is full at ${name} (${code}). Make room; the work is tried again.`,
      'transient',
    );
  }
  if (FORBIDDEN.has(code)) {
    return make(
      'file-unreadable',
      `Access to ${name} is refused (${code}). Give the node's user the right to it.`,
      'permanent',
    );
  }
  if (code === 'EROFS')
    return make('file-unreadable', `${name} cannot be written: the mount is read-only (EROFS).`, 'permanent');
  if (code === 'EFBIG')
    return make('disk-full', `${name} is larger than this file system allows (EFBIG).`, 'permanent');
  if (AWAY.has(code)) {
    return make(
      'storage-unavailable',
      `The storage failed at ${name} (${code}). Check the mount and the file server.`,
      'transient',
    );
  }
  if (UNUSABLE.has(code)) return make('file-unreadable', `${name} cannot be used (${code}).`, 'permanent');
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return make('unexpected', `Unexpected trouble at ${name}: ${message}`, 'transient');
}
