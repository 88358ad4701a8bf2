import type { AudioTrack, MediaInfo, VideoTrack } from './ffmpeg/media-info.ts';
import { shownSize } from './ffmpeg/rendition-plan.ts';

/** A track of the original as iconik lists it (reference C.8). */
export interface Component {
  name: string;
  type: 'VIDEO' | 'AUDIO' | 'IMAGE';
}

/** Text map without the values nobody knows: iconik takes strings only. */
function known(entries: Record<string, string | number | boolean | null>): Record<string, string> {
  const kept = Object.entries(entries).filter(([, value]) => value !== null && value !== '');
  return Object.fromEntries(kept.map(([key, value]) => [key, String(value)]));
}

function pictureMetadata(video: VideoTrack | null): Record<string, string> {
  if (!video) return {};
  const shown = shownSize(video);
  return known({
    video_codec: video.codec,
    width: video.width,
    height: video.height,
    display_width: shown.width,
    display_height: shown.height,
    rotation: video.rotation,
    frame_rate: video.frameRate,
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
    audio_channels: audio.reduce((sum, track) => sum + track.channels, 0),
    audio_sample_rate: first.sampleRate,
  });
}

/** Media info as the format's `metadata`: a list of one map of strings. */
export function formatMetadata(info: MediaInfo): Record<string, string>[] {
  const whole = known({ container: info.container, duration_seconds: info.durationSeconds, bit_rate: info.bitRate });
  return [{ ...whole, ...pictureMetadata(info.video), ...soundMetadata(info.audio) }];
}

/** The tracks of the original, picture first. */
export function formatComponents(info: MediaInfo): Component[] {
  const sound = info.audio.map((_, index): Component => ({ name: `Audio ${index + 1}`, type: 'AUDIO' }));
  if (info.kind === 'image') return [{ name: 'Image', type: 'IMAGE' }];
  return info.video ? [{ name: 'Video', type: 'VIDEO' }, ...sound] : sound;
}
