import type { ConfigStore } from '../../agent/config-file/config-store.ts';
import type { NodeHost } from '../agent-host/node-host.ts';
import { type ConfigStanding, serviceConfig, UNKNOWN_CONFIG } from '../config-file/service-desk.ts';
import type { AppStateStore } from './app-state-store.ts';

/** How config.ini stands: the service's, when one runs the node, else this user's. Never rejects. */
export async function configStanding(host: NodeHost, config: ConfigStore): Promise<ConfigStanding> {
  if (host.isService()) return serviceConfig(host);
  const { status, problems } = await config.check();
  return { path: config.path, status, problems };
}

/** Somebody else may change the service's file, which is not ours to watch. */
const ASK_CONFIG_MS = 5_000;

/** Keeps `AppState.config` true while a service runs the node. Call it at each change of the agent's state. */
export function followServiceConfig(parts: {
  host: NodeHost;
  store: AppStateStore;
  followConfig: () => Promise<void>;
}): {
  (): void;
  stop(): void;
} {
  const { host, store, followConfig } = parts;
  let before = '';
  const follow = () => {
    const { state, service } = store.get().agent;
    const now = `${service?.at ?? 'own'} ${state}`;
    if (now === before) return;
    const wasService = before !== '' && !before.startsWith('own');
    before = now;
    if (service !== undefined && state !== 'running') store.update({ config: UNKNOWN_CONFIG });
    else if (service !== undefined || wasService || store.get().config.path === '') void followConfig();
  };
  const timer = setInterval(() => {
    if (store.get().agent.service?.at !== 'attached' || store.get().agent.state !== 'running') return;
    void serviceConfig(host).then((now) => {
      const { path, status, problems } = store.get().config;
      const isSame = now.path === '' || JSON.stringify(now) === JSON.stringify({ path, status, problems });
      if (!isSame) void followConfig();
    });
  }, ASK_CONFIG_MS);
  return Object.assign(follow, { stop: () => clearInterval(timer) });
}
