import { b2ErrorOf } from './b2-answers.ts';
import { childText, escapeXml, tryParseXml, type XmlElement } from './xml-document.ts';

/** A part as the store knows it. */
export interface StoredPart {
  number: number;
  /** As the store sent it, quotes included when it sent some. */
  etag: string;
  sizeBytes: number;
}

/** Roots of answers: as S3 calls them, and as some that are like S3 do (moto). */
const PARTS_LISTS = new Set(['ListPartsResult', 'ListPartsResponse']);
const COMPLETED = new Set(['CompleteMultipartUploadResult', 'CompleteMultipartUploadResponse']);

/** One page of a list of parts. */
export interface PartsPage {
  parts: StoredPart[];
  isTruncated: boolean;
}

/** Code of an error document (`NoSuchUpload`, `expired_auth_token`, …; XML, JSON of B2); null when the body is none. */
export function errorCodeOf(body: string): string | null {
  if (body.startsWith('{')) return b2ErrorOf(body)?.code ?? null;
  const document = tryParseXml(body);
  return document?.name === 'Error' ? childText(document, 'Code') : null;
}

/** Upload id of the answer to an initiate request; null when the body is no such answer. */
export function uploadIdOf(body: string): string | null {
  const document = tryParseXml(body);
  if (document?.name !== 'InitiateMultipartUploadResult') return null;
  return childText(document, 'UploadId') || null;
}

/** Whether the body says that the object was put together. A 200 alone does not: an error may follow in its body. */
export function isCompleteAnswer(body: string): boolean {
  return COMPLETED.has(tryParseXml(body)?.name ?? '');
}

/** Parts of one page; null when the body is no list of parts. */
export function partsPageOf(body: string): PartsPage | null {
  const document = tryParseXml(body);
  if (!document || !PARTS_LISTS.has(document.name)) return null;
  const parts: StoredPart[] = [];
  for (const element of document.children) {
    if (element.name !== 'Part') continue;
    const part = partOf(element);
    if (!part) return null;
    parts.push(part);
  }
  return { parts, isTruncated: childText(document, 'IsTruncated') === 'true' };
}

function partOf(element: XmlElement): StoredPart | null {
  const number = Number(childText(element, 'PartNumber'));
  const sizeText = childText(element, 'Size');
  const etag = childText(element, 'ETag');
  const sizeBytes = Number(sizeText);
  if (!Number.isInteger(number) || number < 1 || !etag) return null;
  if (sizeText === null || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return null;
  return { number, etag, sizeBytes };
}

/** Body of the request that puts the object together; parts in ascending order, as S3 demands. */
export function completeBody(parts: readonly StoredPart[]): string {
  const ordered = [...parts].sort((a, b) => a.number - b.number);
  const lines = ordered.map(
    (part) => `<Part><PartNumber>${part.number}</PartNumber><ETag>${escapeXml(part.etag)}</ETag></Part>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${lines.join('')}</CompleteMultipartUpload>`;
}
