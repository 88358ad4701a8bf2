import type { AgentState } from '../../preload/contract/app-state.ts';

/** Why the agent cannot be asked now, as the beginning of a sentence; null when it can. */
export function agentAbsence(state: AgentState['state'] | undefined): string | null {
  switch (state) {
    case 'running':
      return null;
    case 'starting':
    case undefined:
      return 'The agent is starting';
    case 'stopping':
      return 'The agent is stopping';
    case 'unresponsive':
      return 'The agent does not answer';
    case 'stopped':
    case 'backing-off':
    case 'gave-up-for-now':
      return 'The agent is not running';
  }
}
