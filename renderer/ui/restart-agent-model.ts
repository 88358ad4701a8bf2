import type { AppState } from '../../preload/contract/app-state.ts';

/**
 * Jobs that a restart of the agent stops: those that it reported last, while its process may still run them. An agent that
 * does not answer may only be slow.
 */
export function jobsAtStake(state: AppState | null): number {
  const mayRun = state?.agent.state === 'running' || state?.agent.state === 'unresponsive';
  return mayRun ? (state.snapshot?.running.length ?? 0) : 0;
}
