import { IsgError } from '../../runtime/errors.ts';

/**
 * Statuses by which iconik refuses a request as a whole: nothing was created. Not among them: 408 and 499 (the request
 * may have been read), 423 and 425 (meaning not published for creations), and all of 5xx (may come after the commit).
 */
const REFUSALS = new Set([400, 401, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 417, 422, 426, 428, 429, 431]);
/** Of these even a load balancer's own answer is proof, since it gives them instead of passing the request on. */
const REFUSALS_ON_THE_WAY = new Set([401, 405, 407, 411, 413, 414, 415, 429, 431]);

/**
 * Whether a failed creating request provably created nothing. True only for errors of the iconik client whose `fields`
 * say that the request was never sent, or that it was refused; anything else, also an error nobody classified, is doubt.
 * A refusal that is not iconik's own (say, 403 of a content filter that read the answer) is doubt as well.
 */
export function provesNothingCreated(thrown: unknown): boolean {
  if (!(thrown instanceof IsgError)) return false;
  const { sent, status, fromIconik } = thrown.fields;
  if (sent === false) return true;
  if (typeof status !== 'number') return false;
  return REFUSALS_ON_THE_WAY.has(status) || (REFUSALS.has(status) && fromIconik === true);
}
