/**
 * One storage process as the agent sees it: start, calls, stall watch, end. Nothing here touches the storage, so nothing
 * here can hang (README.md).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { nodeProgram } from '../runtime/node-program.ts';
import type { Bandwidth } from './bandwidth/bandwidth.ts';
import { type CallHandling, StorageCall } from './storage-call.ts';
import {
  fromProcessSchema,
  type Operation,
  type ProcessSettings,
  type RequestOf,
  type ResultOf,
  type ToProcess,
} from './storage-messages.ts';

/** What a storage process is started with. */
export interface StorageProcessOptions {
  settings: ProcessSettings;
  guard: ChildGuard;
  log: Logger;
  /** A call without a sign of life for this long means that the storage hangs. */
  stallMs: number;
  /**
   * Of a process with several transfers: one that hangs does not end the others. The process takes no more calls and is
   * killed when they have ended.
   */
  outlivesStall?: boolean;
  /** What its transfers may move, with all others of this node; without one there is no limit. */
  bandwidth?: Bandwidth | undefined;
}

/** Starting takes 0.1 s, some seconds on a starved machine; after this it has failed, whatever the storage does. */
const START_LIMIT_MS = 30_000;
/** A retired process that is still there after this is killed. */
const RETIRE_MS = 2_000;
/** How much of the standard error of a process that died is logged. */
const STDERR_TAIL_CHARACTERS = 2_000;
/** File operations of one process in flight at once: Node's four would make one slow directory delay all others. */
const THREAD_POOL_SIZE = '16';
/** What a walk makes lives for a moment: a small young generation costs nothing and keeps the process small. */
export const STORAGE_PROCESS_ARGV = ['--max-semi-space-size=2', '--heap-growing-percent=20'];
/** The C library otherwise keeps freed memory apart for each of its threads. */
const MALLOC_ARENAS = '2';
/** Warnings remembered so as not to repeat them. */
const MAX_REMEMBERED_WARNINGS = 200;
/** Silence is counted in this many steps, so that a pause of the agent itself (suspend, SIGSTOP) counts as one of them. */
const STALL_STEPS = 4;

/** The entry: TypeScript from source, its bundle beside ours when built. */
function entryPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const entry = `./process/storage-process-main${extension}`;
  return fileURLToPath(new URL(entry, import.meta.url));
}

/** The environment of a storage process. */
export function storageProcessEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return { ...rest, ...nodeProgram().env, UV_THREADPOOL_SIZE: THREAD_POOL_SIZE, MALLOC_ARENA_MAX: MALLOC_ARENAS };
}

function forkProcess(): ChildProcess {
  const node = nodeProgram();
  return fork(entryPath(), [], {
    execPath: node.path,
    execArgv: STORAGE_PROCESS_ARGV,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: storageProcessEnvironment(),
    // Never a directory of a storage, wherever the agent was started.
    cwd: dirname(node.path),
  });
}

function died(how: string): IsgError {
  return new IsgError(
    'storage-unavailable',
    `The process that accesses this storage ended (${how}); the call is tried again.`,
    {
      retry: 'transient',
    },
  );
}

function hung(operation: Operation, stallMs: number): IsgError {
  const seconds = Math.round(stallMs / 1000);
  return new IsgError(
    'storage-hung',
    `The storage has not answered (${operation}) for ${seconds} s: its mount hangs. Check the file server and the network.`,
    { retry: 'transient' },
  );
}

/** One storage process. Constructing starts it and never throws for one that fails to start: its calls reject then. */
export class StorageProcess {
  readonly #options: StorageProcessOptions;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Pick<StorageCall, 'operation' | 'take' | 'reject' | 'countSilence'>>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #stallTimer: NodeJS.Timeout;
  readonly #warned = new Set<string>();
  #lastCallId = 0;
  #isReady = false;
  readonly #startedAt = performance.now();
  #isEnding = false;
  #isCondemned = false;
  #stderrTail = '';

