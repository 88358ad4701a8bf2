import { describe, expect, it } from 'vitest';
import { DEFAULT_SOUND, planSound, soundOptions } from '../../../agent/roles/transcode/ffmpeg/audio-plan.ts';
import type { AudioTrack } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';

const track = (streamIndex: number, channels: number, channelLayout: string | null): AudioTrack => ({
  streamIndex,
  codec: 'pcm_s24le',
  channels,
  channelLayout,
  sampleRate: 48_000,
  bitRate: null,
});
const mono = (streamIndex: number) => track(streamIndex, 1, 'mono');
const MANY = { audioBitRate: 128_000, keepChannels: true, mergeTracks: true };

describe('the sound of a proxy', () => {
  it('is the first two mono tracks as left and right, as long as the clip', () => {
    expect(planSound([mono(1), mono(2), mono(3)], DEFAULT_SOUND, 2)).toEqual({
      filter:
        '[0:1]apad=whole_len=96000[m0];[0:2]apad=whole_len=96000[m1];[m0][m1]join=inputs=2:channel_layout=stereo[sound]',
      map: '[sound]',
      channels: 2,
    });
    // Of unknown length, and of one that only a header that lies can tell.
    for (const length of [null, 4e9]) {
      expect(planSound([mono(1), mono(2)], DEFAULT_SOUND, length)?.filter).not.toContain('apad');
    }
  });

  it('is the first track mixed to stereo otherwise, and nothing of nothing', () => {
    expect(planSound([track(4, 6, '5.1'), mono(5)], DEFAULT_SOUND, 2)).toEqual({
      filter: null,
      map: '0:4',
      channels: 2,
    });
    expect(planSound([mono(1)], DEFAULT_SOUND, 2)).toEqual({ filter: null, map: '0:1', channels: 2 });
    expect(planSound([], DEFAULT_SOUND, 2)).toBeNull();
  });

  it('is the first two channels of a track whose channels have no place: other languages are not mixed in', () => {
    expect(planSound([track(1, 8, null)], DEFAULT_SOUND, 2)?.filter).toBe('[0:1]pan=stereo|c0=c0|c1=c1[sound]');
  });

  it('keeps up to eight channels when the transcoder says so, with as many bits for each', () => {
    const plan = planSound([track(1, 6, '5.1')], MANY, 2);
    expect(plan).toEqual({ filter: null, map: '0:1', channels: 6 });
    expect(plan && soundOptions(plan, MANY).join(' ')).toBe('-c:a aac -b:a 384000 -ac 6 -ar 48000');
    expect(planSound([track(1, 16, null)], MANY, 2)?.channels).toBe(2);
    expect(planSound([mono(1), mono(2), mono(3), mono(4)], MANY, null)).toMatchObject({
      filter: expect.stringContaining('join=inputs=4:channel_layout=4.0'),
      channels: 4,
    });
  });
});
