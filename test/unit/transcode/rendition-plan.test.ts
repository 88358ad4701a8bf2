import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PROXY_SETTINGS,
  fitSize,
  keyframeTimes,
  proxyFrameRate,
  shownSize,
  videoFilters,
  videoOptions,
} from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { timeCodeAt } from '../../../agent/roles/transcode/ffmpeg/time-code.ts';
import { videoTrack as HD } from './video-track.ts';

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

  it('deinterlace what is flagged as interlaced, by its field order, and leave the unknown to the flags of its frames', () => {
    expect(videoFilters(HD, BOX)).not.toContain('yadif');
    expect(videoFilters({ ...HD, fieldOrder: null }, BOX)).toContain('yadif=mode=send_frame:deint=interlaced,');
    expect(videoFilters({ ...HD, fieldOrder: 'tt' }, BOX)).toContain('parity=tff');
    expect(videoFilters({ ...HD, fieldOrder: 'tb' }, BOX)).toContain('parity=bff');
  });

  it('turn RGB into BT.709 and say so, and pass on the colours of all others', () => {
    const rgb = {
      ...HD,
      pixelFormat: 'rgb24',
      colour: { transfer: null, primaries: null, matrix: 'gbr', range: 'pc' },
    };
    expect(videoFilters(rgb, BOX)).toContain('out_color_matrix=bt709:out_range=tv');
    expect(videoOptions(rgb, DEFAULT_PROXY_SETTINGS).join(' ')).toContain('-colorspace bt709');
    expect(videoFilters(HD, BOX)).not.toContain('out_color_matrix');
    expect(videoOptions(HD, DEFAULT_PROXY_SETTINGS).join(' ')).not.toContain('-colorspace');
  });
});

describe('proxyFrameRate', () => {
  const rate = (frameRate: string, isVariableRate = true) => proxyFrameRate({ ...HD, frameRate, isVariableRate });

  it('keeps an even rate, whatever it is', () => {
    expect([rate('10', false), rate('30000/1001', false), rate('120', false)]).toEqual(['10', '30000/1001', '120']);
  });

  it('makes an uneven one the nearest standard rate, or the next above so that no picture is lost', () => {
    expect([rate('1181/40'), rate('1237/100'), rate('44'), rate('118')]).toEqual([
      '30000/1001',
      '24000/1001',
      '50',
      '60',
    ]);
    expect(videoFilters({ ...HD, frameRate: '44', isVariableRate: true }, BOX)).toContain('fps=50,scale=');
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
