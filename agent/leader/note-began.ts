import type { Leadership, LeaderWork } from './leadership.ts';

/**
 * The first work of each leadership: one fenced write that says since when MAIN work goes on. Other work waits for it, so
 * that a leadership whose fence is lost already begins nothing.
 */
export function createNoteBegan(note: (leadership: Leadership) => Promise<void>): LeaderWork {
  return { name: 'begin', goesFirst: true, run: note };
}
