import type { CheckTimes, Report } from './check.ts';
import { type EventOf, type HistoryEvent, pick } from './events.ts';

/** A leadership as its own events show it. */
interface Leadership {
  begun: EventOf<'trust-begun'>;
  ended: EventOf<'trust-ended'> | null;
  /** Attempts that were answered as won or renewed, in the order of their answers. */
  confirmed: (EventOf<'take-over'> | EventOf<'renew'>)[];
}

/** A renewal is made only while the main loop has said something within this time. */
const LOOP_SILENCE_MS = 15_000;

/** What must hold of trust windows, of what happens in them, and of the end of a leadership. */
export function trustRules(events: readonly HistoryEvent[], times: CheckTimes, report: Report): void {
  const leaderships = leadershipsOf(events);
  noOverlap(leaderships, times, report);
  noEffectOutside(events, leaderships, times, report);
  releaseAfterWork(events, report);
  renewalWithLoop(events, report);
  for (const wait of pick(events, 'row-lock-wait')) {
    if (wait.waiting === 'renew') report('renewal never waits for a leader write', wait, wait);
  }
}

function leadershipsOf(events: readonly HistoryEvent[]): Leadership[] {
  const found = new Map<string, Leadership>();
  const confirmed = new Map<string, Leadership['confirmed']>();
  const key = (event: { run: string; term?: number | null | undefined }) => `${event.run}/${event.term}`;
  for (const event of events) {
    const isConfirmed = (event.kind === 'renew' && event.renewed) || event.kind === 'take-over';
    if (isConfirmed && typeof event.term === 'number')
      confirmed.set(key(event), [...(confirmed.get(key(event)) ?? []), event]);
    if (event.kind === 'trust-begun') found.set(key(event), { begun: event, ended: null, confirmed: [] });
    const leadership = event.kind === 'trust-ended' ? found.get(key(event)) : undefined;
    if (leadership && event.kind === 'trust-ended') leadership.ended = event;
  }
  for (const [name, leadership] of found) leadership.confirmed = confirmed.get(name) ?? [];
  return [...found.values()];
}

/** Until when what was answered by `atMs` lets this leadership be trusted; from the start of the latest such attempt. */
function trustedUntil({ confirmed }: Leadership, times: CheckTimes, atMs: number): number {
  const starts = confirmed.filter((event) => event.atMs <= atMs).map(({ startMs }) => startMs);
  return Math.max(Number.NEGATIVE_INFINITY, ...starts) + times.ttlMs - times.marginMs;
}

function noOverlap(leaderships: readonly Leadership[], times: CheckTimes, report: Report): void {
  for (const [at, earlier] of leaderships.entries()) {
    const later = leaderships[at + 1];
    if (!later) return;
    const opensMs = later.begun.atMs;
    const isOver = earlier.ended !== null && earlier.ended.atMs <= opensMs;
    if (!isOver && trustedUntil(earlier, times, opensMs) > opensMs) {
      report('no overlapping trust windows', earlier.begun, later.begun);
    }
  }
}

function noEffectOutside(
  events: readonly HistoryEvent[],
  leaderships: readonly Leadership[],
  times: CheckTimes,
  report: Report,
): void {
  const byKey = new Map(
    leaderships.map((leadership) => [`${leadership.begun.run}/${leadership.begun.term}`, leadership]),
  );
  for (const event of events) {
    const isEffect = event.kind === 'effect' || (event.kind === 'trust-asked' && event.passed);
    if (!isEffect) continue;
    const own = byKey.get(`${event.run}/${event.term}`);
    // Without a beginning the leadership was never trusted: the effect contradicts itself.
    if (!own) report('no effect outside a trust window', event, event);
    else if (event.atMs > trustedUntil(own, times, event.atMs) + times.toleranceMs)
      report('no effect outside a trust window', own.confirmed.at(-1) ?? own.begun, event);
    else if (own.ended && event.atMs > own.ended.atMs) report('no effect outside a trust window', own.ended, event);
    const newer = leaderships.find(({ begun }) => begun.term > event.term && begun.atMs < event.atMs);
    if (newer) report('no overlapping trust windows', newer.begun, event);
  }
}

function releaseAfterWork(events: readonly HistoryEvent[], report: Report): void {
  for (const release of pick(events, 'release')) {
    const open = new Map<string, HistoryEvent>();
    for (const event of events) {
      if (event.atMs > release.startMs || event.run !== release.run) continue;
      if (event.kind === 'work-begun') open.set(`${event.term} ${event.work}`, event);
      if (event.kind === 'work-settled') open.delete(`${event.term} ${event.work}`);
    }
    for (const begun of open.values()) {
      if (begun.kind === 'work-begun' && begun.term === release.term)
        report('release only after work has settled', begun, release);
    }
  }
}

/** Applies where a history says that main loops live (`loop-alive`). */
function renewalWithLoop(events: readonly HistoryEvent[], report: Report): void {
  const lastLife = new Map<string, HistoryEvent>();
  for (const event of events) {
    if (event.kind === 'loop-alive' || event.kind === 'trust-begun') lastLife.set(event.run, event);
    if (event.kind !== 'renew' || !event.renewed) continue;
    const life = lastLife.get(event.run);
    if (life && event.startMs - life.atMs > LOOP_SILENCE_MS)
      report('renewal only while the main loop lives', life, event);
  }
}
