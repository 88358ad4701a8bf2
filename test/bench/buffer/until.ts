import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition. Throws when it does not come in time. */
export async function until(condition: () => boolean, withinMs: number): Promise<void> {
  const endsMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > endsMs) throw new Error('the log was not shipped in time');
    await sleep(5);
  }
}
