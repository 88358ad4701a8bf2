/** The watch folder of a transcoder, through processes of its own: it may lie on any mount, and that mount may hang. */
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { ProcessLane } from './process-lane.ts';
import type { CallOptions } from './storage-access.ts';
import type { Operation, RequestOf, ResultOf } from './storage-messages.ts';
import { StorageProcess } from './storage-process.ts';

/**
 * A watch folder and what lies in it. Paths are absolute. Errors: `storage-hung`, `storage-unavailable` (transient, with
 * `watchFolder` in their fields), `file-unreadable`, `disk-full`, `file-changed` (transient), and the reason of the signal.
 */
export interface WatchFolderAccess {
  /** Puts an original in, and says how. `kept` = it stood there. */
  placeOriginal(request: RequestOf<'place-original'>, signal: AbortSignal): Promise<ResultOf<'place-original'>>;
  /** The regular files in some folders whose names begin with `prefix`; folders that are not there have none. */
  lookForResults(request: RequestOf<'look-for-results'>, signal: AbortSignal): Promise<ResultOf<'look-for-results'>>;
  /** Copies a result to a place of ours. */
  takeResult(request: RequestOf<'take-result'>, call: CallOptions & { signal: AbortSignal }): Promise<null>;
  /** Removes files, then folders that are empty. What is not there is fine. */
  clearResults(request: RequestOf<'clear-results'>, signal: AbortSignal): Promise<null>;
  /** Ends the processes; calls in progress reject with `stopped`. */
  stop(): Promise<void>;
}

/** What an access is made of. */
export interface WatchFolderAccessOptions {
  /** Absolute path of the folder, as it is named in iconik. */
  folder: string;
  guard: ChildGuard;
  log: Logger;
  /** A call without progress for this long means a hung mount. Default 60 s. */
  stallMs?: number | undefined;
}

const STALL_MS = 60_000;
const IDLE_MS = 30_000;
/** Jobs that look at one watch folder at a time; a look takes milliseconds, a copy longer. */
const MOST_PROCESSES = 2;
const MAX_ABANDONED = 2;
const STOP_WAIT_MS = 1_000;
const HANDLING = { markerExpected: false, killAfterCancel: true };

/** Trouble of the mount, in words that name the folder. */
function ofFolder(folder: string, thrown: unknown): unknown {
  const { code } = coerceError(thrown);
  if (code !== 'storage-hung' && code !== 'storage-unavailable') return thrown;
  return new IsgError(
    code,
    `The watch folder "${folder}" does not answer. Check its mount and the file server; the job looks again.`,
    { retry: 'transient', cause: thrown, fields: { watchFolder: folder } },
  );
}

/** Access to one watch folder. Starts nothing until the first call. */
export function createWatchFolderAccess({ folder, guard, log, stallMs }: WatchFolderAccessOptions): WatchFolderAccess {
  const settings = {
    storageId: `watch folder ${folder}`,
    mountPoint: folder,
    httpsProxy: null,
    extraCa: null,
    httpStallMs: STALL_MS,
  };
  const lane = new ProcessLane({
    maxProcesses: MOST_PROCESSES,
    callsPerProcess: 1,
    idleMs: IDLE_MS,
    maxAbandoned: MAX_ABANDONED,
    start: () => new StorageProcess({ settings, guard, log, stallMs: stallMs ?? STALL_MS }),
  });
  const run = async <O extends Operation>(
    operation: O,
    request: RequestOf<O>,
    signal: AbortSignal,
    onProgress?: CallOptions['onProgress'],
  ) => {
    try {
      return await lane.run(operation, request, { ...HANDLING, signal, onProgress });
    } catch (thrown) {
      signal.throwIfAborted();
      throw ofFolder(folder, thrown);
    }
  };
  return {
    placeOriginal: (request, signal) => run('place-original', request, signal),
    lookForResults: (request, signal) => run('look-for-results', request, signal),
    takeResult: (request, { signal, onProgress }) => run('take-result', request, signal, onProgress),
    clearResults: (request, signal) => run('clear-results', request, signal),
    stop: () => lane.stop(STOP_WAIT_MS),
  };
}

/** Accesses by folder, made when they are first asked for. */
export interface WatchFolders {
  of(folder: string): WatchFolderAccess;
  stop(): Promise<void>;
}

/** The watch folders of a node; transcoders name few of them. */
export function createWatchFolders(options: Omit<WatchFolderAccessOptions, 'folder'>): WatchFolders {
  const known = new Map<string, WatchFolderAccess>();
  return {
    of(folder) {
      const access = known.get(folder) ?? createWatchFolderAccess({ ...options, folder });
      known.set(folder, access);
      return access;
    },
    async stop() {
      await Promise.all([...known.values()].map((access) => access.stop()));
    },
  };
}
