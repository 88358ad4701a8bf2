import { type FileHandle, lstat } from 'node:fs/promises';
import { IsgError } from '../../runtime/errors.ts';
import type { RequestOf } from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { openFileInside } from './contained-path.ts';
import type { DiskPath } from './disk-path.ts';
import { isAsExpected } from './local-filesystem.ts';

type ReadPart = RequestOf<'read-part'>;

/**
 * Reads a piece of a file into memory. The file is compared with `expected` before and after, so that no piece is ever of a
 * file that changed. Nothing stays open between two pieces: whoever takes them slowly holds no process.
 */
export async function readPart(request: ReadPart, context: CallContext): Promise<Uint8Array<ArrayBuffer>> {
  const { handle, absolute } = await openFileInside(context.mountPoint, request.path);
  try {
    await assertUnchanged(handle, absolute, request);
    if (request.offsetBytes + request.lengthBytes > request.expected.sizeBytes) throw changed(request.path);
    const buffer = Buffer.allocUnsafeSlow(request.lengthBytes);
    for (let got = 0; got < buffer.length; ) {
      const { bytesRead } = await handle.read(buffer, got, buffer.length - got, request.offsetBytes + got);
      if (bytesRead === 0) throw changed(request.path);
      got += bytesRead;
    }
    await assertUnchanged(handle, absolute, request);
    return buffer;
  } finally {
    await handle.close();
  }
}

async function assertUnchanged(handle: FileHandle, absolute: DiskPath, request: ReadPart): Promise<void> {
  const looks = [await handle.stat({ bigint: true }), await lstat(absolute, { bigint: true })];
  if (!looks.every((stats) => isAsExpected(stats, request.expected))) throw changed(request.path);
}

function changed(path: string): IsgError {
  const message = `${JSON.stringify(path)} changed while it was read; what was read of it is void.`;
  return new IsgError('file-changed', message, { retry: 'permanent', fields: { path } });
}
