import { type HealthCheck, ok, warning } from '../health-check.ts';

/** Warns when there is no usable ffmpeg; TRANSCODE jobs are not taken meanwhile. */
export function createFfmpegCheck(find: () => Promise<unknown>): HealthCheck {
  return {
    name: 'ffmpeg',
    everyMs: 60_000,
    // It may be installed while the node runs, and a busy machine may only have been slow to answer.
    retryMs: 5_000,
    timeoutMs: 30_000,
    ask: async () => {
      try {
        await find();
        return ok('ffmpeg');
      } catch (thrown) {
        return warning('ffmpeg', {
          reason: thrown instanceof Error ? thrown.message : 'ffmpeg was not found.',
          remedy: 'Install ffmpeg and ffprobe, or name them by ffmpeg-path and ffprobe-path in config.ini.',
        });
      }
    },
  };
}
