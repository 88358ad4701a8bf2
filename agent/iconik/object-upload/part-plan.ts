/** Bounds that S3 sets on a multipart upload. */
export const S3_MIN_PART_BYTES = 5 * 1024 * 1024;
/** Part numbers run from 1 to this. */
export const S3_MAX_PARTS = 10_000;
/** Largest object that one PUT may carry. */
export const S3_MAX_SINGLE_PUT_BYTES = 5 * 1024 ** 3;
/** Chunks of a resumable GCS upload, except the last, must be multiples of this. */
export const GCS_CHUNK_UNIT_BYTES = 256 * 1024;

/** Blocks that one Azure blob may have. */
export const AZURE_MAX_BLOCKS = 50_000;
/** Largest block of an Azure blob (service version 2019-12-12 and later). */
const AZURE_MAX_BLOCK_BYTES = 4_000 * 1024 * 1024;
/** Largest Azure blob that one Put Blob may carry (service version 2019-12-12 and later). */
export const AZURE_MAX_SINGLE_PUT_BYTES = 5_000 * 1024 * 1024;
/** Largest file that one B2 upload may carry, and largest part of a large file. */
export const B2_MAX_SINGLE_BYTES = 5_000_000_000;
/** Smallest part of a B2 large file, but for the last; there must be at least two. */
export const B2_MIN_PART_BYTES = 5_000_000;
/** Part numbers of a B2 large file run from 1 to this. */
export const B2_MAX_PARTS = 10_000;
/** Components that one compose request of GCS may name. */
export const GCS_MAX_COMPONENTS = 32;
/** Parts of a parallel upload to GCS: one level of groups. */
export const GCS_MAX_PARTS = GCS_MAX_COMPONENTS * GCS_MAX_COMPONENTS;

const MEBIBYTE = 1024 * 1024;

/** One part of a file. */
export interface PlannedPart {
  /** 1-based. */
  number: number;
  offsetBytes: number;
  lengthBytes: number;
}

/**
 * Bytes per part: the preferred size unless S3 forbids it (too small), or the file would need more than 10,000 parts;
 * then the next whole mebibyte that fits.
 */
export function partSizeFor(sizeBytes: number, preferredBytes: number): number {
  const allowedBytes = Math.max(preferredBytes, S3_MIN_PART_BYTES);
  if (sizeBytes <= allowedBytes * S3_MAX_PARTS) return allowedBytes;
  return Math.ceil(sizeBytes / S3_MAX_PARTS / MEBIBYTE) * MEBIBYTE;
}

/** Bytes per block on Azure: the preferred size unless a block may not be so large, or the file would need more than 50,000 of them. */
export function blockSizeFor(sizeBytes: number, preferredBytes: number): number {
  const allowedBytes = Math.min(preferredBytes, AZURE_MAX_BLOCK_BYTES);
  if (sizeBytes <= allowedBytes * AZURE_MAX_BLOCKS) return allowedBytes;
  return Math.ceil(sizeBytes / AZURE_MAX_BLOCKS / MEBIBYTE) * MEBIBYTE;
}

/** Bytes per part of a B2 large file: the preferred size, not less or more than B2 takes, nor so little that 10,000 parts are too few. */
export function b2PartSizeFor(sizeBytes: number, preferredBytes: number): number {
  const allowedBytes = Math.min(Math.max(preferredBytes, B2_MIN_PART_BYTES), B2_MAX_SINGLE_BYTES);
  if (sizeBytes <= allowedBytes * B2_MAX_PARTS) return allowedBytes;
  return Math.ceil(sizeBytes / B2_MAX_PARTS / MEBIBYTE) * MEBIBYTE;
}

/** Bytes per component on GCS: the preferred size unless the file would need more of them than two levels of composing take. */
export function gcsPartSizeFor(sizeBytes: number, preferredBytes: number): number {
  if (sizeBytes <= preferredBytes * GCS_MAX_PARTS) return preferredBytes;
  return Math.ceil(sizeBytes / GCS_MAX_PARTS / MEBIBYTE) * MEBIBYTE;
}

/** How components become an object on GCS: in one request (no groups), or in groups of neighbours that are composed in turn. */
export function planGroups<T>(components: readonly T[]): T[][] {
  if (components.length <= GCS_MAX_COMPONENTS) return [];
  const groups: T[][] = [];
  for (let first = 0; first < components.length; first += GCS_MAX_COMPONENTS) {
    groups.push(components.slice(first, first + GCS_MAX_COMPONENTS));
  }
  return groups;
}

/** All parts of a file, without gap or overlap; only the last may be shorter. */
export function planParts(sizeBytes: number, partSizeBytes: number): PlannedPart[] {
  const parts: PlannedPart[] = [];
  for (let offsetBytes = 0; offsetBytes < sizeBytes; offsetBytes += partSizeBytes) {
    const lengthBytes = Math.min(partSizeBytes, sizeBytes - offsetBytes);
    parts.push({ number: parts.length + 1, offsetBytes, lengthBytes });
  }
  return parts;
}

/** Chunk size for GCS: the preferred one rounded down to its unit, at least one unit. */
export function gcsChunkSize(preferredBytes: number): number {
  return Math.max(1, Math.floor(preferredBytes / GCS_CHUNK_UNIT_BYTES)) * GCS_CHUNK_UNIT_BYTES;
}

/** Bytes that a GCS session holds, by the `Range` header of its 308 answer (`bytes=0-N`); absent = none. null = unreadable. */
export function heldBytes(rangeHeader: string | undefined): number | null {
  if (rangeHeader === undefined) return 0;
  const match = /^bytes=0-(\d{1,16})$/.exec(rangeHeader.trim());
  return match ? Number(match[1]) + 1 : null;
}

/** Parts that are still to be sent, in order. */
export function missingParts(
  { source }: { source: { expected: { sizeBytes: number } } },
  session: { partSizeBytes: number; finished: ReadonlyMap<number, unknown> },
): PlannedPart[] {
  const all = planParts(source.expected.sizeBytes, session.partSizeBytes);
  return all.filter((part) => !session.finished.has(part.number));
}
