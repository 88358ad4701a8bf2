import { describe, expect, it } from 'vitest';
import { stallWindows } from '../../../agent/stall-windows.ts';

describe('stall-ms', () => {
  it('left out, leaves each kind of work its own window', () => {
    expect(stallWindows(undefined)).toMatchObject({ ffmpeg: {}, upload: {}, storage: {} });
  });

  it('is the window of ffmpeg, uploads and connections, and always shorter than the job’s own', () => {
    for (const stallMs of [10_000, 1_000_000, 3_600_000]) {
      const { ffmpeg, upload, storage, job, transcodeJob } = stallWindows(stallMs);
      expect([ffmpeg.stallMs, upload.stallMs, storage.limits?.httpStallMs]).toEqual([stallMs, stallMs, stallMs]);
      expect(Math.min(job.stallMs, transcodeJob.stallMs)).toBeGreaterThan(stallMs);
    }
  });
});
