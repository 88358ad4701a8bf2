import { failing, type HealthCheck, ok, unknown } from '../health-check.ts';

/** How the client says iconik is. */
export interface IconikHealth {
  status: 'ok' | 'failing' | 'throttled' | 'unknown';
  reason: string;
  remedy: string;
}

/**
 * iconik is well while calls are answered. The client's circuit breaker has its own hysteresis; throttling (429) is no
 * loss. Ordinary traffic feeds it, and the entity poll makes sure that there is some.
 */
export function createIconikCheck(health: () => IconikHealth): HealthCheck {
  return {
    name: 'iconik',
    everyMs: 500,
    timeoutMs: 1_000,
    ask: async () => {
      const { status, reason, remedy } = health();
      if (status === 'ok' || status === 'throttled') return ok('iconik');
      if (status === 'unknown') return unknown('iconik', 'iconik has not answered yet.');
      return failing('iconik', { reason, remedy, certain: true });
    },
  };
}
