import { EXIT } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import type { NodeFacts } from './update-model.ts';

/** What the application's state says of the node, for updates. Pure. */
export function nodeFacts(
  { agent, snapshot }: Pick<AppState, 'agent' | 'snapshot'>,
  rest: Pick<NodeFacts, 'nowMs' | 'isInWindow' | 'canInstallAlone'>,
): NodeFacts {
  const isRefused = agent.lastExitCode === EXIT.schemaFailed && agent.state !== 'running';
  const calm = { ...rest, isRefused, jobs: 0, isLeading: false, isPaused: false };
  switch (agent.state) {
    case 'stopped':
      return { ...calm, agent: agent.lastExitCode === EXIT.schemaTooNew ? 'outdated' : 'down' };
    case 'backing-off':
    case 'gave-up-for-now':
      return { ...calm, agent: 'down' };
    // what was true when it was last heard may not be true now
    case 'starting':
    case 'unresponsive':
    case 'stopping':
      return { ...calm, agent: 'unclear' };
    case 'running':
      return snapshot === null ? { ...calm, agent: 'unclear' } : ofSnapshot(snapshot, calm);
  }
}

function ofSnapshot(snapshot: NonNullable<AppState['snapshot']>, calm: Omit<NodeFacts, 'agent'>): NodeFacts {
  switch (snapshot.phase) {
    case 'set-up':
      return { ...calm, agent: 'set-up' };
    case 'waiting-for-iconik':
    case 'waiting-for-database':
      return { ...calm, agent: 'waiting' };
    case 'stopping':
      return { ...calm, agent: 'unclear' };
    case 'running':
      return {
        ...calm,
        agent: 'up',
        jobs: snapshot.running.length,
        isLeading: snapshot.leadership.standing === 'leader',
        isPaused: snapshot.isPaused,
      };
  }
}
