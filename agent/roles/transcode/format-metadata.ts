import type { AudioTrack, MediaInfo, VideoTrack } from './ffmpeg/media-info.ts';
import { shownSize } from './ffmpeg/rendition-plan.ts';
import { colourKindOf } from './ffmpeg/tone-mapping.ts';

/** A track of the original as iconik lists it (reference C.8). */
export interface Component {
  name: string;
  type: 'VIDEO' | 'AUDIO' | 'IMAGE';
  metadata: Record<string, string>;
}

/** Text map without the values nobody knows: iconik takes strings only. */
function known(entries: Record<string, string | number | boolean | null>): Record<string, string> {
  const kept = Object.entries(entries).filter(([, value]) => value !== null && value !== '');
  return Object.fromEntries(kept.map(([key, value]) => [key, String(value)]));
}

/** Colour, in ffmpeg's words; `dynamic_range` in everybody's. */
function colourMetadata(video: VideoTrack): Record<string, string | null> {
  const { transfer, primaries, matrix, range } = video.colour;
  const dynamicRange = { pq: 'PQ', hlg: 'HLG', wide: 'SDR', sdr: 'SDR' }[colourKindOf(video)];
  return {
    color_transfer: transfer,
    color_primaries: primaries,
    color_matrix: matrix,
    color_range: range,
    dynamic_range: transfer === null && primaries === null ? null : dynamicRange,
  };
}

function pictureMetadata(video: VideoTrack | null): Record<string, string> {
  if (!video) return {};
  const shown = shownSize(video);
  return known({
    video_codec: video.codec,
    video_profile: video.codecProfile,
    width: video.width,
    height: video.height,
    display_width: shown.width,
    display_height: shown.height,
    rotation: video.rotation,
    frame_rate: video.frameRate,
    is_variable_frame_rate: video.isVariableRate ? true : null,
    ...colourMetadata(video),
    pixel_format: video.pixelFormat,
    field_order: video.fieldOrder,
    video_bit_rate: video.bitRate,
    start_time_code: video.startTimeCode,
    is_drop_frame: video.startTimeCode === null ? null : video.isDropFrame,
  });
}

function soundMetadata(audio: readonly AudioTrack[]): Record<string, string> {
  const [first] = audio;
  if (!first) return {};
  return known({
    audio_codec: first.codec,
    audio_tracks: audio.length,
    audio_channel_layout: first.channelLayout,
    audio_channels: audio.reduce((sum, track) => sum + track.channels, 0),
    audio_sample_rate: first.sampleRate,
  });
}

/** Media info as the format's `metadata`: a list of one map of strings. */
export function formatMetadata(info: MediaInfo): Record<string, string>[] {
  const whole = known({ container: info.container, duration_seconds: info.durationSeconds, bit_rate: info.bitRate });
  return [{ ...whole, ...pictureMetadata(info.video), ...soundMetadata(info.audio) }];
}

/** One sound track on its own. */
function trackMetadata(track: AudioTrack): Record<string, string> {
  return known({
    codec: track.codec,
    channels: track.channels,
    channel_layout: track.channelLayout,
    sample_rate: track.sampleRate,
    bit_rate: track.bitRate,
  });
}

/** The tracks of the original, picture first, each with what is known of it. */
export function formatComponents(info: MediaInfo): Component[] {
  const duration = known({ duration_seconds: info.durationSeconds });
  const sound = info.audio.map(
    (track, index): Component => ({
      name: `Audio ${index + 1}`,
      type: 'AUDIO',
      metadata: { ...trackMetadata(track), ...duration },
    }),
  );
  const metadata = { ...pictureMetadata(info.video), ...duration };
  if (info.kind === 'image') return [{ name: 'Image', type: 'IMAGE', metadata }];
  return info.video ? [{ name: 'Video', type: 'VIDEO', metadata }, ...sound] : sound;
}
