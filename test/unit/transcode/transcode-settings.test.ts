import { describe, expect, it } from 'vitest';
import type { Transcoder } from '../../../agent/iconik/api.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { createTranscodeSettings, settingsWith } from '../../../agent/roles/transcode/transcode-settings.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const transcoder = (settings: Record<string, unknown>, type = 'FFMPEG'): Transcoder => ({
  id: 'one',
  name: 'Studio',
  type,
  settings: { local: true, priority: 5, include_patterns: [], exclude_patterns: [], ...settings },
});
const of = (settings: Record<string, unknown>, type?: string) =>
  settingsWith(DEFAULT_PROXY_SETTINGS, transcoder(settings, type));

describe('the settings of a job', () => {
  it('are those of config.ini without a transcoder, or with one for another program', () => {
    expect(settingsWith(DEFAULT_PROXY_SETTINGS, null)).toEqual({ settings: DEFAULT_PROXY_SETTINGS, remarks: [] });
    expect(of({ width: 640, bitrate: 1 }, 'EDITREADY')).toEqual({ settings: DEFAULT_PROXY_SETTINGS, remarks: [] });
  });

  it('follow the transcoder below the maxima of config.ini', () => {
    const { settings, remarks } = of({
      width: 640,
      bitrate: 1_500_000,
      audio_bitrate: 96_000,
      scaling_method: 'LANCZOS',
    });
    expect(remarks).toEqual([]);
    expect(settings).toMatchObject({
      videoBox: { width: 640, height: 720 },
      videoBitRate: 1_500_000,
      scaler: 'lanczos',
      sound: { audioBitRate: 96_000 },
    });
    expect(of({ width: 3840, bitrate: 20_000_000 }).settings).toMatchObject({
      videoBox: { width: 1280, height: 720 },
      videoBitRate: 3_000_000,
    });
  });

  it('keep stills as small as an ImageMagick transcoder says, and videos as they are', () => {
    const { settings, remarks } = of({ width: 800, height: 20_000, bitrate: 1 }, 'IMAGEMAGICK');
    expect(settings).toEqual({ ...DEFAULT_PROXY_SETTINGS, imageBox: { width: 800, height: 2_048 } });
    expect(remarks).toEqual([expect.stringContaining('height')]);
  });

  it('take rates that can only be kilobits for kilobits, and keep AAC within what it is good for', () => {
    const { settings } = of({ bitrate: 2_000, audio_bitrate: 8_000_000 });
    expect(settings).toMatchObject({ videoBitRate: 2_000_000, sound: { audioBitRate: 512_000 } });
  });

  it('take over HDR numbers and channel options', () => {
    const { settings } = of({
      hdr_brightness: -0.5,
      hdr_contrast: 2,
      hdr_gamma: 1.5,
      hdr_saturation: 0,
      hdr_tonemap_desat: 100,
      hdr_tonemap_peak: 1_000,
      enable_multi_channel_audio: true,
      merge_multichannel_audio_tracks: true,
    });
    expect(settings.toneMapping).toEqual({
      brightness: -0.5,
      contrast: 2,
      gamma: 1.5,
      saturation: 0,
      desaturation: 100,
      peak: 1_000,
    });
    expect(settings.sound).toMatchObject({ keepChannels: true, mergeTracks: true });
  });

  it('pass over values out of iconik’s ranges and say so, as of what has no effect at all', () => {
    const { settings, remarks } = of({
      hdr_brightness: 7,
      width: 'wide',
      scaling_method: 'FANCY',
      overlay_url: 'https://x/logo.png',
      data: '-vf negate',
      bitrate: null,
    });
    expect(settings).toEqual(DEFAULT_PROXY_SETTINGS);
    expect(remarks.map((remark) => remark.split(' ')[0])).toEqual([
      'width',
      'scaling_method',
      'hdr_brightness',
      'overlay_url',
      'data',
    ]);
    expect(remarks.join()).not.toContain('https://x');
  });

  it('are warned of once for each transcoder, and again when they change', async () => {
    const warnings: string[] = [];
    let now = transcoder({ data: 'x' });
    const settings = createTranscodeSettings({
      ofConfig: () => DEFAULT_PROXY_SETTINGS,
      transcoders: { ofFile: async () => now },
      log: { ...silentLogger, warn: (message) => warnings.push(message) },
    });
    const ask = () => settings({ storageId: 'nas', path: 'a.mov' }, new AbortController().signal);
    await ask();
    await ask();
    expect(warnings).toHaveLength(1);
    now = transcoder({ width: -1 });
    await ask();
    expect(warnings).toHaveLength(2);
  });
});
