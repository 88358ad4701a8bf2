import type { CheckTimes, Report } from './check.ts';
import { type EventOf, type HistoryEvent, pick } from './events.ts';

/** What must hold of the rows of workers, as the database saw them written. */
export function workerRules(events: readonly HistoryEvent[], times: CheckTimes, report: Report): void {
  const beats = new Map<string, EventOf<'row-worker'>>();
  for (const row of pick(events, 'row-worker').toSorted((a, b) => a.order - b.order)) {
    if (row.beat) {
      beats.set(row.run, row);
      continue;
    }
    const beat = beats.get(row.run);
    // A goodbye moves the counter too, so that an `unavailable` without it was written by somebody else.
    if (beat && row.status === 'unavailable' && row.atMs - beat.atMs < times.lapseMs - times.toleranceMs)
      report('status of a living worker is its own', beat, row);
  }
}
