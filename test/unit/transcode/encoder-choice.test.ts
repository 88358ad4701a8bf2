import { describe, expect, it } from 'vitest';
import { createEncoderChoice } from '../../../agent/roles/transcode/ffmpeg/encoder-choice.ts';
import type { HardwareWish, VideoEncoder } from '../../../agent/roles/transcode/ffmpeg/video-encoder.ts';

const BIG = { width: 1280, height: 720 };
const SMALL = { width: 96, height: 54 };

function choice(wish: HardwareWish, working: readonly VideoEncoder[]) {
  const trials: VideoEncoder[] = [];
  const encoders = createEncoderChoice({
    wish,
    platform: 'linux',
    trial: async (encoder) => {
      trials.push(encoder);
      return working.includes(encoder);
    },
  });
  const choose = (size = BIG) => encoders.choose(size, new AbortController().signal);
  return { trials, encoders, choose };
}

describe('the encoder of a proxy', () => {
  it('is the first that proves itself, tried once for any number of proxies', async () => {
    const { trials, choose } = choice('auto', ['h264_qsv']);
    expect(await Promise.all([choose(), choose()])).toEqual(['h264_qsv', 'h264_qsv']);
    expect(await choose()).toBe('h264_qsv');
    expect(trials).toEqual(['h264_nvenc', 'h264_qsv']);
  });

  it('is software where no hardware works, and that is remembered too', async () => {
    const { trials, choose } = choice('nvenc', ['h264_qsv']);
    expect([await choose(), await choose()]).toEqual(['libx264', 'libx264']);
    expect(trials).toEqual(['h264_nvenc']);
  });

  it('is software without any trial when nobody asked, or the picture is too small', async () => {
    const off = choice('off', ['h264_nvenc']);
    const small = choice('auto', ['h264_nvenc']);
    expect([await off.choose(), await small.choose(SMALL)]).toEqual(['libx264', 'libx264']);
    expect([...off.trials, ...small.trials]).toEqual([]);
  });

  it('is software after three failures in a row, not after three in all', async () => {
    const { encoders, choose } = choice('auto', ['h264_nvenc']);
    for (const isGood of [false, false, true, false, false]) encoders.ended(isGood);
    expect(await choose()).toBe('h264_nvenc');
    encoders.ended(false);
    expect(await choose()).toBe('libx264');
  });

  it('does not keep a cancelled job waiting for a driver that hangs', async () => {
    const encoders = createEncoderChoice({ wish: 'auto', platform: 'linux', trial: () => new Promise(() => {}) });
    const abort = new AbortController();
    const chosen = encoders.choose(BIG, abort.signal);
    abort.abort(new Error('cancelled'));
    await expect(chosen).rejects.toThrow('cancelled');
  });
});
