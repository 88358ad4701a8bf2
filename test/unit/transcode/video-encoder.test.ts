import { describe, expect, it } from 'vitest';
import {
  encoderOptions,
  hardwareCandidates,
  suitsHardware,
  trialArguments,
} from '../../../agent/roles/transcode/ffmpeg/video-encoder.ts';

const RATES = { bitRate: 3_000_000, ceiling: 4_000_000, wholePictureFrames: 50 };

describe('hardware encoders', () => {
  it('are tried only when asked for, graphics cards before processors', () => {
    expect(hardwareCandidates('off', 'linux')).toEqual([]);
    expect(hardwareCandidates('auto', 'linux')).toEqual(['h264_nvenc', 'h264_qsv']);
    expect(hardwareCandidates('auto', 'win32')).toEqual(['h264_nvenc', 'h264_qsv']);
    expect(hardwareCandidates('auto', 'darwin')).toEqual(['h264_videotoolbox']);
    expect(hardwareCandidates('qsv', 'darwin')).toEqual(['h264_qsv']);
  });

  it('get no pictures smaller than they take', () => {
    expect([suitsHardware({ width: 1280, height: 720 }), suitsHardware({ width: 320, height: 90 })]).toEqual([
      true,
      false,
    ]);
  });
});

describe('the plan of an encoder', () => {
  it.each([
    ['libx264', '-c:v libx264 -preset veryfast -pix_fmt yuv420p'],
    ['h264_videotoolbox', '-c:v h264_videotoolbox -allow_sw 0 -realtime 0 -pix_fmt yuv420p'],
    ['h264_nvenc', '-c:v h264_nvenc -rc vbr -pix_fmt yuv420p'],
    ['h264_qsv', '-c:v h264_qsv -preset veryfast -look_ahead 0 -pix_fmt nv12'],
  ] as const)('%s keeps the same limits and has no B-frames', (encoder, own) => {
    const limits = '-profile:v high -bf 0 -b:v 3000000 -maxrate 4000000 -bufsize 4000000 -g 50';
    expect(encoderOptions(encoder, RATES).join(' ')).toBe(`${own} ${limits}`);
  });

  it('is what the trial runs, on one frame and into nothing', () => {
    const words = trialArguments('h264_nvenc').join(' ');
    expect(words).toContain('-frames:v 1 -c:v h264_nvenc -rc vbr');
    expect(words.endsWith('-f null -')).toBe(true);
  });
});
