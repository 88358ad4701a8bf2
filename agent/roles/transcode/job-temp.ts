import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Only folders named so are ever removed: the temp folder may be shared with other work. */
const PREFIX = 'transcode-';

/** Makes the folder of one attempt. The lease token in its name keeps two attempts of a job apart. */
export async function makeJobTemp(tempDir: string, job: { jobId: string; leaseToken: string }): Promise<string> {
  const name = `${PREFIX}${job.jobId}-${job.leaseToken}`.replace(/[^\w-]/g, '_');
  const dir = join(tempDir, name);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  return dir;
}

/** Removes the folder of an attempt. */
export async function removeJobTemp(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes what dead runs left; call before the first job starts. A folder that is not there is fine. */
export async function cleanTemp(tempDir: string): Promise<void> {
  const names = await readdir(tempDir).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return [];
    throw thrown;
  });
  for (const name of names.filter((entry) => entry.startsWith(PREFIX))) await removeJobTemp(join(tempDir, name));
}
