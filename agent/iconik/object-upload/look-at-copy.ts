import { type Clock, systemClock } from '../../runtime/clock.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { createDispatcher } from '../http-dispatcher.ts';
import { base64OfHex } from './object-source.ts';
import { SHORT_DEADLINE_MS, type StoreDeps, sendRepeatedly } from './object-store-http.ts';
import { errorCodeOf } from './s3-answers.ts';

/** A file's copy at an object store. */
export interface LookedFor {
  /** Signed for reading. */
  url: string;
  sizeBytes: number;
  /** 32 hex digits. */
  md5: string;
  signal: AbortSignal;
}

/** `differs`: there is an object of another size, or with another MD5 where the store names one. */
export type CopySeen = 'there' | 'absent' | 'differs';

/**
 * Looks at a copy itself rather than at its record. Throws `download-refused` (transient) when the store does not say. What lies
 * in a class of storage that must be restored before it is read (`InvalidObjectState`) is there.
 */
export type LookAtCopy = (copy: LookedFor) => Promise<CopySeen>;

/** What looking needs; all has a default. */
export interface LookDeps {
  clock?: Clock;
  random?: () => number;
  /** `https-proxy`; default: the environment's. */
  proxyUrl?: string | undefined;
  /** Tries of one request; default 5. */
  attempts?: number;
}

/** Makes the `LookAtCopy` of this node. */
export function createLookAtCopy({ proxyUrl, ...given }: LookDeps): LookAtCopy {
  const dispatcher = createDispatcher({ proxyUrl, callTimeoutMs: SHORT_DEADLINE_MS, isForNamedHosts: true });
  const deps: StoreDeps = {
    clock: systemClock,
    random: Math.random,
    attempts: 5,
    stallMs: SHORT_DEADLINE_MS,
    dispatcher,
    ...given,
  };
  return async (copy) => {
    const answer = await sendRepeatedly(deps, {
      what: 'look at the copy',
      url: copy.url,
      // Signed for GET: a HEAD would be refused.
      method: 'GET',
      headers: { range: 'bytes=0-0', 'accept-encoding': 'identity' },
      deadlineMs: SHORT_DEADLINE_MS,
      signal: copy.signal,
    });
    return judgeCopy(answer, copy);
  };
}

/** What an answer to a GET of the first byte says of a copy. Pure; throws as `LookAtCopy` does. */
export function judgeCopy(answer: HttpAnswer, copy: Pick<LookedFor, 'sizeBytes' | 'md5'>): CopySeen {
  const { status, headers, body } = answer;
  if (status === 404 || status === 410) return 'absent';
  if (status === 403 && errorCodeOf(body) === 'InvalidObjectState') return 'there';
  const sizeBytes = sizeOf(answer);
  if (sizeBytes === null) {
    const message = `The object store did not show the copy (${status}); it is looked at again.`;
    throw new IsgError('download-refused', message, { retry: 'transient', fields: { status } });
  }
  if (sizeBytes !== copy.sizeBytes) return 'differs';
  const named = namedMd5(headers);
  return named === null || named === base64OfHex(copy.md5) ? 'there' : 'differs';
}

function sizeOf({ status, headers }: HttpAnswer): number | null {
  const total = /^bytes (?:0-0|\*)\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  // An empty object has no first byte.
  if ((status === 206 || status === 416) && total !== undefined) return Number(total);
  const length = headers['content-length'];
  return status === 200 && length !== undefined ? Number(length) : null;
}

/** MD5 of the whole object, in base64, where the store names one for certain: GCS, Azure. An ETag is none: encrypted buckets make up others. */
function namedMd5(headers: Record<string, string>): string | null {
  const ofGcs = /(?:^|[,\s])md5=([A-Za-z0-9+/]{22}==)/.exec(headers['x-goog-hash'] ?? '')?.[1];
  return ofGcs ?? headers['x-ms-blob-content-md5'] ?? null;
}
