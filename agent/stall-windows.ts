import type { StorageLimits } from './storage/create-storage-access.ts';

/** How long work may show no progress before it is ended and tried again; what is left out keeps its own default. */
export interface StallWindows {
  /** An ffmpeg; a long clip has longer (the last pass over it reports nothing). */
  ffmpeg: { stallMs?: number };
  /** A send to an object store. */
  upload: { stallMs?: number };
  /** One connection to an object store, of an upload or a download. */
  storage: { limits?: Partial<StorageLimits> };
  /** A job that none of the above has ended. */
  job: { stallMs: number };
  transcodeJob: { stallMs: number };
}

const JOB_MS = 10 * 60_000;
/** Longer than ffmpeg's own window over 24 hours of video, which 20 ms for each second make half an hour. */
const TRANSCODE_JOB_MS = 30 * 60_000;

/** What `stall-ms` of config.ini means for each kind of work. Pure. */
export function stallWindows(stallMs: number | undefined): StallWindows {
  // The inner window ends the work with better words, so it must be the first.
  const atLeast = (ms: number) => ({ stallMs: Math.max(ms, 2 * (stallMs ?? 0)) });
  const jobs = { job: atLeast(JOB_MS), transcodeJob: atLeast(TRANSCODE_JOB_MS) };
  if (stallMs === undefined) return { ffmpeg: {}, upload: {}, storage: {}, ...jobs };
  return {
    ffmpeg: { stallMs },
    upload: { stallMs },
    storage: { limits: { httpStallMs: stallMs } },
    ...jobs,
  };
}