  constructor(options: StorageProcessOptions) {
    this.#options = options;
    const child = forkProcess();
    this.#child = child;
    options.guard.watch(child);
    this.#stallTimer = setInterval(() => this.#watchSilence(), options.stallMs / STALL_STEPS).unref();
    child.on('message', (raw) => this.#receive(raw));
    child.once('exit', (code, signal) => this.#onEnd(signal ?? `exit code ${code}`));
    child.on('error', (error) => {
      // Of a failed start there is no `exit`; of a failed kill or send there will be.
      if (child.pid === undefined) this.#onEnd(error.message);
    });
    child.once('disconnect', () => {
      // Without its channel it ends itself; the signal is for one that cannot.
      if (!this.#isEnding) child.kill('SIGKILL');
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARACTERS);
    });
    this.#send({ kind: 'settings', settings: options.settings });
    this.#followPace(options.bandwidth);
  }

  get callsInFlight(): number {
    return this.#calls.size;
  }

  /** It takes requests; until then its silence says nothing about the storage. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Set once it has been told to end or has died: no call may be given to it. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** The process is gone for the kernel too. Never rejects. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Carries out one operation. Rejects with `storage-unavailable` when the process dies meanwhile. */
  async run<O extends Operation>(operation: O, request: RequestOf<O>, handling: CallHandling): Promise<ResultOf<O>> {
    if (this.#isEnding) throw died('it was already ending');
    this.#lastCallId += 1;
    const callId = this.#lastCallId;
    const call = new StorageCall(operation, handling, {
      cancel: () => this.#send({ kind: 'cancel', callId }),
      taken: () => this.#send({ kind: 'taken', callId }),
      fingerprints: (askId, fingerprints) => this.#send({ kind: 'fingerprints', callId, askId, fingerprints }),
      takeBytes: async (bytes, signal) => (await this.#options.bandwidth?.take(bytes, signal)) ?? bytes,
      granted: (bytes) => this.#send({ kind: 'granted', callId, bytes }),
      abandon: (error) => this.kill(error),
    });
    this.#calls.set(callId, call);
    this.#send({ kind: 'request', callId, operation, request, markerExpected: handling.markerExpected });
    try {
      return await call.result;
    } finally {
      this.#calls.delete(callId);
      if (this.#isCondemned && this.#calls.size === 0) this.kill(died('one of its calls hung'));
    }
  }

  /** Kills it at once; its calls reject with `error`. A process stuck in the kernel stays until its system call returns. */
  kill(error: IsgError): void {
    this.#isEnding = true;
    this.#settleAll(error);
    this.#child.kill('SIGKILL');
    // Abandoned: a process that cannot die must not keep the agent from ending.
    this.#child.stderr?.destroy();
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  /** Lets an idle process end. */
  retire(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearInterval(this.#stallTimer);
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), RETIRE_MS).unref();
    void this.ended.then(() => clearTimeout(timer));
    this.#child.unref();
  }

  #followPace(bandwidth: Bandwidth | undefined): void {
    if (!bandwidth) return;
    const tell = (isLimited: boolean) => this.#send({ kind: 'pace', isLimited });
    const unsubscribe = bandwidth.subscribe(tell);
    void this.ended.then(unsubscribe);
    if (bandwidth.isLimited()) tell(true);
  }

  #send(message: ToProcess): void {
    // A closed channel shows as `exit` or `disconnect`, where the calls are settled.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #receive(raw: unknown): void {
    const parsed = fromProcessSchema.safeParse(raw);
    if (!parsed.success) {
      this.kill(died('it sent a message that cannot be read'));
      return;
    }
    const message = parsed.data;
    if (message.kind === 'ready') this.#isReady = true;
    else if (message.kind === 'warning') this.#warn(message.message, message.fields);
    else this.#calls.get(message.callId)?.take(message);
  }

  /** A scan that comes round every few seconds says the same each time: people are told once. */
  #warn(message: string, fields: Record<string, unknown>): void {
    const said = JSON.stringify([message, fields]);
    const level = this.#warned.has(said) ? 'debug' : 'warn';
    if (this.#warned.size >= MAX_REMEMBERED_WARNINGS) this.#warned.clear();
    this.#warned.add(said);
    this.#options.log[level](message, fields);
  }

  #watchSilence(): void {
    const { log, stallMs, outlivesStall } = this.#options;
    if (!this.#isReady) {
      const isLate = performance.now() - this.#startedAt > START_LIMIT_MS;
      if (isLate) this.kill(died(`it did not start within ${START_LIMIT_MS / 1000} s`));
      return;
    }
    const stalled = [...this.#calls.values()].find((call) => call.countSilence() >= STALL_STEPS);
    if (!stalled) return;
    const { operation } = stalled;
    const others = this.#calls.size - 1;
    log.warn('a storage call showed no progress; its process is killed', { operation, others, pid: this.#child.pid });
    stalled.reject(hung(operation, stallMs));
    if (outlivesStall && others > 0) {
      this.#isEnding = true;
      this.#isCondemned = true;
    } else {
      this.kill(died('another call hung'));
    }
  }

  #settleAll(error: IsgError): void {
    clearInterval(this.#stallTimer);
    for (const call of this.#calls.values()) call.reject(error);
  }

  #onEnd(how: string): void {
    if (!this.#isEnding) {
      const fields = { how, pid: this.#child.pid, stderr: this.#stderrTail };
      this.#options.log.warn('a storage process ended unexpectedly', fields);
    }
    this.#isEnding = true;
    this.#settleAll(died(how));
    this.#ended.resolve();
  }
}
