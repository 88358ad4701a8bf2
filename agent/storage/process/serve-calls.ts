/** The inside of a storage process: takes requests from the channel, carries them out, answers. */
import { lstat } from 'node:fs/promises';
import type { IsgError } from '../../runtime/errors.ts';
import {
  type FromProcess,
  type Operation,
  operations,
  type ProcessSettings,
  type RequestOf,
  type ResultOf,
  toProcessSchema,
} from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { cancelled } from './cancellation.ts';
import { commitFile } from './commit-file.ts';
import { withEntry } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { classifyFileError, factsOf, systemCode } from './local-filesystem.ts';
import { probeRoot } from './probe-root.ts';
import { readText } from './read-text.ts';
import { removeDirectory, removeFile } from './remove-file.ts';
import { assertRootPresent, placeMarker } from './root-marker.ts';
import { isSpelledOtherwise, mountedLooks } from './spelling.ts';
import { writeText } from './write-text.ts';

type Handlers = { [O in Operation]: (request: RequestOf<O>, context: CallContext) => Promise<ResultOf<O>> };

/** Parts of listings on their way at a time. */
const PART_WINDOW = 8;

/**
 * A process serves one kind of call (README.md) and gets the modules of that kind alone: HTTP, digests and watching would
 * take 25 MB of memory in one that does not use them.
 */
const handlers: Handlers = {
  probe: (request, context) => probeRoot(context, request),
  'place-marker': async (_request, context) => {
    await placeMarker(context.mountPoint, context.storageId);
    return null;
  },
  walk: async (request, context) => (await import('./walk-tree.ts')).walkTree(request, context),
  watch: async (request, context) => (await import('./watch-directories.ts')).watchDirectories(request, context),
  follow: async ({ directories }) => {
    await (await import('./watch-directories.ts')).followDirectories(directories);
    return null;
  },
  stat: async ({ path, spelledExactly }, context) => {
    try {
      const look = (absolute: DiskPath) => lstat(absolute, { bigint: true });
      const facts = factsOf(await withEntry(context.mountPoint, path, look), path);
      return spelledExactly && (await isSpelledOtherwise(path, mountedLooks(context.mountPoint))) ? null : facts;
    } catch (thrown) {
      const code = systemCode(thrown);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw thrown;
      await assertRootPresent(context);
      return null;
    }
  },
  digest: async ({ path, maxBytesPerSecond }, context) =>
    (await import('./digest-file.ts')).digestFile(path, context, maxBytesPerSecond),
  'digest-many': async (request, context) => (await import('./digest-many.ts')).digestMany(request, context),
  'digest-range': async (request, context) => (await import('./digest-range.ts')).digestRange(request, context),
  'read-text': readText,
  'read-part': async (request, context) => (await import('./read-part.ts')).readPart(request, context),
  'send-range': async (request, context) => (await import('./send-range.ts')).sendRange(request, context),
  'receive-file': async (request, context) => {
    await assertRootPresent(context);
    return (await import('./receive-file.ts')).receiveFile(request, context);
  },
  'write-text': async (request, context) => {
    await assertRootPresent(context);
    return writeText(request, context);
  },
  'commit-file': async (request, context) => {
    await assertRootPresent(context);
    return commitFile(context.mountPoint, request);
  },
  'remove-file': async ({ path, expected }, context) => {
    const outcome = await removeFile(context.mountPoint, path, expected);
    if (outcome === 'absent') await assertRootPresent(context);
    return outcome;
  },
  'remove-directory': async ({ path }, context) => {
    const outcome = await removeDirectory(context.mountPoint, path);
    if (outcome === 'absent') await assertRootPresent(context);
    return outcome;
  },
  'place-original': async (request, context) => (await import('./watch-folder.ts')).placeOriginal(request, context),
  'look-for-results': async (request) => (await import('./watch-folder.ts')).lookForResults(request),
  'take-result': async (request, context) => (await import('./watch-folder.ts')).takeResult(request, context),
  'clear-results': async (request) => (await import('./watch-folder.ts')).clearResults(request),
};

async function carryOut<O extends Operation>(
  operation: O,
  request: unknown,
  context: CallContext,
): Promise<ResultOf<O>> {
  const parsed = operations[operation].request.parse(request) as RequestOf<O>;
  return handlers[operation](parsed, context);
}

/** The path an error of an operation is about. */
function subjectOf(request: unknown): string {
  if (typeof request !== 'object' || request === null) return '';
  if ('path' in request && typeof request.path === 'string') return request.path;
  return 'from' in request && typeof request.from === 'string' ? request.from : '';
}

/** Classifies; what is missing is believed missing only when the storage is proven to be there. */
async function explain(thrown: unknown, request: unknown, context: CallContext): Promise<IsgError> {
  const error = classifyFileError(thrown, subjectOf(request));
  if (error.code !== 'file-not-found') return error;
  try {
    await assertRootPresent(context);
    return error;
  } catch (other) {
    return classifyFileError(other, '');
  }
}

function errorMessage(callId: number, error: IsgError): FromProcess {
  const { code, message, retry, fields } = error;
  const known = { kind: 'error' as const, callId, message, retry, fields };
  switch (code) {
    case 'storage-unavailable':
    case 'file-not-found':
    case 'file-changed':
    case 'file-unreadable':
    case 'disk-full':
    case 'outside-storage':
    case 'upload-refused':
    case 'download-refused':
    case 'content-differs':
    case 'cancelled':
      return { ...known, code };
    default:
      return { ...known, code: 'unexpected' };
  }
}

