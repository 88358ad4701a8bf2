/** What a verification finds, and how it is told. Pure. */
import type { ErrorRecord } from '../../runtime/errors.ts';
import type { DigestedFile } from '../../storage/storage-access.ts';

/** What the index says of a file. */
export interface Recorded {
  path: string;
  sizeBytes: number;
  mtimeNs: string;
  fileId: string;
  xxh128: string | null;
  md5: string;
}

/** What became of one file. */
export type Verdict =
  | { kind: 'same' }
  /** Size or time are not the recorded ones, or changed while it was read: work for the scan, which digests it anew. */
  | { kind: 'changed' }
  | { kind: 'gone' }
  /** Size and time are the recorded ones, the content is not. */
  | { kind: 'differs'; digest: 'XXH3-128' | 'MD5'; recorded: string; found: string }
  | { kind: 'unreadable'; error: ErrorRecord };

/** Judges one file by the digest that is recorded: the fast one if there is one. */
export function judgeFile(recorded: Recorded, found: DigestedFile): Verdict {
  if (found.kind === 'trouble') {
    return found.error.code === 'file-not-found' ? { kind: 'gone' } : { kind: 'unreadable', error: found.error };
  }
  const { facts } = found;
  if (found.changed || facts.sizeBytes !== recorded.sizeBytes || facts.mtimeNs !== recorded.mtimeNs) {
    return { kind: 'changed' };
  }
  if (recorded.xxh128 !== null) {
    if (recorded.xxh128 === found.xxh128) return { kind: 'same' };
    return { kind: 'differs', digest: 'XXH3-128', recorded: recorded.xxh128, found: found.xxh128 };
  }
  if (recorded.md5 === found.md5) return { kind: 'same' };
  return { kind: 'differs', digest: 'MD5', recorded: recorded.md5, found: found.md5 ?? '' };
}

/** What people are told of a file; null when there is nothing to tell. */
export function wordsOf(path: string, verdict: Verdict): string | null {
  if (verdict.kind === 'differs') {
    const { digest, recorded, found } = verdict;
    return `${JSON.stringify(path)} does not hold what was recorded: ${digest} recorded ${recorded}, found ${found}, while size and time are unchanged. Its content was damaged or altered on the storage: compare it with a copy (in iconik or a backup) and put the good one back.`;
  }
  return verdict.kind === 'unreadable' ? `${JSON.stringify(path)} could not be read: ${verdict.error.message}` : null;
}

/** Sums of a verification. */
export interface VerifySums {
  files: number;
  bytes: number;
  same: number;
  changed: number;
  gone: number;
  differs: number;
  unreadable: number;
  /** Words of the first files that differ or cannot be read. */
  told: string[];
}

/** Files that are named in the job; the log names all. */
const MAX_TOLD = 20;

/** Sums of nothing. */
export const NOTHING_VERIFIED: VerifySums = {
  files: 0,
  bytes: 0,
  same: 0,
  changed: 0,
  gone: 0,
  differs: 0,
  unreadable: 0,
  told: [],
};

/** The sums with one file more. */
export function withFile(
  sums: VerifySums,
  recorded: Pick<Recorded, 'path' | 'sizeBytes'>,
  verdict: Verdict,
): VerifySums {
  const words = sums.told.length < MAX_TOLD ? wordsOf(recorded.path, verdict) : null;
  return {
    ...sums,
    files: sums.files + 1,
    bytes: sums.bytes + recorded.sizeBytes,
    [verdict.kind]: sums[verdict.kind] + 1,
    told: words === null ? sums.told : [...sums.told, words],
  };
}

/** Why a verification has failed; null when all that could be compared was the same. */
export function failureOf(sums: VerifySums): ErrorRecord | null {
  if (sums.differs + sums.unreadable === 0) return null;
  const counts = `${sums.differs} of ${sums.files} files differ from what was recorded, ${sums.unreadable} could not be read.`;
  return {
    code: sums.differs > 0 ? 'content-differs' : 'file-unreadable',
    message: [counts, ...sums.told].join('\n'),
    retry: 'permanent',
  };
}

/**
 * Cuts a list so that what lies between two checkpoints can be read in minutes: the first `maxBytes` worth, at least one file.
 */
export function firstPart<File extends { sizeBytes: number }>(files: readonly File[], maxBytes: number): File[] {
  let bytes = 0;
  const end = files.findIndex(({ sizeBytes }, index) => {
    bytes += sizeBytes;
    return index > 0 && bytes > maxBytes;
  });
  return end === -1 ? [...files] : files.slice(0, end);
}

/**
 * The files in the order of their inodes, which on most file systems is nearly that of their places on the disk: a head that
 * moves one way reads small files several times faster. What has no number stays where it is.
 */
export function byPlace<File extends { fileId: string }>(files: readonly File[]): File[] {
  const place = ({ fileId }: File) => (/^\d{1,20}$/.test(fileId) ? BigInt(fileId) : 0n);
  const placed = files.map((file) => ({ file, at: place(file) }));
  placed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return placed.map(({ file }) => file);
}
