import { request } from 'undici';
import { assertUsableUrl, SHORT_DEADLINE_MS, type StoreDeps } from './object-store-http.ts';

/** An object as the store shows it. */
export interface SeenObject {
  sizeBytes: number;
  /** Lower-case names; ETag, MD5 or file id tell whose content it is. */
  headers: Record<string, string>;
}

/** Reads an object's first byte only: the URL is signed for GET, so HEAD would be refused. null = it cannot be seen. */
export async function lookAtObject(deps: StoreDeps, url: string, signal: AbortSignal): Promise<SeenObject | null> {
  assertUsableUrl(url);
  const response = await request(url, {
    method: 'GET',
    headers: { range: 'bytes=0-0' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(SHORT_DEADLINE_MS)]),
    ...(deps.dispatcher ? { dispatcher: deps.dispatcher } : {}),
  });
  // A store that ignores the range would send everything; only the headers are wanted.
  response.body.on('error', () => undefined).destroy();
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name.toLowerCase()] = String(value);
  if (response.statusCode === 206) {
    const total = /^bytes 0-0\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
    return total === undefined ? null : { sizeBytes: Number(total), headers };
  }
  return response.statusCode === 200 ? { sizeBytes: Number(headers['content-length']), headers } : null;
}
