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

/** What is needed of the process that is to stop. */
export interface StoppedProcess {
  on: (signal: 'SIGTERM' | 'SIGINT', listener: (name: string) => void) => unknown;
  exit: (code: number) => void;
}

/**
 * How long an orderly stop may take; then the process ends anyway, and leases lapse. Whoever asks for it (a service manager,
 * the desktop application) waits longer.
 */
export const STOP_LIMIT_MS = 20_000;
/** An agent whose parent is gone must not be found beside the next one. */
const ORPHAN_LIMIT_MS = 2_000;

const THIS_PROCESS: StoppedProcess = {
  on: (name, listener) => process.on(name, listener),
  exit: (code) => process.exit(code),
};

/**
 * Listens for the order to stop. A second signal ends the process at once; the first one after an order of the parent does
 * not, because it asks for what is under way already.
 */
export function listenForStop(
  link: Pick<ParentLink, 'onStop'> | null,
  { on, exit }: StoppedProcess = THIS_PROCESS,
): StopOrder {
  const stop = new AbortController();
  let log: Logger | null = null;
  let isLost = false;
  let isRestart = false;
  let isSignalled = false;
  const order = (why: string, limit: { ms: number; code: number }) => {
    log?.info(`Stopping (${why})`);
    setTimeout(() => exit(limit.code), limit.ms).unref();
    stop.abort();
  };
  const onSignal = (name: string) => {
    if (isLost) return exit(EXIT.parentLost);
    if (isSignalled) return exit(EXIT.stopped);
    isSignalled = true;
    if (stop.signal.aborted) return log?.info(`${name} while stopping: the node goes on to stop in order`);
    order(name, { ms: STOP_LIMIT_MS, code: EXIT.stopped });
  };
  on('SIGTERM', onSignal);
  on('SIGINT', onSignal);
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
