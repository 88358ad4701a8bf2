/**
 * Walks directories of a storage, several at a time. Nothing that is found stops it: what cannot be read is reported as
 * such and counted. A small storage is listed by this process alone; once a walk proves large, threads join.
 */
import { availableParallelism } from 'node:os';
import { compileSelection } from '../ignore-patterns.ts';
import type { WalkSummary } from '../storage-access.ts';
import type { RequestOf } from '../storage-messages.ts';
import { joinPath, outermostDirectories } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { assertNotCancelled } from './cancellation.ts';
import { containedDirectory } from './contained-path.ts';
import { DirectoryLister, type ListOutcome } from './list-directory.ts';
import { classifyFileError } from './local-filesystem.ts';
import { type BatchOrder, type BatchResult, listBatch } from './walk-batch.ts';
import { WalkQueue } from './walk-queue.ts';
import { WalkThread } from './walk-threads.ts';

/** Entries per message. */
const PART_ENTRIES = 4_096;
/** Synchronous work is interrupted this often for other calls and for a cancel. */
const BREATHE_EVERY_MS = 10;
/** A walk of fewer entries is over before threads have started. */
const THREADS_FROM_ENTRIES = 20_000;
/** More threads than this only wait for each other; more directories at once than threads share them. */
const MAX_THREADS = 4;
/** Directories of one batch; many, because most hold few entries. */
const BATCH_DIRECTORIES = 64;

type ListBatch = (orders: BatchOrder[]) => Promise<BatchResult>;
type Listed = Extract<ListOutcome, { kind: 'listed' }>;

/** Walks as asked; sums at the end. Throws `outside-storage` for a root that leads out of the storage, and `cancelled`. */
export async function walkTree(request: RequestOf<'walk'>, context: CallContext): Promise<WalkSummary> {
  const roots = request.shallow ? request.directories : outermostDirectories(request.directories);
  // Who configured a pattern that does not compile is told by whoever asked (roles/main/scan/pattern-report.ts).
  const { selection } = compileSelection(request, { ignoreCase: process.platform === 'win32' });
  const walk = new Walk(request, context, selection);
  for (const root of roots) await walk.addRoot(root);
  return await walk.run();
}

class Walk {
  readonly #request: RequestOf<'walk'>;
  readonly #context: CallContext;
  readonly #lister: DirectoryLister;
  readonly #queue: WalkQueue;
  readonly #summary: WalkSummary = { files: 0, directories: 0, skipped: 0, unreadable: 0 };
  readonly #control = new Int32Array(new SharedArrayBuffer(4));
  #threads: WalkThread[] = [];
  /** What was listed leaves in this order, so that a directory is always told before those in it. */
  #delivery: Promise<void> = Promise.resolve();
  #breathedAt = performance.now();
  #entries = 0;
  #lastListingId = 0;
  #unnameable = 0;

  constructor(
    request: RequestOf<'walk'>,
    context: CallContext,
    selection: ReturnType<typeof compileSelection>['selection'],
  ) {
    this.#request = request;
    this.#context = context;
    this.#queue = new WalkQueue(request.known ? (paths) => context.askFingerprints(paths) : null);
    const { mountPoint } = context;
    this.#lister = new DirectoryLister({ mountPoint, selection, step: (entries) => this.#breathe(entries) });
  }

