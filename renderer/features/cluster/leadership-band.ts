import type { LeadershipSpan } from '../../../agent/contract/index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A piece of the band. Places are shares of the 24 hours, 0 = 24 h ago, 1 = now. */
export interface BandPart {
  kind: 'leadership' | 'gap';
  from: number;
  to: number;
  startedMs: number;
  /** Null = goes on. */
  endedMs: number | null;
  /** Null for a gap, in which nobody led. */
  span: LeadershipSpan | null;
}

/** What the band says in one sentence. */
export interface BandSummary {
  leaderships: number;
  /** How long nobody led within the 24 hours, as far as is known. */
  leaderlessMs: number;
}

/**
 * Lays leaderships (newest first) on the last 24 hours, oldest first, with the gaps between and after them. Before the
 * first known leadership nothing is claimed: the cluster may not have existed.
 */
export function leadershipBand(history: readonly LeadershipSpan[], nowMs: number): BandPart[] {
  const startMs = nowMs - DAY_MS;
  const place = (atMs: number) => Math.min(1, Math.max(0, (atMs - startMs) / DAY_MS));
  const parts: BandPart[] = [];
  let doneMs: number | null = null;
  const push = (kind: BandPart['kind'], fromMs: number, toMs: number | null, span: LeadershipSpan | null) => {
    const [from, to] = [place(fromMs), place(toMs ?? nowMs)];
    if (to > from) parts.push({ kind, from, to, startedMs: fromMs, endedMs: toMs, span });
  };
  for (const span of [...history].sort((a, b) => a.term - b.term)) {
    // A term that was taken over has no end of its own: the next one's start is its end.
    if (doneMs !== null && span.startedMs > doneMs) push('gap', doneMs, span.startedMs, null);
    push('leadership', span.startedMs, span.endedMs, span);
    doneMs = span.endedMs ?? nowMs;
  }
  if (doneMs !== null && doneMs < nowMs) push('gap', doneMs, null, null);
  return parts;
}

/** Counts leaderships and the time without one. */
export function summariseBand(parts: readonly BandPart[]): BandSummary {
  const gaps = parts.filter(({ kind }) => kind === 'gap');
  return {
    leaderships: parts.length - gaps.length,
    leaderlessMs: gaps.reduce((sum, { from, to }) => sum + (to - from) * DAY_MS, 0),
  };
}

/** A fill per node, kept while it is in the history; the name stands beside it wherever there is room. */
export function fillsByName(history: readonly LeadershipSpan[]): ReadonlyMap<string, number> {
  const names = [...new Set([...history].sort((a, b) => a.term - b.term).map(({ name }) => name))];
  return new Map(names.map((name, at) => [name, (at % 4) + 1]));
}
