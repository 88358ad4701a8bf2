import { extname } from 'node:path';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';

// Image sequences: the frames of one shot as numbered stills (`shot.0001.dpx`). Pure.

/** A name with a number in it: what stands before the last digits, and behind them. */
export interface FrameName {
  prefix: string;
  number: number;
  suffix: string;
}

/** Formats in which shots are kept frame by frame. */
const FRAME_EXTENSIONS = new Set('.dpx .exr .tif .tiff .tga .png .jpg .jpeg .jp2 .cin .sgi .bmp'.split(' '));

/** Most frames between the first and the last: 3 hours at 24 per second. A stray number must not make a film of nothing. */
const MOST_FRAMES = 24 * 3_600 * 3;

/** Parts of a frame's file name; null when it is none. */
export function frameNameOf(name: string): FrameName | null {
  if (!FRAME_EXTENSIONS.has(extname(name).toLowerCase())) return null;
  const match = /^(.*?)(\d{1,9})(\.[^.\d][^.]*)$/s.exec(name);
  return match ? { prefix: match[1] ?? '', number: Number(match[2]), suffix: match[3] ?? '' } : null;
}

/** The frames of one sequence in their order. */
export interface Sequence {
  directory: string;
  /** Names of files, by frame from the first to the last; a missing frame has the name of the one before it. */
  frames: string[];
  /** Numbers of the frames that are missing, as ranges for people: `1003`, `1010–1019`. */
  gaps: string[];
  missing: number;
}

function rangesOf(numbers: readonly number[]): string[] {
  const ranges: string[] = [];
  for (let at = 0; at < numbers.length; ) {
    let end = at;
    while (numbers[end + 1] === (numbers[end] ?? 0) + 1) end += 1;
    ranges.push(end === at ? `${numbers[at]}` : `${numbers[at]}–${numbers[end]}`);
    at = end + 1;
  }
  return ranges;
}

/**
 * The sequence that a file is a frame of, among the names of its directory: same words before and behind the number. null when
 * it is a single still, or its numbers lie too far apart to be frames.
 */
export function planSequence(path: string, names: readonly string[]): Sequence | null {
  const own = frameNameOf(nameOf(path));
  if (!own) return null;
  const byNumber = new Map<number, string>();
  for (const name of names.toSorted()) {
    const frame = frameNameOf(name);
    if (frame && frame.prefix === own.prefix && frame.suffix === own.suffix) byNumber.set(frame.number, name);
  }
  const numbers = [...byNumber.keys()].toSorted((a, b) => a - b);
  const first = numbers[0] ?? 0;
  const last = numbers.at(-1) ?? 0;
  if (numbers.length < 2 || last - first >= MOST_FRAMES) return null;
  const frames: string[] = [];
  const missing: number[] = [];
  for (let number = first; number <= last; number += 1) {
    const name = byNumber.get(number);
    if (name === undefined) missing.push(number);
    frames.push(name ?? frames.at(-1) ?? '');
  }
  return { directory: directoryOf(path), frames, gaps: rangesOf(missing), missing: missing.length };
}

/** What people are told of a sequence with gaps; null without any. */
export function wordsForGaps({ frames, gaps, missing }: Sequence): string | null {
  if (missing === 0) return null;
  const shown = gaps.slice(0, 10).join(', ');
  const more = gaps.length > 10 ? ', and more' : '';
  return `${missing} of ${frames.length} frames of the sequence are missing (${shown}${more}); the proxy holds the frame before each gap.`;
}
