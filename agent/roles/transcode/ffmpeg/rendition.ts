import { stat } from 'node:fs/promises';
import { IsgError } from '../../../runtime/errors.ts';
import type { FfmpegCommand } from './ffmpeg-command.ts';
import { quoteLines } from './ffmpeg-errors.ts';
import type { MediaInfo, Size } from './media-info.ts';
import type { ToneMapping } from './tone-mapping.ts';
import type { VideoEncoder } from './video-encoder.ts';

/** A file that was made: complete, readable, in place. */
export interface Rendition {
  /** Absolute path. */
  path: string;
  sizeBytes: number;
  /** What ffprobe finds in it. */
  info: MediaInfo;
  /** What ffmpeg complained of although it went on; empty when nothing. */
  complaint: string;
  /** What made the H.264; absent for stills and sound. */
  encoder?: VideoEncoder;
}

/** A picture taken from a clip. */
export interface TakenPicture {
  path: string;
  sizeBytes: number;
  /** Position in the clip. */
  seconds: number;
  size: Size;
}

/** What is read. */
export interface MediaSource {
  /** Absolute path. */
  path: string;
  info: MediaInfo;
  /** Options before the input that this source needs beside the usual ones (an image sequence). */
  inputOptions?: readonly string[];
  /** How pictures taken of HDR become SDR; absent or null = they stay as they are. */
  toneMapping?: ToneMapping | null;
}

/** Limits of one making. */
export interface MakeOptions {
  signal: AbortSignal;
  /** 0–1, whenever ffmpeg reports. */
  onProgress?(fraction: number): void;
}

/** Runs one ffmpeg; returns what it complained of. */
export type RunFfmpeg = (command: FfmpegCommand) => Promise<string[]>;

/** Options of a single JPEG, written to the very name that is given. */
export const JPEG_OUTPUT: readonly string[] = ['-frames:v', '1', '-c:v', 'mjpeg', '-f', 'image2', '-update', '1'];

/** The error for a file that ffmpeg reads without getting anything out of it. */
export function nothingDecoded(source: MediaSource, lines: readonly string[]): IsgError {
  const words = quoteLines(lines, source.path) || 'no frame could be decoded';
  const message = `ffmpeg got nothing out of this file: ${words}. Replace the file to try again.`;
  return new IsgError('media-unreadable', message, { retry: 'permanent', fields: { path: source.path } });
}

/** Size of a file that was made; null when it is not there or empty. */
export async function madeSize(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found && found.size > 0 ? found.size : null;
}
