import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { IsgError } from '../../runtime/errors.ts';
import type { RequestOf } from '../storage-messages.ts';
import { nameOf } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { holdDirectoryMade } from './contained-path.ts';

const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Writes a text into a partial file from `offsetBytes` on; what was there from then on is dropped. Answers the length. Durable
 * with the commit.
 */
export async function writeText(request: RequestOf<'write-text'>, context: CallContext): Promise<number> {
  const { path } = request;
  const directory = await holdDirectoryMade(context.mountPoint, path);
  try {
    const absolute = directory.entry(nameOf(path));
    const handle = await open(absolute, WRITE_FLAGS, 0o644);
    return await writeInto(handle, request);
  } finally {
    await directory.close();
  }
}

async function writeInto(handle: FileHandle, { text, offsetBytes }: RequestOf<'write-text'>): Promise<number> {
  try {
    if (!(await handle.stat()).isFile())
      throw new IsgError('file-unreadable', 'The partial file is not a regular file.', { retry: 'permanent' });
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
