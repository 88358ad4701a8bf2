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

/** Words of the badge. `leadership` null = not known now (agent down, no snapshot yet). */
export function leaderBadgeModel(
  leadership: NodeSnapshot['leadership'] | null,
  history: readonly LeadershipSpan[],
  nowMs: number,
): LeaderBadgeModel {
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
