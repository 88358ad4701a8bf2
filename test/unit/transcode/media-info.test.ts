import { describe, expect, it } from 'vitest';
import { mediaInfoOf, probeOutputSchema } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';

const VIDEO = {
  index: 0,
  codec_type: 'video',
  codec_name: 'h264',
  width: 640,
  height: 360,
  r_frame_rate: '30000/1001',
  avg_frame_rate: '30000/1001',
};
const SOUND = { index: 1, codec_type: 'audio', codec_name: 'aac', channels: 2, sample_rate: '48000' };

function infoOf(container: string, streams: unknown[], format: object = {}) {
  return mediaInfoOf(
    probeOutputSchema.parse({ streams, format: { format_name: container, duration: '4.0', ...format } }),
  );
}

describe('mediaInfoOf', () => {
  it('finds the time code on a track of its own and tells drop-frame by the semicolon', () => {
    const info = infoOf('mov', [VIDEO, { index: 2, codec_type: 'data', tags: { timecode: '01:00:00;00' } }]);
    expect(info.video).toMatchObject({ startTimeCode: '01:00:00;00', isDropFrame: true, frameRate: '30000/1001' });
  });

  it('takes cover art for what it is: an audio file stays audio', () => {
    const info = infoOf('mp3', [SOUND, { ...VIDEO, disposition: { attached_pic: 1 } }]);
    expect(info.kind).toBe('audio');
    expect(info.video).toBeNull();
  });

  it('reads the turn from the display matrix and from the older tag alike', () => {
    const matrix = infoOf('mov', [{ ...VIDEO, side_data_list: [{ rotation: -90 }] }]);
    const tag = infoOf('mov', [{ ...VIDEO, tags: { rotate: '90' } }]);
    const none = infoOf('mov', [{ ...VIDEO, side_data_list: [{ rotation: -(2 ** 63) }] }]);
    expect([matrix.video?.rotation, tag.video?.rotation, none.video?.rotation]).toEqual([90, 90, 0]);
  });

  it('uses the average rate when the nominal one is a time base or the field rate', () => {
    expect(infoOf('mov', [{ ...VIDEO, r_frame_rate: '90000/1', avg_frame_rate: '24/1' }]).video?.frameRate).toBe('24');
    expect(infoOf('mxf', [{ ...VIDEO, r_frame_rate: '50/1', avg_frame_rate: '25/1' }]).video?.frameRate).toBe('25');
    expect(infoOf('mpegts', [{ ...VIDEO, r_frame_rate: '0/0', avg_frame_rate: '0/0' }]).video?.frameRate).toBeNull();
  });

  it('counts drawn text, playlists, subtitles and tiled HEIF as no media', () => {
    expect(infoOf('tty', [VIDEO]).kind).toBe('none');
    expect(infoOf('hls', [VIDEO, SOUND]).kind).toBe('none');
    expect(infoOf('srt', [{ index: 0, codec_type: 'subtitle' }]).kind).toBe('none');
    expect(infoOf('mov', [VIDEO], { tags: { major_brand: 'heic' } }).kind).toBe('none');
  });

  it('tells stills from animations', () => {
    expect(infoOf('png_pipe', [VIDEO]).kind).toBe('image');
    expect(infoOf('gif', [{ ...VIDEO, codec_name: 'gif', nb_frames: '1' }]).kind).toBe('image');
    expect(infoOf('gif', [{ ...VIDEO, codec_name: 'gif', nb_frames: '12' }]).kind).toBe('video');
  });

  it('tells uneven frame distances from field rates and time bases', () => {
    const isVariable = (r: string, avg: string) =>
      infoOf('mov', [{ ...VIDEO, r_frame_rate: r, avg_frame_rate: avg }]).video?.isVariableRate;
    expect([isVariable('60/1', '1237/100'), isVariable('90000/1', '1181/40')]).toEqual([true, true]);
    expect([isVariable('60000/1001', '30000/1001'), isVariable('90000/1', '24/1'), isVariable('25/1', '0/0')]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('keeps what the file says of colours and channels, and takes "unknown" for nothing', () => {
    const info = infoOf('mov', [
      { ...VIDEO, profile: 'Main 10', color_transfer: 'smpte2084', color_primaries: 'bt2020', color_space: 'unknown' },
      { ...SOUND, channel_layout: '5.1' },
    ]);
    expect(info.video).toMatchObject({
      codecProfile: 'Main 10',
      colour: { transfer: 'smpte2084', primaries: 'bt2020', matrix: null, range: null },
    });
    expect(info.audio[0]?.channelLayout).toBe('5.1');
  });

  it('passes over a time code that is none', () => {
    const odd = { ...VIDEO, tags: { timecode: 'tomorrow' } };
    expect(infoOf('mov', [odd]).video?.startTimeCode).toBeNull();
    const other = { index: 2, codec_type: 'data', tags: { timecode: '10:00:00:12' } };
    expect(infoOf('mov', [odd, other]).video).toMatchObject({ startTimeCode: '10:00:00:12', isDropFrame: false });
  });
});
