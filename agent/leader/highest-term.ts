import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** The highest term this installation ever held, kept over restarts and over databases restored from a backup. */
export interface HighestTerm {
  get(): number;
  /** Durable when it returns; a lower value changes nothing. */
  set(term: number): void;
}

/** Keeps the term in a small file of the data folder. An unreadable file counts as 0: the database still only grows. */
export function openHighestTerm(dataDir: string): HighestTerm {
  const path = join(dataDir, 'highest-term');
  let highest = readNumber(path);
  return {
    get: () => highest,
    set: (term) => {
      if (term <= highest) return;
      highest = term;
      writeDurably(path, `${term}\n`);
    },
  };
}

function readNumber(path: string): number {
  try {
    const value = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isSafeInteger(value) && value > 0 ? value : 0;
  } catch {
    // No such file yet, or one that a crash left half-made: 0 is always safe.
    return 0;
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(`${path}.new`, 'w', 0o640);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}
