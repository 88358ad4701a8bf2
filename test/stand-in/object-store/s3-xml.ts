import { ObjectStoreError } from './object-store-error.ts';

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const tag = (name: string, content: string | number | boolean): string =>
  `<${name}>${escaped(String(content))}</${name}>`;

/** Bucket and key as S3 names them. */
const place = (key: string): string => {
  const [bucket = '', ...path] = key.split('/');
  return tag('Bucket', bucket) + tag('Key', path.join('/'));
};

/** An error document of S3 and of GCS's XML interface. */
export const errorXml = (code: string, message: string): string =>
  `${HEAD}<Error>${tag('Code', code)}${tag('Message', message)}</Error>`;

/** Answer to initiate. */
export const initiatedXml = (key: string, uploadId: string): string =>
  `${HEAD}<InitiateMultipartUploadResult ${SPACE}>${place(key)}${tag('UploadId', uploadId)}</InitiateMultipartUploadResult>`;

/** Answer to complete. */
export const completedXml = (key: string, etag: string): string =>
  `${HEAD}<CompleteMultipartUploadResult ${SPACE}>${place(key)}${tag('ETag', `"${etag}"`)}</CompleteMultipartUploadResult>`;

/** One page of a part list. */
export function partsXml(
  key: string,
  uploadId: string,
  page: { parts: { partNumber: number; sizeBytes: number; md5: string }[]; isTruncated: boolean },
): string {
  const parts = page.parts.map(
    (part) =>
      `<Part>${tag('PartNumber', part.partNumber)}${tag('ETag', `"${part.md5}"`)}${tag('Size', part.sizeBytes)}</Part>`,
  );
  const next = page.isTruncated ? tag('NextPartNumberMarker', page.parts.at(-1)?.partNumber ?? 0) : '';
  return `${HEAD}<ListPartsResult ${SPACE}>${place(key)}${tag('UploadId', uploadId)}${next}${tag('IsTruncated', page.isTruncated)}${parts.join('')}</ListPartsResult>`;
}

/** Parts named by a CompleteMultipartUpload document, in its order. */
export function parseCompletion(xml: string): { partNumber: number; etag: string }[] {
  if (!/<CompleteMultipartUpload[\s>]/.test(xml))
    throw new ObjectStoreError(400, 'MalformedXML', 'a CompleteMultipartUpload document is needed');
  return [...xml.matchAll(/<Part>([\s\S]*?)<\/Part>/g)].map(([, part = '']) => {
    const partNumber = Number(/<PartNumber>\s*(\d+)\s*<\/PartNumber>/.exec(part)?.[1]);
    const etag = /<ETag>\s*([\s\S]*?)\s*<\/ETag>/.exec(part)?.[1]?.replaceAll('&quot;', '"').replaceAll('&#34;', '"');
    if (!Number.isInteger(partNumber) || !etag)
      throw new ObjectStoreError(400, 'MalformedXML', 'a part needs PartNumber and ETag');
    return { partNumber, etag };
  });
}
