import { lstat } from 'node:fs/promises';
import type { RequestOf } from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { openFileInside } from './contained-path.ts';
import { isSameContent } from './local-filesystem.ts';

/** Reads a small file as UTF-8 text; null when it is longer than allowed or changed while it was read. */
export async function readText(request: RequestOf<'read-text'>, context: CallContext): Promise<string | null> {
  const { path, maxBytes } = request;
  const { handle, absolute } = await openFileInside(context.mountPoint, path);
  try {
    const before = await handle.stat({ bigint: true });
    if (before.size > BigInt(maxBytes)) return null;
    const text = await handle.readFile('utf8');
    return isSameContent(await lstat(absolute, { bigint: true }), before) ? text : null;
  } finally {
    await handle.close();
  }
}
