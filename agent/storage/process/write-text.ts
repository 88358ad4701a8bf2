import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { DigestResult } from '../storage-access.ts';
import type { RequestOf } from '../storage-messages.ts';
import type { CallContext } from './call-context.ts';
import { containedEntryMade } from './contained-path.ts';
import { digestFile } from './digest-file.ts';

/** Writes a small text into a partial file, durably, and digests what is then on the disk. Whatever was in it is replaced. */
export async function writeText(request: RequestOf<'write-text'>, context: CallContext): Promise<DigestResult> {
  const { absolute } = await containedEntryMade(context.mountPoint, request.path);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
  const handle = await open(absolute, flags, 0o644);
  try {
    await handle.writeFile(request.text, 'utf8');
    await handle.sync();
  } finally {
    await handle.close();
  }
  return digestFile(request.path, context);
}
