import { isAbsolute } from 'node:path';
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { coerceError, IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Bandwidth } from './bandwidth/bandwidth.ts';
import { digestCalls } from './digest-receiver.ts';
import { ProcessLane } from './process-lane.ts';
import { createRoomPromises } from './room-promises.ts';
import type {
  CallOptions,
  DigestResult,
  ProbeResult,
  StorageAccess,
  WalkOptions,
  WatchOptions,
} from './storage-access.ts';
import type { Operation, RequestOf } from './storage-messages.ts';
import { absolutePathIn } from './storage-path.ts';
import { StorageProcess } from './storage-process.ts';

/** Limits of one storage's processes. */
export interface StorageLimits {
  /** Processes that read whole files, one call each; more calls wait. Default 8. */
  bulkProcesses: number;
  /** A call without progress for this long means a hung mount: its process is killed. Default 60 s. */
  stallMs: number;
  /** A connection to an object store without a byte for this long is given up, whatever `stallMs` is. Default 45 s. */
  httpStallMs: number;
  /** A process for file contents without a call ends after this. Default 30 s. */
  idleMs: number;
}

/** What a storage access is made of. */
export interface StorageAccessOptions {
  storageId: string;
  /** Absolute path of the mount point on this node. */
  mountPoint: string;
  guard: ChildGuard;
  log: Logger;
  limits?: Partial<StorageLimits>;
  /** Proxy for object stores (`https-proxy`); without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment count. */
  httpsProxy?: string | null;
  /** What its transfers may move, with all others of this node; without one there is no limit. */
  bandwidth?: Bandwidth;
  /** Certificates (PEM) of an authority that is trusted for transfers beside the system's. */
  extraCa?: string | null;
}

const DEFAULT_LIMITS: StorageLimits = { bulkProcesses: 8, stallMs: 60_000, httpStallMs: 45_000, idleMs: 30_000 };
/**
 * Processes that send and receive. A transfer waits for the network most of the time, so one process serves many; the second
 * is for the second core (the digest of what is received takes most of one), and a hung call costs half of them at most.
 */
const TRANSFER_PROCESSES = 2;
/** As many as the process has threads for file operations (storage-process.ts): each call has one on its way. */
const TRANSFERS_PER_PROCESS = 16;
/** How a watch and what belongs to it is asked for. */
const ON_WATCHES = { markerExpected: false, killAfterCancel: false };
/** Design section 3: a hung mount may cost two stuck processes, not one per look. */
const MAX_ABANDONED = 2;
/** Processes that read pieces for other gateways. */
const PART_PROCESSES = 2;
/** `stop` waits this long for killed processes to be gone. */
const STOP_WAIT_MS = 1_000;

/** The verdict when no answer came in time: the storage's fault only if the process that asks it was running. */
function lateVerdict(isReady: boolean, timeoutMs: number): { verdict: ProbeResult; error: IsgError } {
  const detail = isReady
    ? `The mount did not answer within ${timeoutMs} ms. Check the file server and the network.`
    : `The process that looks at the storage was not running within ${timeoutMs} ms: this machine is overloaded, or other processes are stuck.`;
  const error = new IsgError(isReady ? 'storage-hung' : 'storage-unavailable', detail, { retry: 'transient' });
  return { verdict: verdictOn(error), error };
}

function hungEntries(): IsgError {
  const words =
    'The storage does not answer: its mount hangs. Check the file server and the network; the call is tried again.';
  return new IsgError('storage-hung', words, { retry: 'transient' });
}

/** The verdict when a probe could not be carried out. */
function verdictOn(thrown: unknown): ProbeResult {
  const error = coerceError(thrown);
  const reason = error.code === 'storage-hung' ? 'hung' : 'unreadable';
  const wasAsked = error.code === 'storage-unavailable' ? { wasAsked: false as const } : {};
  return { kind: 'unreachable', reason, detail: error.message, ...wasAsked };
}

/** Lets what has already arrived be read before a timeout is believed; this process may itself have been frozen. */
async function readWhatArrived(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Probes within `timeoutMs`, or kills the process that does not answer. */
async function probeWithin(
  lane: ProcessLane,
  request: RequestOf<'probe'>,
  limit: { timeoutMs: number; markerExpected: boolean },
): Promise<ProbeResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => void readWhatArrived().then(() => resolve('late')), limit.timeoutMs);
  });
  const waiting = new AbortController();
  const handling = { markerExpected: limit.markerExpected, killAfterCancel: false, signal: waiting.signal };
  try {
    const verdict = await Promise.race([lane.run('probe', request, handling).catch(verdictOn), late]);
    if (verdict !== 'late') return verdict;
    const { verdict: given, error } = lateVerdict(lane.isReady, limit.timeoutMs);
    // One that is still starting is kept for the next probe.
    if (lane.isReady) lane.killAll(error);
    // A probe that was still waiting for a process must not start one now.
    waiting.abort(error);
    return given;
  } finally {
    clearTimeout(timer);
  }
}

function walkRequest({ directories, ignore, include, concurrency, shallow, known }: WalkOptions): RequestOf<'walk'> {
  const lists = { directories: [...directories], ignore: [...ignore], include: [...include] };
  return { ...lists, concurrency, shallow: shallow ?? false, known: known !== undefined };
}

function watchRequest({ directories, ignore, include }: WatchOptions): RequestOf<'watch'> {
  return { directories: [...directories], ignore: [...ignore], include: [...include] };
}

