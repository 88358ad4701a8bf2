import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { IsgError } from '../../../runtime/errors.ts';
import type { OfferedFile } from './offered-file.ts';

/** Read at a time; two such pieces are in memory for each request. */
const PIECE_BYTES = 2 * 1024 * 1024;

/**
 * Sends the bytes from `start` to `end` (exclusive) as the body of an answer whose head is written. The next piece is read
 * while the last one is on its way, and only when the receiver has taken it: memory stays small however slow it is. The
 * last piece leaves only after the file was found unchanged, so a complete body is always one of an unchanged file. Throws
 * when the file changes or the storage fails; the body is then incomplete, which the receiver sees.
 */
export async function sendFile(
  response: ServerResponse,
  file: OfferedFile,
  range: { start: number; end: number; signal: AbortSignal },
): Promise<void> {
  const read = (offsetBytes: number) => {
    const lengthBytes = Math.min(PIECE_BYTES, range.end - offsetBytes);
    const expected = { sizeBytes: file.sizeBytes, mtimeNs: file.mtimeNs };
    const piece = file.storage.readPart({ path: file.path, offsetBytes, lengthBytes, expected }, range);
    // Awaited a little later; meanwhile nobody listens.
    piece.catch(() => undefined);
    return piece;
  };
  let next = range.start < range.end ? read(range.start) : null;
  for (let at = range.start; next; ) {
    const piece: Uint8Array = await next;
    at += piece.length;
    next = at < range.end ? read(at) : null;
    range.signal.throwIfAborted();
    if (!response.write(piece)) await once(response, 'drain', { signal: range.signal });
  }
  response.end();
}

/** What is answered when a file cannot be sent. */
export function statusOf(error: IsgError): number {
  switch (error.code) {
    case 'file-changed':
      return 409;
    case 'file-not-found':
    case 'outside-storage':
    case 'file-unreadable':
      return 404;
    default:
      return 503;
  }
}
