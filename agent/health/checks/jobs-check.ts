import { type HealthCheck, ok, warning } from '../health-check.ts';

/** Warns of what is wrong with the queue, as `troubles` has it now: roles in quarantine, work that nobody takes. */
export function createJobsCheck(troubles: () => readonly { reason: string; remedy: string }[]): HealthCheck {
  return {
    name: 'jobs',
    everyMs: 2_000,
    timeoutMs: 1_000,
    ask: async () => {
      const found = troubles();
      if (found.length === 0) return ok('jobs');
      const remedies = new Set(found.map(({ remedy }) => remedy));
      return warning('jobs', { reason: found.map(({ reason }) => reason).join(' '), remedy: [...remedies].join(' ') });
    },
  };
}
