import type { FileHandle } from 'node:fs/promises';
import { parseLogLine } from './log-line.ts';

/** Read at a time; what is left when the search ends is read line by line. */
const CHUNK_BYTES = 64 * 1024;
/** The beginning of a line that says whether it begins a record, and when. */
const HEAD_BYTES = 64;
const LINE_FEED = 0x0a;

interface RecordHead {
  offset: number;
  atMs: number;
}

/** Where a file divides. */
export interface SoughtPlace {
  end: number;
  /** Whether a record before `end` is known not to be later; if not, the file before this one may be later at its end, too. */
  isWithin: boolean;
}

/**
 * An offset at which a record begins (or the file ends), such that the records from it on are later than `atMs`: found by
 * halving, in some reads of 64 KB however large the file is. Where the clock was set back it is one of the places that
 * divide so. Up to 64 KB before it may be later, too.
 */
export async function offsetAfter(file: FileHandle, size: number, atMs: number): Promise<SoughtPlace> {
  let low = 0;
  let high = size;
  let end = size;
  while (high - low > CHUNK_BYTES) {
    const middle = low + Math.floor((high - low) / 2);
    const head = await firstRecord(file, middle, high);
    if (head !== null && head.atMs <= atMs) low = head.offset;
    else {
      high = middle;
      end = head?.offset ?? end;
    }
  }
  return { end, isWithin: low > 0 };
}

/** The first record that begins between two offsets; null when none does. */
async function firstRecord(file: FileHandle, from: number, until: number): Promise<RecordHead | null> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let position = from; position < until; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return null;
    const isEnd = bytesRead < CHUNK_BYTES;
    let next = position + bytesRead;
    for (
      let feed = chunk.indexOf(LINE_FEED);
      feed >= 0 && feed < bytesRead;
      feed = chunk.indexOf(LINE_FEED, feed + 1)
    ) {
      const offset = position + feed + 1;
      if (offset >= until) return null;
      if (feed + 1 + HEAD_BYTES > bytesRead && !isEnd) {
        // its head may be cut: the next chunk begins with the line feed before it
        next = position + feed;
        break;
      }
      const head = chunk.toString('latin1', feed + 1, Math.min(bytesRead, feed + 1 + HEAD_BYTES)).split('\n')[0] ?? '';
      const line = parseLogLine(head);
      if (line !== null) return { offset, atMs: line.atMs };
    }
    position = next;
  }
  return null;
}
