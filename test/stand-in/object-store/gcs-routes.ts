import type { FastifyRequest } from 'fastify';
import { type GcsObjects, parseComposition } from './gcs-objects.ts';
import type { StoredBytes } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';
import type { ResumableSessions } from './resumable-sessions.ts';
import type { Grant } from './signed-urls.ts';

/** What the GCS routes need. */
interface GcsStore {
  gcs: GcsObjects;
  sessions: ResumableSessions;
  baseUrl: () => string;
}

/** How requests are read and answered. */
interface Exchange {
  receive: () => Promise<StoredBytes>;
  text: () => Promise<string>;
  send: (status: number, headers: Record<string, string>, body?: string) => Promise<void>;
}

/** Headers that a signature covers when they are sent: without having been signed they make the request another one. */
const SIGNED_HEADERS = /^(content-type|content-md5|x-goog-.*)$/;

const contentType = (request: FastifyRequest): string => request.headers['content-type'] ?? 'application/octet-stream';

/** Serves the signed URLs of GCS but those of running sessions. */
export async function serveGcs(
  store: GcsStore,
  request: FastifyRequest,
  grant: Grant,
  exchange: Exchange,
): Promise<void> {
  const { key, operation } = grant;
  const { send } = exchange;
  if (operation === 'gcs-put')
    return send(200, await store.gcs.put(key, await exchange.receive(), contentType(request)));
  if (operation === 'gcs-part') {
    assertOnlySigned(request, {});
    return send(200, await store.gcs.put(key, await exchange.receive(), contentType(request)));
  }
  if (operation === 'gcs-compose') {
    assertOnlySigned(request, { 'content-type': grant.contentType });
    const list = parseComposition(await exchange.text());
    return send(200, await store.gcs.compose(key, list, contentType(request)));
  }
  if (operation === 'gcs-delete') {
    await store.gcs.remove(key);
    return send(204, {});
  }
  if (request.headers['x-goog-resumable'] !== 'start')
    throw new ObjectStoreError(400, 'InvalidArgument', 'x-goog-resumable: start is needed');
  const id = store.sessions.start(key, contentType(request));
  return send(201, {
    location: `${store.baseUrl()}/_objects/${key.split('/').map(encodeURIComponent).join('/')}?session=${id}`,
  });
}

function assertOnlySigned(request: FastifyRequest, signed: Record<string, string | undefined>): void {
  const names = new Set([...Object.keys(request.headers), ...Object.keys(signed)]);
  for (const name of names) {
    if (!SIGNED_HEADERS.test(name) || request.headers[name] === signed[name]) continue;
    throw new ObjectStoreError(403, 'SignatureDoesNotMatch', `${name} is not the one that was signed`);
  }
}
