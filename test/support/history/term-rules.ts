import type { Report } from './check.ts';
import { type EventOf, type HistoryEvent, pick } from './events.ts';

/** What must hold of terms and of the writes under them. */
export function termRules(events: readonly HistoryEvent[], report: Report): void {
  oneWriterPerTerm(events, report);
  termsOnlyGrow(events, report);
  noWriteOfAnOldTerm(events, report);
}

function oneWriterPerTerm(events: readonly HistoryEvent[], report: Report): void {
  const writers = new Map<number, HistoryEvent>();
  for (const event of events) {
    const isWrite = (event.kind === 'fenced-write' && event.accepted) || event.kind === 'row-write';
    if (!isWrite) continue;
    const first = writers.get(event.term);
    if (first && first.run !== event.run) report('one writer per term', first, event);
    writers.set(event.term, first ?? event);
  }
}

/** A term is given once, and whoever asks after it was given sees it or a higher one. */
function termsOnlyGrow(events: readonly HistoryEvent[], report: Report): void {
  const given = new Map<number, EventOf<'take-over'>>();
  for (const won of wonTakeOvers(events)) {
    const earlier = given.get(won.term);
    if (earlier) report('terms only grow', earlier, won);
    given.set(won.term, won);
  }
  let order: EventOf<'row-term'> | null = null;
  for (const row of pick(events, 'row-term').toSorted((a, b) => a.order - b.order)) {
    if (order && order.term >= row.term) report('terms only grow', order, row);
    order = row;
  }
  afterAnswers(events, report);
}

// Of two attempts only one that began after the other was answered certainly came after it.
function afterAnswers(events: readonly HistoryEvent[], report: Report): void {
  const answered: { atMs: number; term: number; event: HistoryEvent }[] = [];
  for (const event of events) {
    if (event.kind !== 'take-over' && event.kind !== 'lease-read' && event.kind !== 'renew') continue;
    if (typeof event.term !== 'number' || (event.kind === 'renew' && !event.renewed)) continue;
    const { term, startMs } = event;
    const higher = answered.findLast((earlier) => earlier.atMs < startMs);
    if (higher && higher.term > term) report('terms only grow', higher.event, event);
    const highest = answered.at(-1);
    if (!highest || term > highest.term) answered.push({ atMs: event.atMs, term, event });
  }
}

function wonTakeOvers(events: readonly HistoryEvent[]): (EventOf<'take-over'> & { term: number })[] {
  return pick(events, 'take-over').flatMap((event) =>
    typeof event.term === 'number' ? [{ ...event, term: event.term }] : [],
  );
}

function noWriteOfAnOldTerm(events: readonly HistoryEvent[], report: Report): void {
  const begun = [...wonTakeOvers(events)];
  for (const write of pick(events, 'fenced-write')) {
    if (!write.accepted) continue;
    const newer = begun.find((won) => won.term > write.term && won.atMs <= write.startMs);
    if (newer) report('no write of an old term', newer, write);
  }
  let newest: EventOf<'row-term'> | null = null;
  const rows = events.filter((event) => event.kind === 'row-term' || event.kind === 'row-write');
  for (const row of rows.toSorted((a, b) => a.order - b.order)) {
    if (row.kind === 'row-term') newest = row;
    else if (newest && newest.term > row.term) report('no write of an old term', newest, row);
  }
}
