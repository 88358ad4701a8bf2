import { fractionValue } from './media-info.ts';

/** A position in iconik's form (reference C.10): a count of frames, and how long one frame is. */
export interface TimeCode {
  frames_number: number;
  is_drop_frame: boolean;
  /** Seconds per frame as a fraction. */
  time_base: { numerator: number; denominator: number };
}

/** The frame shown `seconds` after the start of the clip, counted from 0; 25 frames per second when the rate is unknown. */
export function timeCodeAt(seconds: number, video: { frameRate: string | null; isDropFrame: boolean }): TimeCode {
  const [frames, per] = (video.frameRate ?? '25').split('/').map(Number);
  const numerator = per ?? 1;
  const denominator = frames ?? 25;
  const framesPerSecond = fractionValue(video.frameRate) ?? 25;
  return {
    frames_number: Math.round(seconds * framesPerSecond),
    is_drop_frame: video.isDropFrame,
    time_base: { numerator, denominator },
  };
}
