import type { Clock } from '../runtime/clock.ts';
import type { IconikApi } from './api.ts';
import { createDispatcher } from './http-dispatcher.ts';
import { refusal, sendRepeatedly } from './object-upload/object-store-http.ts';

/** Whose log it is, in iconik. */
export type LogOwner = { storageId: string } | { storageGatewayId: string };

/** A log file, ready to be sent. */
export interface LogFile {
  /** At most 100 characters. */
  filename: string;
  gzip: Buffer;
}

/**
 * Sends a log file to iconik (reference C.5): asks for a signed URL and puts the bytes there. Throws what the client throws,
 * and `upload-refused`.
 */
export type SendLogFile = (owner: LogOwner, file: LogFile, signal: AbortSignal) => Promise<void>;

const DEADLINE_MS = 120_000;
const ATTEMPTS = 4;

/** Makes the sender; `proxyUrl` as for the client. */
export function createSendLogFile(options: {
  iconik: Pick<IconikApi, 'storages' | 'gateways'>;
  clock: Clock;
  random: () => number;
  proxyUrl: string | undefined;
}): SendLogFile {
  const { iconik, clock, random, proxyUrl } = options;
  const what = 'upload the log';
  return async (owner, { filename, gzip }, signal) => {
    // Of its own, and only while it sends: it is needed a few times a year.
    const dispatcher = createDispatcher({ proxyUrl, callTimeoutMs: DEADLINE_MS, isForNamedHosts: true });
    const deps = { clock, random, dispatcher, attempts: ATTEMPTS, stallMs: DEADLINE_MS };
    try {
      const url =
        'storageId' in owner
          ? await iconik.storages.logUploadUrl(owner.storageId, filename, { signal })
          : await iconik.gateways.logUploadUrl(owner.storageGatewayId, filename, { signal });
      const headers = { 'content-type': 'application/gzip', 'content-length': String(gzip.length) };
      const send = { what, url, method: 'PUT', headers, body: gzip, deadlineMs: DEADLINE_MS, signal } as const;
      const answer = await sendRepeatedly(deps, send);
      if (answer.status < 200 || answer.status > 299) throw refusal(what, url, answer);
    } finally {
      await dispatcher.destroy();
    }
  };
}
