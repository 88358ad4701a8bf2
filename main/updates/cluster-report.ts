import type { AgentHost } from '../agent-host/agent-host.ts';
import type { Log } from '../logging/main-log.ts';
import type { UpdateMemory } from './update-memory.ts';

const CALL_LIMIT_MS = 10_000;

/** Tells the cluster how an update ended; false when it did not hear it, and is to be told again. May be repeated. */
export async function reachedCluster(
  host: Pick<AgentHost, 'call'>,
  report: NonNullable<UpdateMemory['report']>,
  log: Log,
): Promise<boolean> {
  try {
    await host.call('update.end-turn', report, { limitMs: CALL_LIMIT_MS });
    return true;
  } catch (thrown) {
    log.debug('The cluster has not been told of the update yet', { error: thrown });
    return false;
  }
}
