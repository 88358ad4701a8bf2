import type { Clock } from '../../runtime/clock.ts';
import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { Creation } from './create-once.ts';
import { provesNothingCreated } from './refusal.ts';

/** A `create` that does not end at its signal is left behind after this. */
const GRACE_MS = 1000;

/** How a request ended, as far as creating goes. */
export type RequestEnd =
  | { kind: 'answered'; id: string }
  /** Nothing was created: never sent, or refused. */
  | { kind: 'refused'; error: IsgError }
  /** It may have been created, or may yet be. */
  | { kind: 'unknown'; error: IsgError }
  /** `create` ignored its signal; `late` is what comes of it some day. */
  | { kind: 'overdue'; late: Promise<RequestEnd> };

function endOf(sent: Promise<{ id: string }>): Promise<RequestEnd> {
  return sent.then(
    ({ id }) => ({ kind: 'answered', id }),
    (thrown: unknown) => {
      const error = coerceError(thrown);
      return { kind: provesNothingCreated(error) ? 'refused' : 'unknown', error };
    },
  );
}

/** Aborts `call` at the deadline and resolves a little later; rejects when the timer is put out. */
async function overdueAt(untilMs: number, options: { clock: Clock; call: AbortController; timer: AbortSignal }) {
  const { clock, call, timer } = options;
  await clock.sleep(Math.max(0, untilMs - clock.monotonicMs()), timer);
  call.abort(new IsgError('iconik-unreachable', 'iconik did not answer in time.', { retry: 'transient' }));
  await clock.sleep(GRACE_MS, timer);
}

/**
 * Sends the creating request, at most once, and never after `untilMs` (monotonic): the deadline and the caller's right to
 * act are checked synchronously right before. Never throws.
 */
export async function sendCreation(creation: Creation, untilMs: number, clock: Clock): Promise<RequestEnd> {
  const call = new AbortController();
  const timer = new AbortController();
  let ended: Promise<RequestEnd>;
  // From here to the request nothing is awaited: what is checked still holds when it leaves.
  try {
    if (clock.monotonicMs() >= untilMs) {
      throw new IsgError('creation-in-doubt', 'The time for this request was over before it was sent; try again.', {
        retry: 'transient',
        fields: { kind: creation.kind, key: creation.key, retryAfterMs: 0 },
      });
    }
    creation.assertAllowed();
  } catch (thrown) {
    return { kind: 'refused', error: coerceError(thrown) };
  }
  try {
    ended = endOf(creation.create(call.signal));
  } catch (thrown) {
    // Thrown before a promise came back; what was sent until then is unknown.
    return { kind: 'unknown', error: coerceError(thrown) };
  }
  const overdue = overdueAt(untilMs, { clock, call, timer: timer.signal }).then(
    (): RequestEnd => ({ kind: 'overdue', late: ended }),
    // put out below, after the race is over
    () => ended,
  );
  const end = await Promise.race([ended, overdue]);
  timer.abort();
  return end;
}
