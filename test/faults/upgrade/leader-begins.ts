import { type HistoryEvent, pick } from '../../support/history/events.ts';

/** Writes nothing but that a leadership has begun. */
const BOOKKEEPING = 'begin';

/** What a leadership did at its begin. */
export interface LeaderBegin {
  term: number;
  /** When its first real work took effect, machine milliseconds: a changing call to iconik, or a fenced write that was accepted. */
  workedMs: number | null;
  /** Work that began more than once in the term: it had failed, and rested for seconds. */
  begunAgain: string[];
}

/**
 * When the MAIN work of each term really went on, by the history that the nodes wrote. The write that notes the begin does
 * not count, nor does anything before other work had begun. Pure.
 */
export function leaderBegins(events: readonly HistoryEvent[]): LeaderBegin[] {
  const begun = pick(events, 'work-begun');
  const effects = [
    ...pick(events, 'effect').map(({ term, atMs }) => ({ term, fromMs: atMs, atMs })),
    ...pick(events, 'fenced-write').flatMap(({ term, startMs, atMs, accepted }) =>
      accepted ? [{ term, fromMs: startMs, atMs }] : [],
    ),
  ];
  return [...new Set(begun.map(({ term }) => term))].map((term) => {
    const names = begun.filter((one) => one.term === term).map(({ work }) => work);
    const realMs = begun.find((one) => one.term === term && one.work !== BOOKKEEPING)?.atMs ?? Number.POSITIVE_INFINITY;
    const worked = effects.filter((one) => one.term === term && one.fromMs >= realMs).map(({ atMs }) => atMs);
    return {
      term,
      workedMs: worked.length === 0 ? null : Math.min(...worked),
      begunAgain: [...new Set(names.filter((name, at) => names.indexOf(name) < at))],
    };
  });
}