interface OpenCall {
  controller: AbortController;
  taken: () => void;
  answered: (askId: number, fingerprints: (string | null)[]) => void;
  granted: (bytes: number) => void;
}

/**
 * Serves calls until the process ends. `send` gives a message to the agent. Returns the function that takes what the agent
 * sent; a message that does not parse throws, since agent and process are of one version.
 */
export function serveCalls(send: (message: FromProcess) => void): (raw: unknown) => void {
  const calls = new Map<number, OpenCall>();
  let settings: ProcessSettings | null = null;
  let isPaced = false;
  const begin = (message: { callId: number; operation: Operation; request?: unknown; markerExpected: boolean }) => {
    if (!settings) throw new Error('a request came before the settings');
    const { callId, operation, request } = message;
    const { context, call } = openCall(callId, {
      settings,
      markerExpected: message.markerExpected,
      send,
      isPaced: () => isPaced,
    });
    calls.set(callId, call);
    carryOut(operation, request, context)
      .then((result) => send({ kind: 'result', callId, result }))
      .catch(async (thrown: unknown) => send(errorMessage(callId, await explain(thrown, request, context))))
      .finally(() => calls.delete(callId));
  };
  return (raw) => {
    const message = toProcessSchema.parse(raw);
    switch (message.kind) {
      case 'settings':
        settings = message.settings;
        return;
      case 'request':
        begin(message);
        return;
      case 'cancel':
        calls.get(message.callId)?.controller.abort(cancelled());
        return;
      case 'pace':
        isPaced = message.isLimited;
        return;
      case 'granted':
        calls.get(message.callId)?.granted(message.bytes);
        return;
      case 'fingerprints':
        calls.get(message.callId)?.answered(message.askId, message.fingerprints);
        return;
      case 'taken':
        calls.get(message.callId)?.taken();
        return;
      default:
        message satisfies never;
    }
  };
}

/** Messages of progress closer together than this are dropped, except the first after a pause. */
const PROGRESS_EVERY_MS = 100;

/** Questions of a call to the agent, each with its answer. */
function openQuestions(signal: AbortSignal, send: (askId: number, directories: string[]) => void) {
  const waiting = new Map<number, PromiseWithResolvers<(string | null)[]>>();
  let lastAskId = 0;
  const giveUp = () => {
    for (const answer of waiting.values()) answer.reject(cancelled());
  };
  signal.addEventListener('abort', giveUp, { once: true });
  return {
    ask: (directories: string[]): Promise<(string | null)[]> => {
      lastAskId += 1;
      const answer = Promise.withResolvers<(string | null)[]>();
      waiting.set(lastAskId, answer);
      send(lastAskId, directories);
      return answer.promise;
    },
    answered: (askId: number, fingerprints: (string | null)[]): void => {
      waiting.get(askId)?.resolve(fingerprints);
      waiting.delete(askId);
    },
  };
}

/** Leave of the agent to move bytes, one question at a time. */
function openLeave(signal: AbortSignal, send: (bytes: number) => void) {
  let waiting: PromiseWithResolvers<number> | null = null;
  signal.addEventListener('abort', () => waiting?.reject(signal.reason), { once: true });
  return {
    ask: (bytes: number): Promise<number> => {
      if (signal.aborted) return Promise.reject(signal.reason);
      waiting = Promise.withResolvers<number>();
      send(bytes);
      return waiting.promise;
    },
    granted: (bytes: number): void => waiting?.resolve(bytes),
  };
}

function openCall(
  callId: number,
  from: {
    settings: ProcessSettings;
    markerExpected: boolean;
    send: (message: FromProcess) => void;
    isPaced: () => boolean;
  },
): { context: CallContext; call: OpenCall } {
  const controller = new AbortController();
  const { send } = from;
  let room = PART_WINDOW;
  let waiting: (() => void)[] = [];
  let toldAt = Number.NEGATIVE_INFINITY;
  const wake = () => {
    const woken = waiting;
    waiting = [];
    for (const go of woken) go();
  };
  controller.signal.addEventListener('abort', wake, { once: true });
  const takeRoom = async () => {
    while (room === 0 && !controller.signal.aborted) await new Promise<void>((resolve) => waiting.push(resolve));
    room -= 1;
  };
  const questions = openQuestions(controller.signal, (askId, directories) =>
    send({ kind: 'ask-fingerprints', callId, askId, directories }),
  );
  const leave = openLeave(controller.signal, (bytes) => send({ kind: 'ask-bytes', callId, bytes }));
  const context: CallContext = {
    ...from.settings,
    markerExpected: from.markerExpected,
    signal: controller.signal,
    progress(doneBytes) {
      const now = performance.now();
      if (now - toldAt < PROGRESS_EVERY_MS) return;
      toldAt = now;
      send({ kind: 'progress', callId, doneBytes });
    },
    async sendPart(part) {
      await takeRoom();
      send({ kind: 'listing-part', callId, ...part });
    },
    async sendUnchanged(directories) {
      await takeRoom();
      send({ kind: 'unchanged', callId, directories });
    },
    askFingerprints: questions.ask,
    async sendUnreadable(path, reason) {
      await takeRoom();
      send({ kind: 'unreadable', callId, path, reason });
    },
    isPaced: from.isPaced,
    leave: leave.ask,
    sendHint: (directories) => send({ kind: 'hint', callId, directories }),
    warn: (message, fields) => send({ kind: 'warning', message, fields }),
  };
  const taken = () => {
    room += 1;
    wake();
  };
  return { context, call: { controller, taken, answered: questions.answered, granted: leave.granted } };
}
