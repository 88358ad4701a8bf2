import { type HealthCheck, ok, warning } from '../health-check.ts';

/** Warns when transcoding is this node's role but ffmpeg is not there. */
export function createFfmpegCheck(find: () => Promise<unknown>): HealthCheck {
  return {
    name: 'ffmpeg',
    everyMs: 60_000,
    timeoutMs: 10_000,
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
