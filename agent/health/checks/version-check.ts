import { type HealthCheck, ok, warning } from '../health-check.ts';

/** Warns while newer nodes work beside this one, as `newer` has it now. No work depends on it. */
export function createVersionCheck(newer: () => { reason: string; remedy: string } | null): HealthCheck {
  return {
    name: 'version',
    everyMs: 1_000,
    timeoutMs: 1_000,
    ask: async () => {
      const found = newer();
      return found ? warning('version', found) : ok('version');
    },
  };
}
