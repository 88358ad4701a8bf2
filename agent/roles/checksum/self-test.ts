import { createHash, randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';

const SIZE_BYTES = 1_000_000;

/**
 * Shows that this node can hash: writes a file into the local temp folder and reads its digest the way jobs do. Throws
 * what stands in the way, `unexpected` when the digest is wrong.
 */
export function createChecksumSelfTest(temp: Pick<StorageAccess, 'digest' | 'mountPoint'>) {
  return async (signal: AbortSignal): Promise<void> => {
    // One name: what a killed run left is overwritten, and goes, with the next.
    const name = 'checksum-self-test';
    const path = join(temp.mountPoint, name);
    const content = randomBytes(SIZE_BYTES);
    try {
      await writeFile(path, content, { signal });
      const { md5 } = await temp.digest(name, { signal });
      if (md5 === createHash('md5').update(content).digest('hex')) return;
      throw new IsgError('unexpected', 'This node computes wrong checksums; look at its memory and its disk.', {
        retry: 'transient',
      });
    } finally {
      await rm(path, { force: true });
    }
  };
}
