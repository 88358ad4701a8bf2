import { createHash, createHmac } from 'node:crypto';

/** Keys of whoever signs, and where the store is. */
export interface SigningStore {
  /** `http://127.0.0.1:5000`; buckets are the first segment of the path. */
  origin: string;
  accessKey: string;
  secretKey: string;
  region: string;
}

/** What a signed URL is to allow. */
export interface SignedRequest {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `/bucket/key`. */
  path: string;
  query?: Record<string, string>;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Percent-encoding of RFC 3986, as the signature wants it. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** A URL signed for an hour by AWS Signature Version 4 in its query; the header `host` is signed, the body is not. */
export function presign(store: SigningStore, request: SignedRequest): string {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${stamp.slice(0, 8)}/${store.region}/s3/aws4_request`;
  const query = {
    ...request.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${store.accessKey}/${scope}`,
    'X-Amz-Date': stamp,
    'X-Amz-Expires': '3600',
    'X-Amz-SignedHeaders': 'host',
  };
  const pairs = Object.entries(query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  const search = pairs.sort().join('&');
  const path = request.path.split('/').map(encode).join('/');
  const host = new URL(store.origin).host;
  const canonical = [request.method, path, search, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, digest].join('\n');
  const parts = [stamp.slice(0, 8), store.region, 's3', 'aws4_request'];
  const key = parts.reduce((secret: string | Buffer, part) => hmac(secret, part), `AWS4${store.secretKey}`);
  return `${store.origin}${path}?${search}&X-Amz-Signature=${hmac(key, toSign).toString('hex')}`;
}
