import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissingFile } from '../support/app-error.ts';
import { readLinesBackwards } from './lines-backwards.ts';
import { type ParsedLogLine, parseLogLine } from './log-line.ts';
import { offsetAfter } from './seek-instant.ts';

/** Where reading goes on: in the file with this identity, before this byte. */
export interface SourcePosition {
  /** Inode, which a rotated file keeps. */
  file: string;
  offset: number;
}

/** A record. */
export interface SourceRecord {
  line: ParsedLogLine;
  /** Reading from here gives this record first. */
  from: SourcePosition;
}

/** Rotated files are looked for up to this number. */
const MOST_ROTATED = 9;
/** Lines of one record that are kept (a stack trace has some dozens). */
const LONGEST_RECORD_LINES = 200;

/**
 * Records of `<name>.log` and its rotated files, newest first, from a position or from the end. Lines that begin no record
 * belong to the record before them. A position in a file that is gone ends the reading: nothing older is left. Without a
 * position, most of what is later than `toMs` is left out (seek-instant.ts).
 */
export async function* readLogSource(
  folder: string,
  name: string,
  from: SourcePosition | null,
  toMs: number | null = null,
): AsyncGenerator<SourceRecord> {
  /** Whether what comes next may still be later than `toMs`. */
  let isSeeking = from === null && toMs !== null;
  let isFound = from === null;
  /** A file that is rotated while we read comes by again under its next name. */
  const seen = new Set<string>();
  for (let n = 0; n <= MOST_ROTATED; n += 1) {
    const file = await openIfThere(join(folder, n === 0 ? `${name}.log` : `${name}.${n}.log`));
    if (file === null) {
      // while a file is being rotated there is none with the first name
      if (n === 0) continue;
      return;
    }
    try {
      const { ino, size } = await file.stat({ bigint: true });
      const id = ino.toString();
      if (seen.has(id) || (!isFound && id !== from?.file)) continue;
      seen.add(id);
      let end = isFound || from === null ? Number(size) : Math.min(from.offset, Number(size));
      if (isSeeking && toMs !== null) {
        const sought = await offsetAfter(file, end, toMs);
        end = sought.end;
        isSeeking = !sought.isWithin;
      }
      isFound = true;
      yield* recordsBackwards(file, id, end);
    } finally {
      await file.close();
    }
  }
}

async function* recordsBackwards(file: FileHandle, id: string, end: number): AsyncGenerator<SourceRecord> {
  let following: string[] = [];
  let recordEnd = end;
  for await (const { text, offset } of readLinesBackwards(file, end)) {
    const line = parseLogLine(text);
    if (line === null) {
      if (text.trim() !== '') following.unshift(text);
      if (following.length > LONGEST_RECORD_LINES) following.pop();
      continue;
    }
    const message = following.length === 0 ? line.message : [line.message, ...following].join('\n');
    following = [];
    yield {
      line: { ...line, message },
      from: { file: id, offset: recordEnd },
    };
    recordEnd = offset;
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (thrown) {
    if (isMissingFile(thrown)) return null;
    throw thrown;
  }
}
