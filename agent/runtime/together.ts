import type { Service } from './service.ts';

/**
 * Services that one stop reaches at the same moment: each may take as long to let go as if it were the only one, so that
 * the time an orderly stop may take is not used up by the first of them. They start one after the other.
 */
export class Together implements Service {
  readonly #parts: readonly Service[];

  constructor(parts: readonly Service[]) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    try {
      for (const part of this.#parts) await part.start();
    } catch (thrown) {
      await this.stop().catch(() => {
        // ignored because why the start failed is what has to be told
      });
      throw thrown;
    }
  }

  /** Waits for all of them, and only then throws what the first of those that failed threw. */
  async stop(): Promise<void> {
    const ends = await Promise.allSettled(this.#parts.map((part) => part.stop()));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }
}