/** Tells each download what others that began before it have still to write. */
function receiveWithinRoom(
  run: (receive: RequestOf<'receive-file'>, call: CallOptions) => Promise<DigestResult>,
): StorageAccess['receiveFile'] {
  const promises = createRoomPromises();
  return (receive, call) =>
    promises.during(receive.sizeBytes, (promisedBytes, onProgress) => {
      const tellBoth = (doneBytes: number) => {
        onProgress(doneBytes);
        call.onProgress?.(doneBytes);
      };
      return run({ ...receive, promisedBytes }, { ...call, onProgress: tellBoth });
    });
}

function assertMountPoint(mountPoint: string): void {
  if (isAbsolute(mountPoint) && !mountPoint.includes('\0')) return;
  throw new IsgError(
    'config-invalid',
    `The mount point ${JSON.stringify(mountPoint)} is not an absolute path; correct it in iconik.`,
    {
      retry: 'permanent',
    },
  );
}

function createLanes(limits: StorageLimits, start: (options?: { outlivesStall: boolean }) => StorageProcess) {
  const { bulkProcesses, idleMs } = limits;
  const single = {
    maxProcesses: 1,
    callsPerProcess: Number.POSITIVE_INFINITY,
    idleMs: null,
    maxAbandoned: MAX_ABANDONED,
    start: () => start(),
  };
  const shared = { maxProcesses: TRANSFER_PROCESSES, callsPerProcess: TRANSFERS_PER_PROCESS, idleMs };
  return {
    probes: new ProcessLane(single),
    entries: new ProcessLane(single),
    // Once it watches nothing, it ends.
    watches: new ProcessLane({ ...single, idleMs, maxAbandoned: 1 }),
    contents: new ProcessLane({ ...single, maxProcesses: bulkProcesses, callsPerProcess: 1, idleMs }),
    // Pieces for other gateways: a transfer holds a process for minutes, and these must not wait that long.
    parts: new ProcessLane({ ...single, maxProcesses: PART_PROCESSES, callsPerProcess: 2, idleMs }),
    transfers: new ProcessLane({ ...single, ...shared, start: () => start({ outlivesStall: true }) }),
  };
}

/**
 * Access to one storage through processes of its own (README.md). Starts nothing until the first call. Throws
 * `config-invalid` when the mount point is not an absolute path.
 */
export function createStorageAccess(options: StorageAccessOptions): StorageAccess {
  const { storageId, mountPoint, guard } = options;
  assertMountPoint(mountPoint);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const log = options.log.child({ storageId });
  const settings = {
    storageId,
    mountPoint,
    httpsProxy: options.httpsProxy ?? null,
    extraCa: options.extraCa ?? null,
    httpStallMs: limits.httpStallMs,
  };
  const { probes, entries, watches, contents, parts, transfers } = createLanes(
    limits,
    (more) =>
      new StorageProcess({ settings, guard, log, stallMs: limits.stallMs, bandwidth: options.bandwidth, ...more }),
  );
  let markerSeen = false;
  const onEntries = <O extends Operation>(operation: O, request: RequestOf<O>) =>
    entries.run(operation, request, { markerExpected: markerSeen, killAfterCancel: false });
  const onContents = <O extends Operation>(operation: O, request: RequestOf<O>, call: CallOptions) =>
    contents.run(operation, request, { ...call, markerExpected: markerSeen, killAfterCancel: true });
  const onTransfers = <O extends Operation>(operation: O, request: RequestOf<O>, call: CallOptions) =>
    transfers.run(operation, request, { ...call, markerExpected: markerSeen, killAfterCancel: true });

  return {
    storageId,
    mountPoint,
    absolutePath: (path) => absolutePathIn(mountPoint, path),
    async probe({ testWrite, timeoutMs }) {
      const verdict = await probeWithin(probes, { testWrite }, { timeoutMs, markerExpected: markerSeen });
      if (verdict.kind === 'reachable' && verdict.marker === 'right') markerSeen = true;
      // Looks and walks wait on the same mount and can only wait for their stall window; a leader that steps down because
      // of this verdict must not wait for them. Contents in flight go on: they may live through a short stall.
      if (verdict.kind === 'unreachable' && verdict.reason === 'hung') entries.killAll(hungEntries());
      return verdict;
    },
    async placeMarker() {
      await onEntries('place-marker', {});
      markerSeen = true;
    },
    walk: (walk, onDirectory, signal) => {
      const { onProgress, known } = walk;
      const heard = { signal, onDirectory, onProgress, known, markerExpected: markerSeen, killAfterCancel: false };
      return entries.run('walk', walkRequest(walk), heard);
    },
    watch: (options, onHint, signal) =>
      watches.run('watch', watchRequest(options), { ...ON_WATCHES, signal, onHint, killAfterCancel: true }),
    follow: (directories) => watches.run('follow', { directories: [...directories] }, ON_WATCHES).then(() => undefined),
    stat: (path, { spelledExactly = false } = {}) => onEntries('stat', { path, spelledExactly }),
    ...digestCalls(onContents),
    digestRange: (range, call) => onContents('digest-range', range, call),
    readText: (path, maxBytes) => onContents('read-text', { path, maxBytes }, {}),
    readPart: (part, { signal }) =>
      parts.run('read-part', part, { signal, markerExpected: markerSeen, killAfterCancel: false }),
    sendRange: (send, call) => onTransfers('send-range', send, call),
    receiveFile: receiveWithinRoom((receive, call) => onTransfers('receive-file', receive, call)),
    writeText: (path, text, offsetBytes) => onContents('write-text', { path, text, offsetBytes }, {}),
    commitFile: (from, to) => onEntries('commit-file', { from, to }),
    removeFile: (path, expected) => onEntries('remove-file', { path, expected }),
    removeDirectory: (path) => onEntries('remove-directory', { path }),
    async stop() {
      await Promise.all([probes, entries, watches, contents, parts, transfers].map((lane) => lane.stop(STOP_WAIT_MS)));
    },
  };
}
