import { createHash } from 'node:crypto';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { fullLimits, limitedAddress, type QuestionLimits, takeQuestion } from './question-limit-state.ts';

/** A signature as a request carries it. */
export interface SignedAs {
  transferId: string;
  userId: string;
  signature: string;
}

/** `busy`: too many questions to iconik for now. */
export type Verdict = 'good' | 'bad' | 'busy';

/** What verdicts need. */
export interface VerdictDeps {
  iconik: Pick<IconikApi, 'transfers'>;
  clock: Clock;
  /** Fires when the listener stops. */
  signal: AbortSignal;
}

/** A withdrawn link works for this long at most. */
const GOOD_FOR_MS = 10_000;
/** A bad signature never becomes good. */
const BAD_FOR_MS = 60_000;
/** How long a signature that was good is preferred to strangers. */
const KNOWN_FOR_MS = 10 * 60_000;
const MAX_REMEMBERED = 2_000;
/** Questions under way at once. */
const MAX_ASKED = 4;
const ASK_TIMEOUT_MS = 10_000;

interface Remembered {
  verdict: 'good' | 'bad';
  atMs: number;
}

/**
 * Asks iconik about signatures and remembers the answers for seconds. Requests with one signature share a question. Signatures
 * are kept as digests only.
 */
export class SignatureVerdicts {
  readonly #deps: VerdictDeps;
  readonly #remembered = new Map<string, Remembered>();
  readonly #asked = new Map<string, Promise<Verdict>>();
  #limits: QuestionLimits;

  constructor(deps: VerdictDeps) {
    this.#deps = deps;
    this.#limits = fullLimits(deps.clock.monotonicMs());
  }

  /** The verdict for a request from `address`. Throws what the call to iconik threw when nothing can be known now. */
  async of(signed: SignedAs, address: string): Promise<Verdict> {
    const key = createHash('sha256')
      .update(JSON.stringify([signed.transferId, signed.userId, signed.signature]))
      .digest('base64');
    const nowMs = this.#deps.clock.monotonicMs();
    const known = this.#remembered.get(key);
    if (known && nowMs - known.atMs < (known.verdict === 'good' ? GOOD_FOR_MS : BAD_FOR_MS)) return known.verdict;
    const asked = this.#asked.get(key);
    if (asked) return await asked;
    const wasGood = known?.verdict === 'good' && nowMs - known.atMs < KNOWN_FOR_MS;
    if (this.#asked.size >= MAX_ASKED || !this.#mayAsk(address, wasGood, nowMs)) return 'busy';
    const question = this.#ask(key, signed);
    this.#asked.set(key, question);
    try {
      return await question;
    } finally {
      this.#asked.delete(key);
    }
  }

  #mayAsk(address: string, wasGood: boolean, nowMs: number): boolean {
    const taken = takeQuestion(this.#limits, { address: limitedAddress(address), wasGood, nowMs });
    this.#limits = taken.limits;
    return taken.allowed;
  }

  async #ask(key: string, signed: SignedAs): Promise<Verdict> {
    const { iconik, clock, signal } = this.#deps;
    // Counted from the sending: what iconik said is true of that moment, not of the answer's arrival.
    const atMs = clock.monotonicMs();
    const limits = { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]) };
    const verdict = (await iconik.transfers.isSignatureGood(signed.transferId, signed, limits)) ? 'good' : 'bad';
    this.#remembered.delete(key);
    this.#remembered.set(key, { verdict, atMs });
    // Bad ones go first: whoever makes up signatures must not push out those that are in use.
    for (const wanted of ['bad', 'good']) {
      for (const [other, { verdict: given }] of this.#remembered) {
        if (this.#remembered.size <= MAX_REMEMBERED) return verdict;
        if (given === wanted) this.#remembered.delete(other);
      }
    }
    return verdict;
  }
}
