import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { IsgError } from '../../runtime/errors.ts';
import type { Ffmpeg } from './ffmpeg/ffmpeg.ts';
import { makeJobTemp, removeJobTemp } from './job-temp.ts';

/** Shows that this node can make proxies: encodes a clip of one second into the temp folder. Throws what stands in the way. */
export function createTranscodeSelfTest(deps: { ffmpeg(): Ffmpeg | null; tempDir: string }) {
  return async (signal: AbortSignal): Promise<void> => {
    const ffmpeg = deps.ffmpeg();
    if (!ffmpeg) throw new IsgError('ffmpeg-missing', 'This node has no usable ffmpeg.', { retry: 'transient' });
    const dir = await makeJobTemp(deps.tempDir, { jobId: 'self-test', leaseToken: randomUUID() });
    try {
      await ffmpeg.makeTestClip(join(dir, 'clip.mp4'), signal);
    } finally {
      await removeJobTemp(dir);
    }
  };
}
