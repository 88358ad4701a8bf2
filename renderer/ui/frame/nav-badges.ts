import type { AppState } from '../../../preload/contract/app-state.ts';
import { freshness, isBelievable } from '../../state/freshness.ts';
import type { ScreenId } from '../../state/route.ts';
import { findingsOf } from '../findings/findings.ts';

/** How many problems a screen has to show; screens without problems are absent. */
export type NavBadges = Partial<Record<ScreenId, number>>;

function clusterProblems(snapshot: NonNullable<AppState['snapshot']>): number {
  const { members, uncoveredRoles } = snapshot.cluster;
  const bad = members.filter(
    ({ availability, isAlive }) => !isAlive || availability === 'degraded' || availability === 'duplicate',
  );
  return bad.length + uncoveredRoles.length + (snapshot.leadership.standing === 'nobody' ? 1 : 0);
}

const storageProblems = (snapshot: NonNullable<AppState['snapshot']>): number =>
  snapshot.storages.filter(
    ({ health, files, problem }) =>
      health.status === 'failing' || health.status === 'warning' || (files.faulty ?? 0) > 0 || problem !== null,
  ).length;

/** Counts of problems, for the navigation. A disabled cluster has none of its own: it was ordered so. */
export function navBadges(state: AppState, nowMs: number): NavBadges {
  const { snapshot } = state;
  const counts: NavBadges = {
    settings: state.config.status === 'invalid' ? state.config.problems.length : 0,
    diagnostics: findingsOf(state, nowMs).filter(({ severity }) => severity !== 'note').length,
  };
  if (snapshot !== null && isBelievable(freshness(state, nowMs)) && snapshot.phase === 'running') {
    if (snapshot.cluster.enabled) counts.cluster = clusterProblems(snapshot);
    counts.storages = storageProblems(snapshot);
    counts.jobs = snapshot.cluster.failedJobs;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
