/**
 * How many questions to iconik strangers can cause: pure arithmetic. Each address has a bucket of its own, and all together
 * have one, so that a flood of bad signatures costs a small, fixed part of the request budget. Signatures that were good
 * lately draw on a third one, which strangers cannot empty.
 */

/** A bucket: what is in it, and when it was last looked at (milliseconds, monotonic). */
interface Bucket {
  tokens: number;
  atMs: number;
}

/** State of all buckets. */
export interface QuestionLimits {
  strangers: Bucket;
  known: Bucket;
  /** By address, in the order of the last question that was asked. */
  addresses: ReadonlyMap<string, Bucket>;
}

interface Rate {
  burst: number;
  perSecond: number;
}

/** Of iconik's 50 requests a second at most 2 go to strangers. */
const STRANGERS: Rate = { burst: 20, perSecond: 2 };
const KNOWN: Rate = { burst: 40, perSecond: 4 };
const ADDRESS: Rate = { burst: 10, perSecond: 0.5 };
/** Addresses remembered; the one whose last question is oldest is forgotten first. */
const MAX_ADDRESSES = 1_000;

/** All buckets full. */
export function fullLimits(nowMs: number): QuestionLimits {
  return {
    strangers: { tokens: STRANGERS.burst, atMs: nowMs },
    known: { tokens: KNOWN.burst, atMs: nowMs },
    addresses: new Map(),
  };
}

/**
 * Whether a question may be asked for this address now. `wasGood`: iconik called this very signature good lately. A refusal
 * takes nothing.
 */
export function takeQuestion(
  limits: QuestionLimits,
  ask: { address: string; wasGood: boolean; nowMs: number },
): { allowed: boolean; limits: QuestionLimits } {
  const { nowMs } = ask;
  if (ask.wasGood) {
    const known = refill(limits.known, KNOWN, nowMs);
    const allowed = known.tokens >= 1;
    return { allowed, limits: { ...limits, known: allowed ? taken(known) : known } };
  }
  const strangers = refill(limits.strangers, STRANGERS, nowMs);
  const own = refill(limits.addresses.get(ask.address) ?? { tokens: ADDRESS.burst, atMs: nowMs }, ADDRESS, nowMs);
  // A flood must cost nothing: what is refused is not remembered either.
  if (strangers.tokens < 1 || own.tokens < 1) return { allowed: false, limits: { ...limits, strangers } };
  const addresses = new Map(limits.addresses);
  addresses.delete(ask.address);
  addresses.set(ask.address, taken(own));
  for (const oldest of addresses.keys()) {
    if (addresses.size <= MAX_ADDRESSES) break;
    addresses.delete(oldest);
  }
  return { allowed: true, limits: { ...limits, strangers: taken(strangers), addresses } };
}

function refill(bucket: Bucket, rate: Rate, nowMs: number): Bucket {
  const gained = (Math.max(0, nowMs - bucket.atMs) / 1000) * rate.perSecond;
  return { tokens: Math.min(rate.burst, bucket.tokens + gained), atMs: nowMs };
}

const taken = (bucket: Bucket): Bucket => ({ ...bucket, tokens: bucket.tokens - 1 });

/** What of an address counts as one: whole IPv4 addresses, and the first half of IPv6 ones, which one line may have for itself. */
export function limitedAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (!address.includes(':')) return address;
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - groups.length - behind.length)).fill('0');
  return [...groups, ...zeros, ...behind].slice(0, 4).join(':');
}
