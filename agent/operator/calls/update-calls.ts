import type { UpdateTurns } from '../../cluster/update-turn/update-turns.ts';
import type { AgentCallHandlers } from '../../contract/index.ts';
import type { RunningNode } from '../operated-node.ts';
import { leaderRunId } from '../standing.ts';

type UpdateCalls = Pick<AgentCallHandlers, 'update.claim-turn' | 'update.hold-turn' | 'update.end-turn'>;

/** What the desktop application asks before it replaces the program (cluster/update-turn/README.md). */
export function updateCalls({ node, self }: RunningNode, turns: UpdateTurns): UpdateCalls {
  return {
    'update.claim-turn': ({ version, isAsked }) => {
      const view = node.view();
      const others = view.members
        .filter(({ worker_id, alive }) => worker_id !== self.workerId && alive)
        .map((member) => ({ ...member, availability: member.availability_status }));
      const isLeading = leaderRunId(view, self.runId) === self.runId;
      return turns.claim({ version, isAsked, isLeading, others, nodeName: view.entities.gateway.name });
    },
    'update.hold-turn': async ({ turn, isInstalling }) => ({ isHeld: await turns.hold(turn, isInstalling) }),
    'update.end-turn': async ({ turn, outcome, version }) => {
      await turns.end(turn, outcome, { version, nodeName: node.view().entities.gateway.name });
      return {};
    },
  };
}
