import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VideoTrack } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';
import {
  audioSource,
  DEFAULT_PROXY_SETTINGS,
  fitSize,
  keyframeTimes,
  shownSize,
  videoFilters,
  videoOptions,
} from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { timeCodeAt } from '../../../agent/roles/transcode/ffmpeg/time-code.ts';

const HD: VideoTrack = {
  streamIndex: 0,
  codec: 'h264',
  width: 1920,
  height: 1080,
  pixelAspect: 1,
  rotation: 0,
  frameRate: '25',
  pixelFormat: 'yuv420p',
  fieldOrder: 'progressive',
  bitRate: null,
  startTimeCode: null,
  isDropFrame: false,
};
const BOX = DEFAULT_PROXY_SETTINGS.videoBox;

describe('fitSize', () => {
  it('brings full HD into the default box', () => {
    expect(fitSize(HD, BOX)).toEqual({ width: 1280, height: 720 });
  });

  it('never enlarges and makes odd sizes even', () => {
    expect(fitSize({ ...HD, width: 641, height: 361 }, BOX)).toEqual({ width: 640, height: 360 });
  });

  it('keeps an upright clip within the same box', () => {
    expect(fitSize({ ...HD, rotation: 90 }, BOX)).toEqual({ width: 404, height: 720 });
  });

  it('makes wide pixels square', () => {
    expect(shownSize({ ...HD, width: 720, height: 576, pixelAspect: 64 / 45 })).toEqual({ width: 1024, height: 576 });
  });

  it('stays within the box, even and at least 2×2 for every size, turn and pixel', () => {
    const track = fc.record({
      width: fc.integer({ min: 1, max: 20_000 }),
      height: fc.integer({ min: 1, max: 20_000 }),
      rotation: fc.constantFrom(0, 90, 180, 270),
      pixelAspect: fc.constantFrom(1, 16 / 15, 64 / 45, 10 / 11),
    });
    const box = fc.record({
      width: fc.integer({ min: 180, max: 16_000 }),
      height: fc.integer({ min: 180, max: 16_000 }),
    });
    fc.assert(
      fc.property(track, box, (shape, limits) => {
        const size = fitSize({ ...HD, ...shape }, limits);
        for (const side of ['width', 'height'] as const) {
          expect(size[side] % 2).toBe(0);
          expect(size[side]).toBeGreaterThanOrEqual(2);
          expect(size[side]).toBeLessThanOrEqual(limits[side]);
        }
      }),
    );
  });
});

describe('video options', () => {
  it('use no B-frames and keep the ceiling a third above the target', () => {
    const options = videoOptions(HD, DEFAULT_PROXY_SETTINGS).join(' ');
    expect(options).toContain('-bf 0');
    expect(options).toContain('-b:v 3000000 -maxrate 4000000');
    expect(options).toContain('-r 25');
  });

  it('deinterlace only what is flagged as interlaced, by its field order', () => {
    expect(videoFilters(HD, BOX)).not.toContain('yadif');
    expect(videoFilters({ ...HD, fieldOrder: null }, BOX)).not.toContain('yadif');
    expect(videoFilters({ ...HD, fieldOrder: 'tt' }, BOX)).toContain('parity=tff');
    expect(videoFilters({ ...HD, fieldOrder: 'tb' }, BOX)).toContain('parity=bff');
  });
});

describe('audioSource', () => {
  const mono = { codec: 'pcm_s24le', channels: 1, sampleRate: 48_000, bitRate: null };

  it('joins two mono tracks to left and right', () => {
    const source = audioSource([
      { ...mono, streamIndex: 1 },
      { ...mono, streamIndex: 2 },
      { ...mono, streamIndex: 3 },
    ]);
    expect(source?.filter).toContain('[0:1][0:2]join');
  });

  it('takes the first track otherwise, and nothing of nothing', () => {
    expect(audioSource([{ ...mono, channels: 2, streamIndex: 4 }])).toEqual({ filter: null, map: '0:4' });
    expect(audioSource([])).toBeNull();
  });
});

describe('keyframeTimes', () => {
  it('takes one per second of a short clip and 20 of a long one', () => {
    expect(keyframeTimes(4)).toEqual([0, 1, 2, 3]);
    expect(keyframeTimes(100)).toHaveLength(20);
    expect(keyframeTimes(100).at(-1)).toBe(95);
  });

  it('takes the first frame when the length is unknown or below a second', () => {
    expect(keyframeTimes(null)).toEqual([0]);
    expect(keyframeTimes(0.4)).toEqual([0]);
  });
});

describe('timeCodeAt', () => {
  it('counts frames of fractional rates', () => {
    expect(timeCodeAt(10, { frameRate: '30000/1001', isDropFrame: true })).toEqual({
      frames_number: 300,
      is_drop_frame: true,
      time_base: { numerator: 1001, denominator: 30_000 },
    });
  });

  it('counts frames of whole rates', () => {
    expect(timeCodeAt(2, { frameRate: '25', isDropFrame: false }).time_base).toEqual({ numerator: 1, denominator: 25 });
  });
});
