import { ConfigFileError } from '../../config-file/config-file-error.ts';
import { type ConfigStore, createConfigStore } from '../../config-file/config-store.ts';
import { type ServiceCallHandlers, serviceChangeProblems, waitingKeys } from '../../contract/index.ts';
import { IsgError } from '../../runtime/errors.ts';

/** What the service's own calls work on. */
export interface ServiceCallParts {
  configPath: string;
  /** Ends the agent in order, to be started anew. */
  restart: () => void;
}

/** The answer must be out before the agent begins to stop. */
const RESTART_AFTER_MS = 100;

/** Calls of an agent that runs as a system service: its start anew, and its config.ini, which nobody else may write. */
export function serviceCalls({ configPath, restart }: ServiceCallParts): ServiceCallHandlers {
  const store = createConfigStore(configPath);
  // Read at once: what the agent starts with.
  const known = store.readValues();
  return {
    'service.restart': async () => {
      setTimeout(restart, RESTART_AFTER_MS);
      return {};
    },
    'service.config-read': () => inWords(() => readConfig(store, known)),
    'service.config-write': ({ changes, seen }) =>
      inWords(() => store.write(changes, seen, (now) => serviceChangeProblems(changes, now))),
    'service.config-restore': () =>
      inWords(async () => {
        await store.restore();
        return {};
      }),
  };
}

async function readConfig(store: ConfigStore, known: Promise<ReadonlyMap<string, string>>) {
  const [entries, judged, values] = await Promise.all([store.readEntries(), store.check(), store.readValues()]);
  return {
    path: store.path,
    ...judged,
    entries,
    waiting: judged.status === 'ok' ? waitingKeys(await known, values) : [],
    lastGoodMs: judged.status === 'ok' ? null : await store.lastGoodMs(),
  };
}

async function inWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof ConfigFileError)) throw thrown;
    throw new IsgError('config-invalid', thrown.message, { retry: thrown.retry, cause: thrown });
  }
}
