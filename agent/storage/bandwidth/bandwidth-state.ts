/**
 * The budget of a node's transfers as a token bucket with a queue. Pure: time comes in as an argument, in milliseconds that
 * never go back. What is granted in any span of `t` seconds is at most `rate × t + capacity(rate)`.
 */

/** A transfer that waits for leave to move bytes; each has at most one ask in the queue, so that turns are fair. */
export interface ByteAsk {
  askId: number;
  bytes: number;
}

/** The bucket and who waits for it. */
export interface BandwidthState {
  tokens: number;
  atMs: number;
  queue: readonly ByteAsk[];
}

/** What may move now, and when to look again; null = nobody waits. */
export interface BandwidthStep {
  state: BandwidthState;
  grants: ByteAsk[];
  waitMs: number | null;
}

const LEAST_SLICE = 8 * 1024;
const MOST_SLICE = 256 * 1024;

/** The most that one turn gives, bytes: a fiftieth of a second's, so that many transfers share a second evenly. */
export function sliceOf(bytesPerSecond: number): number {
  return Math.min(MOST_SLICE, Math.max(LEAST_SLICE, Math.floor(bytesPerSecond / 50)));
}

/** What gathers while nobody asks, bytes: a tenth of a second's, at least one turn. */
export function capacityOf(bytesPerSecond: number): number {
  return Math.max(sliceOf(bytesPerSecond), bytesPerSecond / 10);
}

/** An empty bucket: a node that starts has nothing saved. */
export function emptyBandwidth(nowMs: number): BandwidthState {
  return { tokens: 0, atMs: nowMs, queue: [] };
}

/**
 * Brings the bucket to `nowMs` and serves the queue in order, a slice a turn. `bytesPerSecond` may differ at each call; null
 * lets everything through.
 */
export function serveBandwidth(before: BandwidthState, nowMs: number, bytesPerSecond: number | null): BandwidthStep {
  if (bytesPerSecond === null)
    return { state: { tokens: 0, atMs: nowMs, queue: [] }, grants: [...before.queue], waitMs: null };
  const passedS = Math.max(0, nowMs - before.atMs) / 1000;
  let tokens = Math.min(capacityOf(bytesPerSecond), before.tokens + passedS * bytesPerSecond);
  const slice = sliceOf(bytesPerSecond);
  const queue = [...before.queue];
  const grants: ByteAsk[] = [];
  for (let [next] = queue; next; [next] = queue) {
    const bytes = Math.min(next.bytes, slice);
    if (bytes > tokens) {
      const waitMs = Math.max(1, Math.ceil(((bytes - tokens) / bytesPerSecond) * 1000));
      return { state: { tokens, atMs: nowMs, queue }, grants, waitMs };
    }
    tokens -= bytes;
    grants.push({ askId: next.askId, bytes });
    queue.shift();
  }
  return { state: { tokens, atMs: nowMs, queue }, grants, waitMs: null };
}
