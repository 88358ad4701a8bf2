import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { z } from 'zod';
import type { IconikApi } from '../../../iconik/api.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { nameOf } from '../../../storage/storage-path.ts';
import type { Ffmpeg } from '../ffmpeg/ffmpeg.ts';
import { fractionValue, type MediaInfo } from '../ffmpeg/media-info.ts';
import type { MediaSource } from '../ffmpeg/rendition.ts';
import { linkPrivately, pathBytes } from '../private-link.ts';
import type { TranscodePayload } from '../transcode-payload.ts';
import { frameNameOf, planSequence, type Sequence, wordsForGaps } from './sequence-plan.ts';

/** Frames per second of a sequence whose rate nobody names: that of film, for which sequences are mostly made. */
const DEFAULT_FRAME_RATE = '24';

/** What tells that a file set holds many files (reference C.8, FileSetSchema). */
const manyFilesSchema = z.looseObject({ type: z.string().nullish(), file_count: z.number().nullish() });

/** Whether the file set of an original holds many files; without one, or when iconik lists it no more, it does not. */
async function isManyFiles(api: IconikApi, payload: TranscodePayload, signal: AbortSignal): Promise<boolean> {
  if (payload.fileSetId === undefined) return false;
  const sets = await api.files.fileSets(payload.assetId, payload.formatId, { signal });
  const parsed = manyFilesSchema.safeParse(sets.find(({ id }) => id === payload.fileSetId));
  return parsed.success && (parsed.data.type === 'MANY_FILES' || (parsed.data.file_count ?? 0) > 1);
}

/** Names of the files beside an original. */
async function namesBeside(storage: StorageAccess, directory: string, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  const options = { directories: [directory], ignore: [], include: [], concurrency: 1, shallow: true };
  await storage.walk(
    options,
    async (listing) => {
      if (listing.kind !== 'listed' || listing.path !== directory) return;
      for (const entry of listing.entries) if (entry.kind === 'file') names.push(entry.name);
    },
    signal,
  );
  return names;
}

/** The sequence that the original of a job is a frame of; null when it is a still (or a clip) of its own. */
export async function findSequence(
  parts: { api: IconikApi; storage: StorageAccess; signal: AbortSignal },
  payload: TranscodePayload,
): Promise<Sequence | null> {
  if (frameNameOf(nameOf(payload.path)) === null) return null;
  if (!(await isManyFiles(parts.api, payload, parts.signal))) return null;
  const directory = payload.path.slice(0, Math.max(0, payload.path.length - nameOf(payload.path).length - 1));
  return planSequence(payload.path, await namesBeside(parts.storage, directory, parts.signal));
}

/** A sequence as ffmpeg reads it. */
export interface PreparedSequence {
  source: MediaSource;
  /** What people are told of missing frames; null when none are missing. */
  warning: string | null;
}

/** What making a sequence readable needs. */
export interface SequenceOptions {
  ffmpeg: Ffmpeg;
  storage: StorageAccess;
  signal: AbortSignal;
  /** Folder of this attempt. */
  dir: string;
  /** `25`, `24000/1001`; null = 24. */
  frameRate: string | null;
  alive?(): void;
}

/** How a sequence looks as a clip: one of its frames, as often as there are frames. */
function clipOf(frame: MediaInfo, frames: number, frameRate: string): MediaInfo {
  const seconds = frames / (fractionValue(frameRate) ?? 24);
  const video = frame.video ? { ...frame.video, frameRate } : null;
  return { ...frame, kind: video ? 'video' : 'none', container: 'image sequence', durationSeconds: seconds, video };
}

/**
 * Links the frames under names of ours, numbered without gaps: a missing frame is a link to the one before it, so that the
 * proxy keeps its time. Throws `media-unreadable` when the first frame cannot be read.
 */
export async function prepareSequence(sequence: Sequence, options: SequenceOptions): Promise<PreparedSequence> {
  const { ffmpeg, storage, signal } = options;
  const folder = join(options.dir, 'frames');
  await mkdir(folder);
  const extension = extname(sequence.frames[0] ?? '').toLowerCase();
  const linkOf = (number: number) => join(folder, `frame-${String(number).padStart(7, '0')}${extension}`);
  for (const [number, name] of sequence.frames.entries()) {
    const path = sequence.directory === '' ? name : `${sequence.directory}/${name}`;
    await linkPrivately(pathBytes(storage.absolutePath(path)), linkOf(number));
    if (number % 500 === 0) {
      options.alive?.();
      signal.throwIfAborted();
    }
  }
  const frameRate =
    fractionValue(options.frameRate) === null ? DEFAULT_FRAME_RATE : (options.frameRate ?? DEFAULT_FRAME_RATE);
  const frame = await ffmpeg.probeMedia(linkOf(0), signal);
  const linear = extension === '.exr' ? ['-apply_trc', 'iec61966_2_1'] : [];
  const inputOptions = ['-f', 'image2', '-pattern_type', 'sequence', '-start_number', '0', '-framerate', frameRate];
  return {
    source: {
      // A percent sign in the name of a folder is none of the pattern.
      path: join(folder.replaceAll('%', '%%'), `frame-%07d${extension}`),
      info: clipOf(frame, sequence.frames.length, frameRate),
      inputOptions: [...inputOptions, ...linear],
    },
    warning: wordsForGaps(sequence),
  };
}
