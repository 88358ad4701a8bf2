import type { AgentCallHandlers } from '../../contract/index.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { RunningNode } from '../operated-node.ts';

type NodeCalls = Pick<
  AgentCallHandlers,
  'node.pause' | 'node.resume' | 'cluster.set-enabled' | 'cluster.drill' | 'logs.send'
>;

/** Orders to this node and to its cluster. */
export function nodeCalls({ node, api }: RunningNode): NodeCalls {
  return {
    'node.pause': async () => {
      await node.setPaused(true);
      return {};
    },
    'node.resume': async () => {
      await node.setPaused(false);
      return {};
    },
    'cluster.drill': () => node.beginDrill(),
    'logs.send': async () => ({ filename: await node.sendLogs() }),
    'cluster.set-enabled': async ({ enabled }) => {
      const { cluster } = node.view().entities;
      if (cluster === null) {
        throw new IsgError(
          'unexpected',
          'This node belongs to no cluster, so there is none to enable or disable. Pause the node instead.',
          { retry: 'permanent' },
        );
      }
      await api.clusters.patch(cluster.id, { enabled });
      await node.rereadEntities();
      return {};
    },
  };
}
