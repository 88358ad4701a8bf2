/**
 * Who of those that wait for a turn goes next, as pure arithmetic: a smooth weighted round. No line is ever passed over
 * for good, whatever the others do.
 */

/**
 * Lines in which requests wait. `vital`: telemetry and the entities this node works by; few, and the reason that people and
 * iconik believe this node alive. `leader`: events, queues, reports. `jobs`: transfers, transcodes, deletions. `bulk`:
 * scan and ingest, which may want thousands at once.
 */
export type RequestLine = 'vital' | 'leader' | 'jobs' | 'bulk';

/** Turns of each line in a round in which all wait. vital outweighs the rest together, so that it waits for two turns at most. */
const WEIGHTS: Readonly<Record<RequestLine, number>> = { vital: 8, leader: 2, jobs: 2, bulk: 1 };

/** All lines. */
export const REQUEST_LINES: readonly RequestLine[] = ['vital', 'leader', 'jobs', 'bulk'];

/** What each line has saved up towards its next turn; 0 while nobody waits in it. */
export type LineCredits = Readonly<Record<RequestLine, number>>;

/** Before the first turn. */
export const NO_CREDITS: LineCredits = { vital: 0, leader: 0, jobs: 0, bulk: 0 };

/** The line whose turn it is among those in which somebody waits; null when nobody does. */
export function nextLine(
  credits: LineCredits,
  waiting: (line: RequestLine) => boolean,
): { line: RequestLine | null; credits: LineCredits } {
  const lines = REQUEST_LINES.filter(waiting);
  const next = { ...NO_CREDITS };
  let sum = 0;
  let best: RequestLine | null = null;
  for (const line of lines) {
    next[line] = credits[line] + WEIGHTS[line];
    sum += WEIGHTS[line];
    if (best === null || next[line] > next[best]) best = line;
  }
  if (best !== null) next[best] -= sum;
  return { line: best, credits: next };
}
