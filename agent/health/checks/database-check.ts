import { failing, type HealthCheck, ok } from '../health-check.ts';

/** The database is well while it confirms our heartbeat; older than `limitMs` is a failure. */
export function createDatabaseCheck(confirmedAgoMs: () => number, limitMs: number): HealthCheck {
  return {
    name: 'database',
    everyMs: 500,
    timeoutMs: 1_000,
    ask: async () => {
      const agoMs = confirmedAgoMs();
      if (agoMs <= limitMs) return ok('database');
      const since = Number.isFinite(agoMs) ? `for ${Math.round(agoMs / 1_000)} s` : 'yet';
      return failing('database', {
        reason: `The cluster database has not answered ${since}.`,
        remedy:
          'Check that PostgreSQL (or pgBouncer) runs and can be reached from this machine; the node reconnects by itself.',
      });
    },
  };
}
