import type { FileHandle } from 'node:fs/promises';

/** A line and the offset of its first byte. */
export interface LineAt {
  text: string;
  offset: number;
}

/** Read at a time. */
const CHUNK_BYTES = 64 * 1024;
/** Of a longer line only its end is kept: memory stays bounded whatever somebody wrote into the file. */
const LONGEST_LINE_BYTES = 256 * 1024;
const LINE_FEED = 0x0a;

/**
 * Lines of a file before byte `end`, last line first, without their line ends. Reads chunk by chunk from the back, so that
 * the first lines cost the same in a large file as in a small one. A last line without line end counts as a line.
 */
export async function* readLinesBackwards(file: FileHandle, end: number): AsyncGenerator<LineAt> {
  let position = end;
  /** Bytes from `position` on that belong to a line whose beginning is not read yet. */
  let tail: Buffer = Buffer.alloc(0);
  let isAtEnd = true;
  while (position > 0) {
    const size = Math.min(CHUNK_BYTES, position);
    const chunk = Buffer.alloc(size);
    const { bytesRead } = await file.read(chunk, 0, size, position - size);
    // the file became shorter under us: it was replaced
    if (bytesRead < size) return;
    position -= size;
    let rest: Buffer = Buffer.concat([chunk, tail]);
    for (let feed = rest.lastIndexOf(LINE_FEED); feed >= 0; feed = rest.lastIndexOf(LINE_FEED)) {
      const line = rest.subarray(feed + 1);
      if (line.length > 0 || !isAtEnd) yield { text: decode(line), offset: position + feed + 1 };
      isAtEnd = false;
      rest = rest.subarray(0, feed);
    }
    tail = rest.length > LONGEST_LINE_BYTES ? rest.subarray(rest.length - LONGEST_LINE_BYTES) : rest;
  }
  if (end > 0 && (tail.length > 0 || !isAtEnd)) yield { text: decode(tail), offset: 0 };
}

function decode(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r$/, '');
}
