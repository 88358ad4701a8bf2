/** One call to a storage process, from request to settlement: answers, listings, cancellation, silence. */
import { IsgError } from '../runtime/errors.ts';
import type { DirectoryListing } from './storage-access.ts';
import { type FromProcess, type Operation, operations, type ResultOf } from './storage-messages.ts';
import { createWalkReceiver, type WalkReceiver } from './walk-receiver.ts';

/** How a call is treated on this side. */
export interface CallHandling {
  markerExpected: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: ((doneBytes: number) => void) | undefined;
  /** See `StorageAccess.watch`. */
  onHint?: ((directories: string[]) => void) | undefined;
  onDirectory?: ((listing: DirectoryListing) => Promise<void>) | undefined;
  /** See `WalkOptions.known`. */
  known?: ((directories: string[]) => Promise<(string | null)[]>) | undefined;
  /** Whether the process may be killed when it does not stop after a cancel (it has no other calls). */
  killAfterCancel: boolean;
}

/** What a call does to its process. */
export interface CallLink {
  cancel(): void;
  taken(): void;
  fingerprints(askId: number, fingerprints: (string | null)[]): void;
  /** Waits for leave to move bytes; resolves with how many. */
  takeBytes(bytes: number, signal: AbortSignal): Promise<number>;
  granted(bytes: number): void;
  /** Kills the process because it did not stop. */
  abandon(error: IsgError): void;
}

/** How long a cancelled call may take to stop before it is given up. */
const CANCEL_GRACE_MS = 2_000;

/** The error of a cancelled call: the caller's own reason when it is one of ours. */
export function cancellationError(signal: AbortSignal): IsgError {
  if (signal.reason instanceof IsgError) return signal.reason;
  return new IsgError('cancelled', 'The call was cancelled.', { retry: 'transient', cause: signal.reason });
}

/**
 * One call in flight. `result` settles once; after an abort it settles when the process has confirmed that it stopped, so
 * that a new call may use the same file, or at the latest 2 s later.
 */
export class StorageCall<O extends Operation = Operation> {
  readonly operation: O;
  readonly #handling: CallHandling;
  readonly #link: CallLink;
  readonly #walk: WalkReceiver;
  readonly #settled = Promise.withResolvers<ResultOf<O>>();
  readonly #onAbort = () => this.#stop(this.#handling.signal && cancellationError(this.#handling.signal));
  #silence = 0;
  /** Questions of the process that this side has not answered yet. */
  #asked = 0;
  /** Fires when the call has settled. */
  readonly #over = new AbortController();
  #graceTimer: NodeJS.Timeout | undefined;
  /** Why the call was cancelled on this side; once set, it is what the call rejects with. */
  #failure: { thrown: unknown } | null = null;

  constructor(operation: O, handling: CallHandling, link: CallLink) {
    this.operation = operation;
    this.#handling = handling;
    this.#link = link;
    this.#walk = createWalkReceiver({
      consume: async (listing) => {
        if (!this.#failure) await handling.onDirectory?.(listing);
        this.#silence = 0;
      },
      taken: () => link.taken(),
      failed: (thrown) => this.#stop(thrown),
    });
    handling.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get result(): Promise<ResultOf<O>> {
    return this.#settled.promise;
  }

  /** Takes a message of the process about this call. */
  take(message: Exclude<FromProcess, { kind: 'warning' | 'ready' }>): void {
    this.#silence = 0;
    switch (message.kind) {
      case 'progress':
        if (!this.#failure) this.#handling.onProgress?.(message.doneBytes);
        return;
      case 'listing-part':
        this.#walk.takePart(message);
        return;
      case 'unreadable':
        this.#walk.takeUnreadable(message.path, message.reason);
        return;
      case 'unchanged':
        this.#walk.takeUnchanged(message.directories);
        return;
      case 'hint':
        if (!this.#failure) this.#handling.onHint?.(message.directories);
        return;
      case 'ask-fingerprints':
        void this.#answer(message.askId, message.directories);
        return;
      case 'ask-bytes':
        void this.#grant(message.bytes);
        return;
      case 'error':
        this.reject(errorOf(message));
        return;
      case 'result':
        // A walk is over when its last listing was consumed.
        void this.#walk.drained().then(
          () => this.#resolve(message.result),
          (thrown: unknown) => this.reject(thrown),
        );
        return;
      default:
        message satisfies never;
    }
  }

  reject(error: unknown): void {
    this.#finish();
    this.#settled.reject(this.#failure ? this.#failure.thrown : error);
  }

  /** Counts one step of silence; returns how many in a row there have been. */
  countSilence(): number {
    // Of a watch nothing is expected.
    if (this.operation === 'watch') return 0;
    this.#silence = this.#walk.isBusy() || this.#asked > 0 ? 0 : this.#silence + 1;
    return this.#silence;
  }

  async #answer(askId: number, directories: string[]): Promise<void> {
    this.#asked += 1;
    try {
      const known = await this.#handling.known?.(directories);
      this.#link.fingerprints(askId, known ?? directories.map(() => null));
    } catch (thrown) {
      this.#stop(thrown);
    } finally {
      this.#silence = 0;
      this.#asked -= 1;
    }
  }

  /** While a transfer waits for its turn, its silence is ours. */
  async #grant(bytes: number): Promise<void> {
    this.#asked += 1;
    try {
      this.#link.granted(await this.#link.takeBytes(bytes, this.#over.signal));
    } catch {
      // Ignored because it rejects only when the call is over, and then nobody waits for the answer.
    } finally {
      this.#silence = 0;
      this.#asked -= 1;
    }
  }

  #resolve(result: unknown): void {
    const parsed = operations[this.operation].result.safeParse(result);
    if (!parsed.success) this.reject(unreadableAnswer(this.operation, parsed.error));
    else if (this.#failure) this.reject(this.#failure.thrown);
    else {
      this.#finish();
      this.#settled.resolve(parsed.data as ResultOf<O>);
    }
  }

  #finish(): void {
    clearTimeout(this.#graceTimer);
    this.#over.abort();
    this.#handling.signal?.removeEventListener('abort', this.#onAbort);
  }

  #stop(thrown: unknown): void {
    if (this.#failure) return;
    this.#failure = { thrown };
    this.#link.cancel();
    this.#graceTimer = setTimeout(() => {
      if (this.#handling.killAfterCancel) {
        const message = 'A cancelled call did not stop; its process was killed.';
        this.#link.abandon(new IsgError('storage-hung', message, { retry: 'transient' }));
      }
      this.reject(thrown);
    }, CANCEL_GRACE_MS);
  }
}

function errorOf(message: Extract<FromProcess, { kind: 'error' }>): IsgError {
  return new IsgError(message.code, message.message, { retry: message.retry, fields: message.fields });
}

function unreadableAnswer(operation: Operation, cause: Error): IsgError {
  return new IsgError('unexpected', `A storage process answered ${operation} with something unreadable.`, {
    retry: 'transient',
    cause,
  });
}
