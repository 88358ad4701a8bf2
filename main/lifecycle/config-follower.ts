import type { ConfigStanding } from '../config-file/service-desk.ts';
import type { Log } from '../logging/main-log.ts';
import type { AppStateStore } from './app-state-store.ts';

/** What a change of config.ini does to the agent. */
export interface ConfigReactions {
  /** An agent that could not run because of the file is tried again; a running one is left alone. */
  configChanged(): void;
  /** The agent ran without configuration (set-up) and has one now. */
  restart(): void;
}

/** Keeps `AppState.config` true. The returned function reads the file now, and tells the agent's host of a change. */
export function createConfigFollower(options: {
  /** How the file stands now: this user's, or the service's. */
  standing: () => Promise<ConfigStanding>;
  store: AppStateStore;
  host: ConfigReactions;
  log: Log;
}): () => Promise<void> {
  const { standing, store, host, log } = options;
  const follow = async () => {
    const before = store.get().config;
    const config = await standing();
    const { status, problems } = config;
    store.update({ config });
    log.info('config.ini was changed', { status, problems });
    if (before.status === 'absent' && before.path === config.path && status === 'ok') host.restart();
    else host.configChanged();
  };
  let last = Promise.resolve();
  // one after the other: our own write and the watch of the file may call at the same time
  return () => {
    last = last.then(follow);
    return last;
  };
}
