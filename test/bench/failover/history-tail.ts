import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const line = z.object({
  kind: z.string(),
  node: z.string().optional(),
  term: z.number().nullish(),
  accepted: z.boolean().optional(),
  atMs: z.number(),
});

/** A write of a leadership that the fence let through. */
export interface LeaderWrite {
  node: string;
  term: number;
  atMs: number;
}

/** Follows a history file while nodes write it. */
export class HistoryTail {
  readonly #path: string;
  #offset = 0;
  #rest = '';
  /** First accepted write of each term. */
  readonly #first = new Map<number, LeaderWrite>();
  #leaderships = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The first accepted write of the newest term; null before any. */
  newest(): LeaderWrite | null {
    this.#read();
    return [...this.#first.values()].toSorted((a, b) => b.term - a.term)[0] ?? null;
  }

  /** How many leaderships have begun. */
  leaderships(): number {
    this.#read();
    return this.#leaderships;
  }

  /** Waits for the first accepted write of a term above the given one. */
  async firstWriteAbove(term: number, limitMs: number): Promise<LeaderWrite> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      this.#read();
      const found = [...this.#first.values()]
        .filter((write) => write.term > term)
        .toSorted((a, b) => a.atMs - b.atMs)[0];
      if (found) return found;
      if (performance.now() > deadlineMs) throw new Error(`nobody wrote above term ${term} within ${limitMs} ms`);
      await sleep(20);
    }
  }

  #read(): void {
    if (!existsSync(this.#path)) return;
    const file = openSync(this.#path, 'r');
    const buffer = Buffer.alloc(1 << 16);
    for (let count = readSync(file, buffer, 0, buffer.length, this.#offset); count > 0; ) {
      this.#offset += count;
      this.#rest += buffer.toString('utf8', 0, count);
      count = readSync(file, buffer, 0, buffer.length, this.#offset);
    }
    closeSync(file);
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const text of lines) this.#note(text);
  }

  #note(text: string): void {
    if (text.includes('"trust-begun"')) this.#leaderships += 1;
    if (!text.includes('"fenced-write"')) return;
    const { term, accepted, node, atMs } = line.parse(JSON.parse(text));
    if (!accepted || typeof term !== 'number' || node === undefined || this.#first.has(term)) return;
    this.#first.set(term, { node, term, atMs });
  }
}
