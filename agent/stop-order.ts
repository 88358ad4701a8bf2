import { EXIT } from './contract/index.ts';
import type { ParentLink } from './link/parent-link.ts';
import type { Logger } from './runtime/logger.ts';

/** The order to stop, wherever it comes from: a signal, the parent's message, or the parent's end. */
export interface StopOrder {
  signal: AbortSignal;
  /** True when the parent is gone: the process ends with its own exit code then. */
  isParentLost(): boolean;
  /** True when a user of a system service asked for a start anew. */
  isRestart(): boolean;
  /** Where to say why the agent stops. */
  announce(log: Logger): void;
}

/** How long an orderly stop may take; then the process ends anyway, and leases lapse. A service manager waits longer. */
export const STOP_LIMIT_MS = 20_000;
/** An agent whose parent is gone must not be found beside the next one. */
const ORPHAN_LIMIT_MS = 2_000;

/** Listens for the order to stop. A second signal ends the process at once. */
export function listenForStop(link: ParentLink | null): StopOrder {
  const stop = new AbortController();
  let log: Logger | null = null;
  let isLost = false;
  let isRestart = false;
  const order = (why: string, limit: { ms: number; code: number }) => {
    log?.info(`Stopping (${why})`);
    setTimeout(() => process.exit(limit.code), limit.ms).unref();
    stop.abort();
  };
  const onSignal = (name: string) => {
    if (stop.signal.aborted) process.exit(isLost ? EXIT.parentLost : EXIT.stopped);
    order(name, { ms: STOP_LIMIT_MS, code: EXIT.stopped });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  link?.onStop((cause) => {
    if (cause === 'restart') {
      isRestart = true;
      return order('asked to start anew', { ms: STOP_LIMIT_MS, code: EXIT.restart });
    }
    if (cause === 'asked') return order('asked by the desktop application', { ms: STOP_LIMIT_MS, code: EXIT.stopped });
    isLost = true;
    order('the desktop application is gone', { ms: ORPHAN_LIMIT_MS, code: EXIT.parentLost });
  });
  return {
    signal: stop.signal,
    isParentLost: () => isLost,
    isRestart: () => isRestart,
    announce: (to) => {
      log = to;
    },
  };
}
