import type { AudioTrack } from './media-info.ts';

/** How the sound of a proxy is made. */
export interface SoundSettings {
  /** Bits per second of the whole track. */
  audioBitRate: number;
  /** Keeps more than two channels instead of mixing them down (`enable_multi_channel_audio`, reference A2.2). */
  keepChannels: boolean;
  /** Makes one track of all mono tracks instead of the first two (`merge_multichannel_audio_tracks`). */
  mergeTracks: boolean;
}

/** Bits per second of a stereo track when nobody says otherwise. */
export const AUDIO_BIT_RATE = 128_000;

/** What holds without a transcoder's word: stereo. */
export const DEFAULT_SOUND: SoundSettings = { audioBitRate: AUDIO_BIT_RATE, keepChannels: false, mergeTracks: false };

/** AAC holds eight. */
const MOST_CHANNELS = 8;
/** Layouts by count that AAC can say; 7 has none. */
const LAYOUTS = ['', 'mono', 'stereo', '3.0', '4.0', '5.0', '5.1', '', '7.1'];

/** The sound of a proxy: which tracks it is made of, how they come together, and how many channels come out. */
export interface SoundPlan {
  /** What goes into the filter graph; null = the track as it is. */
  filter: string | null;
  map: string;
  channels: number;
}

/** Stereo, or as many channels as the proxy may keep. */
function kept(channels: number, settings: SoundSettings): number {
  const isKept = settings.keepChannels && channels > 2 && channels <= MOST_CHANNELS && LAYOUTS[channels] !== '';
  return isKept ? channels : 2;
}

const PICK_FIRST_TWO = 'pan=stereo|c0=c0|c1=c1';

/** A header can claim any length: nothing is padded to one that no clip has, or silence would fill the disk. */
const LONGEST_PADDED_SECONDS = 86_400;

/** Mono tracks made one: padded to the length of the clip, because a join ends with its shortest part. */
function joined(tracks: readonly AudioTrack[], durationSeconds: number | null): string {
  const seconds = durationSeconds !== null && durationSeconds <= LONGEST_PADDED_SECONDS ? durationSeconds : 0;
  const padded = tracks.map(({ streamIndex, sampleRate }, index) => {
    const samples = Math.ceil(seconds * (sampleRate ?? 0));
    const pad = samples > 0 ? `apad=whole_len=${samples}` : 'anull';
    return { chain: `[0:${streamIndex}]${pad}[m${index}]`, label: `[m${index}]` };
  });
  const labels = padded.map(({ label }) => label).join('');
  const join = `${labels}join=inputs=${tracks.length}:channel_layout=${LAYOUTS[tracks.length]}[sound]`;
  return [...padded.map(({ chain }) => chain), join].join(';');
}

/**
 * What the proxy's sound is made of; null without audio. The first track, or the first two joined when both are mono,
 * because broadcast masters keep left and right in tracks of their own. Channels without places (eight sounds in one
 * track) are not mixed: the first two are left and right there too.
 */
export function planSound(
  audio: readonly AudioTrack[],
  settings: SoundSettings,
  durationSeconds: number | null,
): SoundPlan | null {
  const [first, second] = audio;
  if (!first) return null;
  if (first.channels === 1 && second?.channels === 1) {
    const monos = audio.filter(({ channels }) => channels === 1);
    const count = settings.mergeTracks ? kept(monos.length, settings) : 2;
    return { filter: joined(monos.slice(0, count), durationSeconds), map: '[sound]', channels: count };
  }
  const channels = kept(first.channels, settings);
  if (first.channels > 2 && first.channelLayout === null) {
    const layout = channels === 2 ? PICK_FIRST_TWO : `pan=${LAYOUTS[channels]}|${places(channels)}`;
    return { filter: `[0:${first.streamIndex}]${layout}[sound]`, map: '[sound]', channels };
  }
  return { filter: null, map: `0:${first.streamIndex}`, channels };
}

/** Each channel in the place of its number. */
function places(channels: number): string {
  return Array.from({ length: channels }, (_, index) => `c${index}=c${index}`).join('|');
}

/** Options of the AAC track. A track of more channels gets as many bits per channel. */
export function soundOptions(plan: SoundPlan, settings: SoundSettings): string[] {
  const bitRate = Math.round((settings.audioBitRate * plan.channels) / 2);
  return ['-c:a', 'aac', '-b:a', String(bitRate), '-ac', String(plan.channels), '-ar', '48000'];
}
