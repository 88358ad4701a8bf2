import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { isBusyAnswer, repeatWhileBusy, type StoreDeps } from './object-store-http.ts';

/** Where B2 takes bytes: an upload URL and its own token. It serves one sender at a time. */
export interface B2Place {
  url: string;
  token: string;
}

/** A sender of B2 with the place it uses. */
export interface B2Sender {
  /** null = another one must be asked for first. */
  place: B2Place | null;
  /** Another place. */
  next(signal: AbortSignal): Promise<B2Place>;
}

/**
 * Sends until B2 takes or refuses it. B2 demands another upload URL after a token that ran out (401), 408, 429, any 5xx and
 * every broken connection: the server behind the old one is full or gone.
 */
export function sendToPlaces(
  deps: StoreDeps,
  sender: B2Sender,
  send: { what: string; signal: AbortSignal; once(place: B2Place): Promise<HttpAnswer> },
): Promise<HttpAnswer> {
  const { what, signal } = send;
  return repeatWhileBusy(deps, { what, signal, url: sender.place?.url ?? '' }, async () => {
    const place = sender.place ?? (await sender.next(signal));
    sender.place = null;
    const answer = await send.once(place);
    if (!isBusyAnswer(answer)) sender.place = place;
    return answer;
  });
}

/** The error when B2 confirms other bytes than were sent. */
export function mangled(what: string): IsgError {
  const message = `B2 did not confirm the SHA-1 of what was sent (${what}); it will be sent again.`;
  return new IsgError('upload-refused', message, { retry: 'transient' });
}
