/** Objects nested deeper than this are none of ours; it also ends a walk round a cycle. */
const MAX_DEPTH = 24;
/** What a number, a boolean or an empty place costs. */
const SMALL_BYTES = 8;

/**
 * Whether a value that came through structured clone is plain data of at most `limitBytes`. Strings count as UTF-8. Stops
 * at the limit, so that a hostile value costs no more than an honest one. Maps, sets, dates, buffers and cycles are refused.
 */
export function isPayloadWithin(value: unknown, limitBytes: number): boolean {
  return spend(value, limitBytes, 0) >= 0;
}

/** What is left of the budget; negative when it is overdrawn or the value is not plain. */
function spend(value: unknown, budget: number, depth: number): number {
  if (budget < 0 || depth > MAX_DEPTH) return -1;
  if (typeof value === 'string') return spendText(value, budget);
  if (typeof value !== 'object' || value === null) return budget - SMALL_BYTES;
  let left = budget - SMALL_BYTES;
  if (Array.isArray(value)) {
    for (const item of value) {
      left = spend(item, left, depth + 1);
      if (left < 0) return -1;
    }
    return left;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  for (const [key, item] of Object.entries(value)) {
    left = spend(item, spendText(key, left), depth + 1);
    if (left < 0) return -1;
  }
  return left;
}

function spendText(text: string, budget: number): number {
  // a character takes at least one byte: no need to measure what cannot fit
  return text.length > budget ? -1 : budget - SMALL_BYTES - Buffer.byteLength(text);
}
