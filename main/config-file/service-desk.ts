import type { LinkAnswer } from '../../agent/contract/index.ts';
import type { TokenPlace } from '../../preload/contract/bridge.ts';
import type { NodeHost } from '../agent-host/node-host.ts';
import type { ConfigDesk } from './config-desk.ts';

type ServiceConfig = LinkAnswer<'service.config-read'>;

/** What of config.ini the window's state shows. */
export interface ConfigStanding {
  path: string;
  status: ServiceConfig['status'];
  problems: string[];
}

/** While a service cannot be asked, nothing is known of its file: neither that it is missing nor that it is wrong. */
export const UNKNOWN_CONFIG: ConfigStanding = { path: '', status: 'ok', problems: [] };

const IN_SERVICE: TokenPlace = {
  place: 'file',
  canUseKeyStore: false,
  why: 'The service runs without anybody logged in, so it keeps the token in its own config.ini, which only it can read.',
};

/** The desk over a file of this user, or over the service's own when a service runs the node. */
export function chooseDesk(host: Pick<NodeHost, 'isService' | 'askService'>, own: ConfigDesk): ConfigDesk {
  return {
    read: async () => {
      if (!host.isService()) return own.read();
      const { path, entries, warnings, waiting, lastGoodMs } = await host.askService('service.config-read', {});
      return { path, entries, warnings, waiting, lastGoodMs, token: IN_SERVICE };
    },
    write: (params) =>
      host.isService()
        ? host.askService('service.config-write', { changes: params.changes, seen: params.seen })
        : own.write(params),
    restore: async () => {
      if (!host.isService()) return own.restore();
      await host.askService('service.config-restore', {});
    },
    noteAgentStart: () => own.noteAgentStart(),
  };
}

/** The standing of a service's config.ini; unknown while it cannot be asked. Never rejects. */
export async function serviceConfig(host: Pick<NodeHost, 'askService'>): Promise<ConfigStanding> {
  try {
    const { path, status, problems } = await host.askService('service.config-read', {});
    return { path, status, problems };
  } catch {
    // ignored because why it cannot be asked stands in the state of the agent
    return UNKNOWN_CONFIG;
  }
}
