import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { RequestOf } from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { containedEntryMade } from './contained-path.ts';

/**
 * Writes a text into a partial file from `offsetBytes` on; what was there from then on is dropped. Answers the length. Durable
 * with the commit.
 */
export async function writeText(request: RequestOf<'write-text'>, context: CallContext): Promise<number> {
  const { path, text, offsetBytes } = request;
  const { absolute } = await containedEntryMade(context.mountPoint, path);
  const handle = await open(absolute, constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o644);
  try {
    await handle.truncate(offsetBytes);
    const bytes = Buffer.from(text, 'utf8');
    let written = 0;
    while (written < bytes.length) {
      written += (await handle.write(bytes, written, bytes.length - written, offsetBytes + written)).bytesWritten;
    }
    // Elsewhere the commit syncs; Windows syncs only what is open for writing.
    if (process.platform === 'win32') await handle.sync();
    return offsetBytes + written;
  } finally {
    await handle.close();
  }
}
