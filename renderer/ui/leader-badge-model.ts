import type { LeadershipSpan, NodeSnapshot } from '../../agent/contract/index.ts';
import { formatDuration } from './format.ts';

/** Shapes of the leader badge, one per standing (ui brief, frame). */
export type LeaderShape =
  | 'crown-filled'
  | 'crown-outlined'
  | 'crown-crossed'
  | 'gear'
  | 'crown-broken'
  | 'crown-dotted';

/** The badge as shape and words. */
export interface LeaderBadgeModel {
  shape: LeaderShape;
  words: string;
  /** A pulsing border: somebody should look. */
  isAlarming: boolean;
}

/** Since when nobody leads: the end of the newest leadership; null when not known. */
export function leaderlessSinceMs(history: readonly LeadershipSpan[]): number | null {
  return history[0]?.endedMs ?? null;
}

/** What the badge is made of. `leadership` null = not known now (agent down, no snapshot yet). */
export interface LeaderBadgeFacts {
  leadership: NodeSnapshot['leadership'] | null;
  history: readonly LeadershipSpan[];
  /** Whether this node was paused by hand; that alone keeps it from leading, and is worth its own words. */
  isPaused: boolean;
}

/** The badge of a node. Pure. */
export function leaderBadgeModel({ leadership, history, isPaused }: LeaderBadgeFacts, nowMs: number): LeaderBadgeModel {
  const quiet = { isAlarming: false };
  switch (leadership?.standing) {
    case 'leader': {
      const parts = ['Primary'];
      if (leadership.term !== null) parts.push(`term ${leadership.term}`);
      if (leadership.sinceMs !== null) parts.push(formatDuration(nowMs - leadership.sinceMs));
      return { ...quiet, shape: 'crown-filled', words: parts.join(' · ') };
    }
    case 'follower':
      return {
        ...quiet,
        shape: 'crown-outlined',
        words: leadership.leaderName === null ? 'Follower' : `Follower of ${leadership.leaderName}`,
      };
    case 'cannot-lead':
      if (isPaused) return { ...quiet, shape: 'crown-crossed', words: 'Paused by its operator' };
      return {
        ...quiet,
        shape: 'crown-crossed',
        words: leadership.why ? `Cannot lead: ${leadership.why}` : 'Cannot lead',
      };
    case 'worker':
      return { ...quiet, shape: 'gear', words: 'Worker' };
    case 'nobody': {
      const sinceMs = leaderlessSinceMs(history);
      const words = sinceMs === null ? 'No Primary' : `No Primary for ${formatDuration(nowMs - sinceMs)}`;
      return { shape: 'crown-broken', words, isAlarming: true };
    }
    default:
      return { ...quiet, shape: 'crown-dotted', words: 'Leadership unknown' };
  }
}
