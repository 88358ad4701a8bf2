/**
 * Messages of the link over a byte stream (the socket of a system service): each one line of JSON that ends in a line feed.
 * The other end may be anybody's program, so that a line has a longest length before any of it is read as JSON.
 */

/** Longest message that a service reads, bytes: a save of every key with room to spare. */
export const MAX_LINE_TO_AGENT = 1_048_576;
/** Longest message that the desktop application reads, bytes. */
export const MAX_LINE_FROM_AGENT = 33_554_432;

/** Why a stream cannot be read on; its connection is of no more use. */
export type LineProblem = 'too-long' | 'no-json';

const LINE_FEED = 10;

/** The bytes of a message. */
export const encodeLine = (message: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(message)}\n`);

/** Reads messages out of chunks, however they are cut. Holds at most one line of `maxBytes`, and keeps no chunk. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The beginning of a line whose end has not come yet: the first `#length` bytes. Grows by doubling. */
  #held = new Uint8Array(0);
  #length = 0;
  #problem: LineProblem | null = null;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Calls `onMessage` with each message that the chunk completes, until it answers false. Answers null, or what makes the
   * stream unreadable; nothing is read after that.
   */
  push(chunk: Uint8Array, onMessage: (message: unknown) => boolean): LineProblem | null {
    let at = 0;
    while (this.#problem === null && at < chunk.length) {
      const end = chunk.indexOf(LINE_FEED, at);
      const part = chunk.subarray(at, end < 0 ? chunk.length : end);
      at += part.length + 1;
      if (this.#length + part.length > this.#maxBytes) return this.#fail('too-long');
      if (end < 0) {
        this.#hold(part);
        break;
      }
      const message = this.#take(part);
      if (message === undefined) return this.#fail('no-json');
      if (!onMessage(message)) break;
    }
    return this.#problem;
  }

  #fail(problem: LineProblem): LineProblem {
    this.#problem = problem;
    this.#held = new Uint8Array(0);
    return problem;
  }

  #hold(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.min(this.#maxBytes, Math.max(length, 2 * this.#held.length)));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(part, this.#length);
    this.#length = length;
  }

  /** The line that ends with this part as a value; undefined when it is no JSON (which has no undefined). */
  #take(part: Uint8Array): unknown {
    if (this.#length > 0) this.#hold(part);
    const line = this.#length > 0 ? this.#held.subarray(0, this.#length) : part;
    try {
      return JSON.parse(this.#decoder.decode(line)) as unknown;
    } catch {
      // ignored because the caller says what follows from it
      return undefined;
    } finally {
      this.#held = new Uint8Array(0);
      this.#length = 0;
    }
  }
}
