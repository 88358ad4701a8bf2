import { WarmConnection, type WarmConnectionOptions } from '../../../db/warm-connection.ts';

/** A connection unused for longer is asked something: one that went silent is found before it is needed. */
const UNUSED_MS = 10_000;

/** Several warm connections; whoever needs one takes the free one that was used least recently. */
export class Lanes {
  readonly #lanes: { connection: WarmConnection; usedMs: number }[];
  readonly #nowMs: () => number;
  readonly #freeListeners: (() => void)[] = [];

  /** Begins to connect. */
  constructor(count: number, options: Omit<WarmConnectionOptions, 'onFree'>, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#lanes = Array.from({ length: count }, () => ({
      connection: new WarmConnection({ ...options, onFree: () => this.#freed() }),
      usedMs: nowMs(),
    }));
  }

  /** Told whenever a connection becomes free. */
  onFree(listener: () => void): void {
    this.#freeListeners.push(listener);
  }

  /** A connection on which a statement is sent at once; null when there is none just now. */
  take(): WarmConnection | null {
    const free = this.#lanes.filter(({ connection }) => connection.isFree()).sort((a, b) => a.usedMs - b.usedMs);
    const [lane] = free;
    if (!lane) return null;
    lane.usedMs = this.#nowMs();
    return lane.connection;
  }

  /** Asks something on connections that were not used for a while; call it now and then. */
  exercise(): void {
    for (const lane of this.#lanes) {
      if (!lane.connection.isFree() || this.#nowMs() - lane.usedMs < UNUSED_MS) continue;
      lane.usedMs = this.#nowMs();
      lane.connection.execute('SELECT 1', []).catch(() => {
        // ignored because a connection that does not answer is replaced by itself
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ connection }) => connection.close()));
  }

  #freed(): void {
    for (const listener of this.#freeListeners) listener();
  }
}
