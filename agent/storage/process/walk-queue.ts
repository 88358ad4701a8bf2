/** The directories that a walk still has to list, with what is expected of each. */
import type { BatchOrder } from './walk-batch.ts';

/** Directories whose fingerprints are asked for together; at most as many again wait ready. */
const ASK_DIRECTORIES = 512;

/** Answers the fingerprints that the index holds for directories, in their order. */
export type AskFingerprints = (paths: string[]) => Promise<(string | null)[]>;

/** First in, first out; several hands take from it. Fingerprints are fetched a little ahead of the walk. */
export class WalkQueue {
  readonly #ask: AskFingerprints | null;
  /** In the order found, from `#next` on; not asked for yet. */
  readonly #found: string[] = [];
  #next = 0;
  #ready: BatchOrder[] = [];
  #isAsking = false;
  #active = 0;
  #isClosed = false;
  #failure: { thrown: unknown } | null = null;
  #waiting: (() => void)[] = [];

  constructor(ask: AskFingerprints | null) {
    this.#ask = ask;
  }

  add(paths: readonly string[]): void {
    for (const path of paths) this.#found.push(path);
    this.#advance();
  }

  /** Returns what a hand was given and did not begin. */
  putBack(orders: readonly BatchOrder[]): void {
    if (orders.length > 0) this.#ready.unshift(...orders);
    this.#wake();
  }

  /** Nothing is queued and nobody may find more. */
  get isDone(): boolean {
    return this.#isClosed || (this.#active === 0 && this.#count === 0 && !this.#isAsking);
  }

  /** Ends the waiting of all hands. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /**
   * Takes at most `limit` directories, fewer when `hands` have to share what there is; none = the walk is over. Each take
   * that gave something is ended by `finish`. Throws what the asking threw.
   */
  async take(limit: number, hands: number): Promise<BatchOrder[]> {
    for (;;) {
      if (this.#failure) throw this.#failure.thrown;
      if (this.isDone) return [];
      if (this.#ready.length > 0) {
        const share = Math.ceil(this.#ready.length / hands);
        const orders = this.#ready.splice(0, Math.max(1, Math.min(limit, share)));
        this.#active += 1;
        this.#advance();
        return orders;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The hand has added what it found. */
  finish(): void {
    this.#active -= 1;
    if (this.isDone) this.#wake();
  }

  get #count(): number {
    return this.#ready.length + this.#found.length - this.#next;
  }

  #advance(): void {
    if (this.#isAsking || this.#ready.length >= ASK_DIRECTORIES || this.#next >= this.#found.length) return;
    const paths = this.#found.slice(this.#next, this.#next + ASK_DIRECTORIES);
    this.#next += paths.length;
    // The done part is dropped now and then, so that memory follows the width of the tree.
    if (this.#next > 4_096 && this.#next * 2 > this.#found.length) {
      this.#found.splice(0, this.#next);
      this.#next = 0;
    }
    if (!this.#ask) {
      for (const path of paths) this.#ready.push({ path, expected: null });
      this.#wake();
      return;
    }
    this.#isAsking = true;
    this.#ask(paths).then(
      (known) => {
        for (const [index, path] of paths.entries()) this.#ready.push({ path, expected: known[index] ?? null });
        this.#settle();
      },
      (thrown: unknown) => {
        this.#failure = { thrown };
        this.#settle();
      },
    );
  }

  #settle(): void {
    this.#isAsking = false;
    this.#advance();
    this.#wake();
  }

  #wake(): void {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const go of woken) go();
  }
}
