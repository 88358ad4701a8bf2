import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isLong } from './long-version.ts';

/** Linux keeps files in memory here. */
export const IN_MEMORY = '/dev/shm';
/** A run's files, databases and their journal take less than a tenth of it; the long versions write more. */
const MEMORY_BYTES = isLong ? 16_000_000_000 : 8_000_000_000;

/**
 * Where tests put what they write: in memory where there is plenty, because no test is about the disk, and making and removing
 * a database or some thousand files for each test costs a multiple of the processor time on one.
 */
export function quickTemporaryFolder(): string {
  if (process.platform !== 'linux') return tmpdir();
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return bavail * bsize >= MEMORY_BYTES ? IN_MEMORY : tmpdir();
  } catch {
    // there is no such place on this system
    return tmpdir();
  }
}
