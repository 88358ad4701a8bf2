import type { AppState } from '../../preload/contract/app-state.ts';
import type { NodeFacts } from './update-model.ts';

/** What the application's state says of the node, for updates. Pure. */
export function nodeFacts(
  { agent, snapshot }: Pick<AppState, 'agent' | 'snapshot'>,
  rest: Pick<NodeFacts, 'nowMs' | 'isInWindow' | 'canInstallAlone'>,
): NodeFacts {
  const calm = { jobs: 0, isLeading: false, isPaused: false };
  if (agent.state !== 'running' || snapshot === null) return { ...rest, ...calm, agent: 'down' };
  if (snapshot.phase === 'set-up') return { ...rest, ...calm, agent: 'set-up' };
  if (snapshot.phase !== 'running') return { ...rest, ...calm, agent: 'waiting' };
  return {
    ...rest,
    agent: 'up',
    jobs: snapshot.running.length,
    isLeading: snapshot.leadership.standing === 'leader',
    isPaused: snapshot.isPaused,
  };
}
