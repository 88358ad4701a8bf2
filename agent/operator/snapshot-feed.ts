import type { NodeSnapshot } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';

/** What a feed needs. */
export interface SnapshotFeedOptions {
  /** The snapshot of this instant. */
  take: () => NodeSnapshot;
  send: (snapshot: NodeSnapshot) => void;
  clock: Clock;
}

/** How often the facts are compared with what was sent: at most four snapshots a second, a change is out in this time. */
const LOOK_MS = 250;
/** Without any change a snapshot goes out this often, so that views know how fresh what they show is. */
const ANYWAY_MS = 5_000;

/** Sends the snapshot whenever something in it changed. */
export class SnapshotFeed {
  readonly #options: SnapshotFeedOptions;
  readonly #life = new AbortController();
  #sentText = '';
  #sentMs = Number.NEGATIVE_INFINITY;
  #wake: AbortController | null = null;
  #loop: Promise<void> | null = null;

  constructor(options: SnapshotFeedOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#life.signal.aborted) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.#loop;
  }

  /** Looks now and, if something changed, sends at once: for what people must see without delay. */
  hurry(): void {
    this.#wake?.abort();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#life.signal.aborted) {
      this.#look();
      this.#wake = new AbortController();
      await clock.sleep(LOOK_MS, AbortSignal.any([this.#wake.signal, this.#life.signal])).catch(() => {});
    }
    this.#look();
  }

  #look(): void {
    const { take, send, clock } = this.#options;
    const snapshot = take();
    const text = JSON.stringify({ ...snapshot, atMs: 0 });
    const nowMs = clock.monotonicMs();
    if (text === this.#sentText && nowMs - this.#sentMs < ANYWAY_MS) return;
    this.#sentText = text;
    this.#sentMs = nowMs;
    send(snapshot);
  }
}