  /** A root that leads out of the storage is refused; one that cannot be read is reported like any directory. */
  async addRoot(root: string): Promise<void> {
    try {
      await containedDirectory(this.#context.mountPoint, root);
      this.#queue.add([root]);
    } catch (thrown) {
      const error = classifyFileError(thrown, root);
      if (error.code === 'outside-storage') throw error;
      await this.#reportUnreadable(root, error.message);
    }
  }

  async run(): Promise<WalkSummary> {
    const stop = () => {
      Atomics.store(this.#control, 0, 1);
      this.#queue.close();
    };
    this.#context.signal.addEventListener('abort', stop, { once: true });
    try {
      const { concurrency } = this.#request;
      const own: ListBatch = (orders) => listBatch(this.#lister, orders);
      await this.#all(Array.from({ length: concurrency }, () => this.#hand(own, () => this.#isLarge)));
      if (this.#isLarge && !this.#queue.isDone) await this.#all(this.#startThreads(concurrency));
      await this.#delivery;
      assertNotCancelled(this.#context.signal);
    } catch (thrown) {
      assertNotCancelled(this.#context.signal);
      throw thrown;
    } finally {
      stop();
      for (const thread of this.#threads) thread.end();
      this.#context.signal.removeEventListener('abort', stop);
    }
    if (this.#unnameable > 0) {
      this.#context.warn('names that are not valid UTF-8 were skipped', { count: this.#unnameable });
    }
    return this.#summary;
  }

  get #isLarge(): boolean {
    return this.#entries >= THREADS_FROM_ENTRIES;
  }

  /** Waits for all, also when one fails: nothing of a walk that is over may still go on. */
  async #all(hands: Promise<void>[]): Promise<void> {
    const guarded = hands.map((hand) =>
      hand.catch((thrown: unknown) => {
        Atomics.store(this.#control, 0, 1);
        this.#queue.close();
        throw thrown;
      }),
    );
    const settled = await Promise.allSettled(guarded);
    for (const hand of settled) if (hand.status === 'rejected') throw hand.reason;
  }

  #startThreads(concurrency: number): Promise<void>[] {
    const count = Math.min(concurrency, availableParallelism(), MAX_THREADS);
    const { ignore, include } = this.#request;
    const data = { mountPoint: this.#context.mountPoint, ignore, include, control: this.#control };
    this.#threads = Array.from(
      { length: count },
      () => new WalkThread(data, () => this.#context.progress(this.#summary.files)),
    );
    const hands = Math.max(concurrency, count);
    return Array.from({ length: hands }, (_, index) => {
      const thread = this.#threads[index % count];
      return thread ? this.#hand((orders) => thread.list(orders), null) : Promise.resolve();
    });
  }

  /** Takes batches until nothing is left and nobody may find more, or until `isOver`. */
  async #hand(list: ListBatch, isOver: (() => boolean) | null): Promise<void> {
    let delivered = Promise.resolve();
    while (!isOver?.()) {
      const orders = await this.#queue.take(isOver ? 1 : BATCH_DIRECTORIES, this.#request.concurrency);
      if (orders.length === 0) break;
      try {
        const { outcomes, left } = await list(orders);
        this.#queue.putBack(left);
        // One result of each hand may wait to be sent: that bounds memory and keeps the hand busy.
        await delivered;
        delivered = this.#deliver(outcomes);
        for (const outcome of this.#request.shallow ? [] : outcomes) {
          if (outcome.kind === 'listed') this.#queue.add(outcome.children.map((name) => joinPath(outcome.path, name)));
        }
      } finally {
        this.#queue.finish();
      }
    }
    await delivered;
  }

  #deliver(outcomes: readonly ListOutcome[]): Promise<void> {
    for (const outcome of outcomes) {
      if (outcome.kind === 'listed') this.#count(outcome);
    }
    this.#delivery = this.#delivery.then(() => this.#send(outcomes));
    return this.#delivery;
  }

  #count(outcome: Listed): void {
    this.#summary.directories += 1;
    this.#summary.files += outcome.files;
    this.#summary.skipped += outcome.skipped;
    this.#unnameable += outcome.unnameable;
    this.#entries += outcome.files + outcome.children.length;
  }

  async #send(outcomes: readonly ListOutcome[]): Promise<void> {
    const unchanged: { path: string; others: string[] }[] = [];
    for (const outcome of outcomes) {
      assertNotCancelled(this.#context.signal);
      if (outcome.kind === 'unreadable') await this.#reportUnreadable(outcome.path, outcome.reason);
      else if (outcome.columns === null) unchanged.push({ path: outcome.path, others: outcome.others });
      else {
        // Before the listing, so that nobody takes them for absent when it comes.
        for (const entry of outcome.failed) await this.#reportUnreadable(entry.path, entry.reason);
        await this.#sendListing(outcome, outcome.columns);
      }
    }
    if (unchanged.length > 0) await this.#context.sendUnchanged(unchanged);
  }

  async #reportUnreadable(path: string, reason: string): Promise<void> {
    this.#summary.unreadable += 1;
    await this.#context.sendUnreadable(path, reason);
  }

  /** Sends a listing in parts, each when there is room for it. */
  async #sendListing({ path, fingerprint }: Listed, columns: NonNullable<Listed['columns']>): Promise<void> {
    this.#lastListingId += 1;
    const listingId = this.#lastListingId;
    const count = columns.names.length;
    for (let at = 0; at === 0 || at < count; at += PART_ENTRIES) {
      const end = Math.min(count, at + PART_ENTRIES);
      await this.#context.sendPart({
        listingId,
        path,
        fingerprint,
        names: columns.names.slice(at, end).join('\0'),
        kinds: columns.kinds.slice(at, end),
        sizes: columns.sizes.slice(at, end),
        mtimesNs: columns.mtimesNs.slice(at, end),
        fileIds: columns.fileIds.slice(at, end),
        last: end === count,
      });
      assertNotCancelled(this.#context.signal);
    }
  }

  #breathe(entries: number): Promise<void> | null {
    assertNotCancelled(this.#context.signal);
    if (performance.now() - this.#breathedAt < BREATHE_EVERY_MS) return null;
    this.#context.progress(this.#summary.files + entries);
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#breathedAt = performance.now();
      assertNotCancelled(this.#context.signal);
    });
  }
}
