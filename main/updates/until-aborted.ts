/** What the promise comes to, or the signal's reason when it comes first. The promise's later failure is nobody's. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** The same after `limitMs`; `words` are the failure's. `onLimit` ends what is still under way. */
export async function withinLimit<T>(
  promise: Promise<T>,
  { limitMs, words, onLimit }: { limitMs: number; words: string; onLimit: () => void },
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(new Error(words));
    onLimit();
  }, limitMs);
  return untilAborted(promise, limit.signal).finally(() => clearTimeout(timer));
}
