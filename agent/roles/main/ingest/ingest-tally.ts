// What ingest says of itself: one sentence for each storage and cycle in which something happened, instead of a line for each
// file. A first failure of a kind is said at once by whoever sees it; the others are counted here. Pure.

/** How long is counted before it is said. */
export const TALLY_MS = 5_000;

/** A sentence that is due. */
export interface TallyWord {
  level: 'info' | 'warn';
  message: string;
  fields: { storageId: string; code?: string; files: number };
}

interface StorageTally {
  ingested: number;
  changed: number;
  /** Failures by code, beyond the first of each. */
  more: Map<string, number>;
}

const filesOf = (count: number): string => (count === 1 ? '1 file' : `${count} files`);

/** Counts what becomes of files. No timers: whoever owns it calls `due`. */
export class IngestTally {
  readonly #storages = new Map<string, StorageTally>();
  #sinceMs: number | null = null;

  /** A file has come to its end. */
  ended(storageId: string, end: 'ingested' | 'content-changed', nowMs: number): void {
    const tally = this.#of(storageId, nowMs);
    if (end === 'ingested') tally.ingested += 1;
    else tally.changed += 1;
  }

  /** A file has failed for now. True: the first of its kind in this cycle, to be said now; else it is counted. */
  failed(storageId: string, code: string, nowMs: number): boolean {
    const { more } = this.#of(storageId, nowMs);
    const count = more.get(code);
    more.set(code, count === undefined ? 0 : count + 1);
    return count === undefined;
  }

  /** What is to be said now; `TALLY_MS` after the first thing that is not said yet, or at once at the end. */
  due(nowMs: number, isEnd = false): TallyWord[] {
    if (this.#sinceMs === null || (!isEnd && nowMs - this.#sinceMs < TALLY_MS)) return [];
    const words = [...this.#storages].flatMap(([storageId, tally]) => wordsOf(storageId, tally));
    this.#storages.clear();
    this.#sinceMs = null;
    return words;
  }

  #of(storageId: string, nowMs: number): StorageTally {
    this.#sinceMs ??= nowMs;
    const known = this.#storages.get(storageId);
    if (known) return known;
    const tally = { ingested: 0, changed: 0, more: new Map<string, number>() };
    this.#storages.set(storageId, tally);
    return tally;
  }
}

function wordsOf(storageId: string, { ingested, changed, more }: StorageTally): TallyWord[] {
  const words: TallyWord[] = [];
  if (ingested + changed > 0) {
    const again = changed === 0 ? '' : `; ${filesOf(changed)} changed meanwhile and will be looked at again`;
    const message = `Brought ${filesOf(ingested)} into iconik${again}.`;
    words.push({ level: 'info', message, fields: { storageId, files: ingested } });
  }
  for (const [code, files] of more) {
    if (files === 0) continue;
    const message = `${files} more ${files === 1 ? 'file' : 'files'} could not be ingested yet for the same reason (${code}).`;
    words.push({ level: 'warn', message, fields: { storageId, code, files } });
  }
  return words;
}
