import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a signed URL allows, and with which HTTP methods. */
const OPERATIONS = {
  get: 'GET',
  's3-put': 'PUT',
  's3-initiate': 'POST',
  's3-part': 'PUT',
  's3-complete': 'POST',
  's3-abort': 'DELETE',
  's3-list': 'GET',
  'gcs-put': 'PUT',
  'gcs-start': 'POST',
  'gcs-part': 'PUT',
  'gcs-compose': 'PUT',
  'gcs-delete': 'DELETE',
  'azure-blob': 'PUT GET',
  'b2-part': 'POST',
  'b2-file': 'POST',
} as const;
/** What a signed URL allows. */
type ObjectOperation = keyof typeof OPERATIONS;

/** A permission: the operation on one object key, with what else is bound by the signature. */
export interface Grant {
  operation: ObjectOperation;
  /** `<storage id>/<path>`. */
  key: string;
  uploadId?: string;
  partNumber?: number;
  /** List parts after this number. */
  marker?: number;
  /** Base64 MD5 that the Content-MD5 header must repeat. */
  md5?: string;
  /** The storage wants a Content-MD5 with each request (`presign_md5_checksum`). */
  needsMd5?: boolean;
  /** Azure: blob and block list may be read, too. */
  mayRead?: boolean;
  /** GCS: the Content-Type that the request must have. */
  contentType?: string;
  /** Tells apart URLs that otherwise are the same: an upload URL of B2 serves one sender. */
  nonce?: string;
}

/** Signs and checks URLs. They carry all rights themselves: no header is needed, and they expire. */
export interface SignedUrls {
  sign(grant: Grant): string;
  /** The grant, or why there is none. */
  check(method: string, url: URL): Grant | 'expired' | 'signature';
  /** The token that belongs to a URL, for stores that want one beside it. */
  token(url: string): string;
}

const PREFIX = '/_objects/';

/** Path and key of an object URL. */
export const keyOfPath = (pathname: string): string =>
  pathname.slice(PREFIX.length).split('/').map(decodeURIComponent).join('/');
const pathOfKey = (key: string): string => PREFIX + key.split('/').map(encodeURIComponent).join('/');

/** Makes the signer; the secret lives as long as the process. `baseUrl` is asked at each signing. */
export function createSignedUrls(options: {
  baseUrl: () => string;
  nowMs: () => number;
  lifetimeMs: () => number;
}): SignedUrls {
  const secret = randomBytes(32);
  const signature = (grant: Grant, expiresAtMs: number): string =>
    createHmac('sha256', secret)
      .update(
        JSON.stringify([
          grant.operation,
          grant.key,
          grant.uploadId,
          grant.partNumber,
          grant.marker,
          grant.md5,
          grant.needsMd5,
          grant.mayRead,
          grant.contentType,
          grant.nonce,
          expiresAtMs,
        ]),
      )
      .digest('hex');
  return {
    token: (url) => createHmac('sha256', secret).update(url).digest('base64url'),
    sign: (grant) => {
      const expiresAtMs = options.nowMs() + options.lifetimeMs();
      const query = new URLSearchParams({ operation: grant.operation, expires: String(expiresAtMs) });
      if (grant.uploadId !== undefined) query.set('uploadId', grant.uploadId);
      if (grant.partNumber !== undefined) query.set('partNumber', String(grant.partNumber));
      if (grant.marker !== undefined) query.set('part-number-marker', String(grant.marker));
      if (grant.md5 !== undefined) query.set('content-md5', grant.md5);
      if (grant.needsMd5) query.set('needs-md5', 'true');
      if (grant.mayRead) query.set('may-read', 'true');
      if (grant.contentType !== undefined) query.set('content-type', grant.contentType);
      if (grant.nonce !== undefined) query.set('nonce', grant.nonce);
      query.set('signature', signature(grant, expiresAtMs));
      return `${options.baseUrl()}${pathOfKey(grant.key)}?${query.toString()}`;
    },
    check: (method, url) => {
      const grant = grantOf(url);
      const expiresAtMs = Number(url.searchParams.get('expires'));
      if (!grant || !OPERATIONS[grant.operation].split(' ').includes(method)) return 'signature';
      const given = Buffer.from(url.searchParams.get('signature') ?? '');
      const right = Buffer.from(signature(grant, expiresAtMs));
      if (given.length !== right.length || !timingSafeEqual(given, right)) return 'signature';
      return options.nowMs() > expiresAtMs ? 'expired' : grant;
    },
  };
}

function grantOf(url: URL): Grant | undefined {
  const operation = url.searchParams.get('operation') ?? '';
  if (!(operation in OPERATIONS)) return undefined;
  const uploadId = url.searchParams.get('uploadId');
  const partNumber = url.searchParams.get('partNumber');
  const marker = url.searchParams.get('part-number-marker');
  const md5 = url.searchParams.get('content-md5');
  const contentType = url.searchParams.get('content-type');
  const nonce = url.searchParams.get('nonce');
  return {
    operation: operation as ObjectOperation,
    key: keyOfPath(url.pathname),
    ...(uploadId === null ? {} : { uploadId }),
    ...(partNumber === null ? {} : { partNumber: Number(partNumber) }),
    ...(marker === null ? {} : { marker: Number(marker) }),
    ...(md5 === null ? {} : { md5 }),
    ...(url.searchParams.get('needs-md5') === 'true' ? { needsMd5: true } : {}),
    ...(url.searchParams.get('may-read') === 'true' ? { mayRead: true } : {}),
    ...(contentType === null ? {} : { contentType }),
    ...(nonce === null ? {} : { nonce }),
  };
}
