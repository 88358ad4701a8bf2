import type { AppState } from '../../preload/contract/app-state.ts';

/** What the tray icon shows, each by a shape of its own (never by colour alone). The names are those of the icon files. */
export const TRAY_ICONS = [
  'starting',
  'leader',
  'follower',
  'worker',
  'degraded',
  'paused',
  'agent-down',
  'duplicate',
  'update-ready',
] as const;
/** What the tray icon shows. */
export type TrayIcon = (typeof TRAY_ICONS)[number];

/** Waiting for iconik or the database is part of a start for this long; then it is a problem. */
const START_GRACE_MS = 15_000;

/**
 * The icon of a state. What keeps this node from working comes first: agent down, start, duplicate, paused, problems; then an
 * update that waits; then how the node stands. `nowMs` is the wall clock. Pure.
 */
export function trayIconOf(state: AppState, nowMs: number): TrayIcon {
  const { agent, snapshot } = state;
  switch (agent.state) {
    case 'stopped':
    case 'backing-off':
    case 'gave-up-for-now':
    case 'unresponsive':
      return 'agent-down';
    case 'starting':
    case 'stopping':
      return 'starting';
    case 'running':
      break;
  }
  switch (snapshot?.phase) {
    case undefined:
    case 'stopping':
      return 'starting';
    case 'set-up':
      return 'degraded';
    case 'waiting-for-iconik':
    case 'waiting-for-database':
      return nowMs - agent.sinceMs < START_GRACE_MS ? 'starting' : 'degraded';
    case 'running':
      return iconWhileRunning(snapshot, state.updateReady);
  }
}

type Snapshot = NonNullable<AppState['snapshot']>;

function iconWhileRunning(snapshot: Snapshot, updateReady: string | null): TrayIcon {
  const { availability } = snapshot.status;
  if (availability === 'duplicate') return 'duplicate';
  if (isResting(snapshot)) return 'paused';
  const { standing } = snapshot.leadership;
  if (standing === 'nobody' || standing === 'cannot-lead' || hasProblem(snapshot)) return 'degraded';
  if (standing === 'unknown') return 'starting';
  return updateReady === null ? standing : 'update-ready';
}

/** Whether the node takes no work because somebody wants it so. */
export function isResting(snapshot: Snapshot): boolean {
  const { availability } = snapshot.status;
  return snapshot.isPaused || availability === 'draining' || availability === 'disabled' || !snapshot.cluster.enabled;
}

function hasProblem(snapshot: Snapshot): boolean {
  const { availability } = snapshot.status;
  return (
    availability === 'degraded' ||
    availability === 'unavailable' ||
    snapshot.checks.some(({ status }) => status === 'failing') ||
    snapshot.cluster.uncoveredRoles.length > 0
  );
}
