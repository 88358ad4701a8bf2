import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';

/** What a clip is for; the checks of the demo go by it. */
export type ClipKind = 'video' | 'audio' | 'still' | 'document' | 'corrupt' | 'empty';

/** One clip of the demo's storage. Everything is generated; nothing is downloaded. */
export interface Clip {
  /** Relative to the folder, `/`-separated, in the Unicode form in which it is written. */
  path: string;
  kind: ClipKind;
  /** Relative path of the clip it is a byte for byte copy of. */
  duplicateOf?: string;
}

/** Where and with what clips are made. */
export interface ClipOptions {
  /** ffmpeg program; default `ffmpeg` in PATH. */
  ffmpeg?: string;
  signal?: AbortSignal;
}

/** A name in both Unicode forms: composed as most systems write it, decomposed as older Macs do. */
const COMPOSED_NAME = 'Übung – Köln.mov'.normalize('NFC');
const DECOMPOSED_NAME = 'Übung – Köln (Mac).mov'.normalize('NFD');

const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25'];
const STEREO = ['-c:a', 'aac', '-b:a', '96k', '-ac', '2'];

/** A test picture that differs per clip, so that no two have equal bytes by chance. */
function picture(size: string, seconds: number, hue: number, frameRate = '25'): string[] {
  return ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${frameRate}:duration=${seconds},hue=h=${hue}`];
}

function tone(hertz: number, seconds: number): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=${hertz}:sample_rate=48000:duration=${seconds}`];
}

/** Runs ffmpeg and waits for its end; throws with its last words. */
export async function runGenerator(args: readonly string[], options: ClipOptions = {}): Promise<void> {
  const all = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-y', ...args];
  const child = spawn(options.ffmpeg ?? 'ffmpeg', all, { stdio: ['ignore', 'ignore', 'pipe'], signal: options.signal });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-2_000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  if (code !== 0) throw new Error(`ffmpeg could not make a clip (exit code ${code}): ${words.trim()}`);
}

/**
 * Makes one file with ffmpeg, in its folder, complete or not at all. In a test run (which names a folder for what is made
 * once) the file is a copy of what the same words to ffmpeg made before.
 */
async function generate(dir: string, path: string, args: readonly string[], options: ClipOptions): Promise<void> {
  const target = join(dir, path);
  await mkdir(dirname(target), { recursive: true });
  const templates = process.env.ISG_PRO_TEST_TEMPLATES;
  if (templates === undefined) return runGenerator([...args, `file:${target}`], options);
  const folder = join(templates, 'clips');
  const words = JSON.stringify([options.ffmpeg ?? 'ffmpeg', ...args]);
  const made = join(folder, `${createHash('sha256').update(words).digest('hex').slice(0, 16)}${extname(path)}`);
  if (!existsSync(made)) {
    await mkdir(folder, { recursive: true });
    const unfinished = join(folder, `${randomUUID()}${extname(path)}`);
    await runGenerator([...args, `file:${unfinished}`], options);
    await rename(unfinished, made);
  }
  await copyFile(made, target);
}

/** 1280×720, 5 s, 25 fps, time code from 10:00:00:00, stereo. */
async function makeInterview(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'interviews/Interview 01.mov';
  const args = [...picture('1280x720', 5, 0), ...tone(440, 5), ...H264, ...STEREO, '-timecode', '10:00:00:00'];
  await generate(dir, path, args, options);
  return { path, kind: 'video' };
}

/** 640×360, 4 s, 30000/1001 fps with a drop-frame time code. */
export async function makeDropFrame(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'interviews/Interview 02.mp4';
  const made = [...picture('640x360', 4, 60, '30000/1001'), ...tone(330, 4), ...H264, ...STEREO];
  await generate(dir, path, [...made, '-timecode', '01:00:00;00'], options);
  return { path, kind: 'video' };
}

/** A phone's clip: stored lying, to be shown upright (360×640). */
async function makePhoneClip(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'phone/IMG_0042.MOV';
  const lying = join(dir, 'phone/lying.part.mp4');
  await generate(
    dir,
    'phone/lying.part.mp4',
    [...picture('640x360', 3, 120), ...tone(550, 3), ...H264, ...STEREO],
    options,
  );
  // The turn is written twice: newer programs take the option before the input, older ones the tag after it.
  const isNew = await runGenerator(
    ['-display_rotation', '-90', '-i', `file:${lying}`, '-c', 'copy', `file:${join(dir, path)}`],
    options,
  )
    .then(() => true)
    .catch(() => false);
  if (!isNew)
    await runGenerator(
      ['-i', `file:${lying}`, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', `file:${join(dir, path)}`],
      options,
    );
  await rm(lying);
  return { path, kind: 'video' };
}

/** Interlaced standard definition with wide pixels, two mono tracks, as tapes were captured. */
async function makeTapeCapture(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'archive/Tape 7.mxf';
  const fields = ['-vf', 'tinterlace=mode=interleave_top,setfield=tff,setsar=64/45', '-flags', '+ilme+ildct'];
  const sound = ['-map', '0:v', '-map', '1:a', '-map', '2:a', '-c:a', 'pcm_s16le', '-ac', '1'];
  const source = [...picture('720x576', 2, 180, '50'), ...tone(220, 2), ...tone(880, 2)];
  await generate(dir, path, [...source, ...fields, ...sound, '-c:v', 'mpeg2video', '-b:v', '4M', '-r', '25'], options);
  return { path, kind: 'video' };
}

/** At least 12 MiB in 3 s: noise that no codec can shrink, for uploads in several parts. */
async function makeLargeClip(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'masters/Master.mov';
  const noise = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25:duration=3,noise=alls=100:allf=t'];
  await generate(
    dir,
    path,
    [...noise, ...tone(660, 3), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj422p', '-q:v', '2', '-c:a', 'pcm_s16le'],
    options,
  );
  return { path, kind: 'video' };
}

/** The same sort of clip under a composed and a decomposed Unicode name. */
async function makeUnicodeClips(dir: string, options: ClipOptions = {}): Promise<Clip[]> {
  const composed = `Übung/${COMPOSED_NAME}`.normalize('NFC');
  const decomposed = `Übung/${DECOMPOSED_NAME}`.normalize('NFD');
  await generate(dir, composed, [...picture('640x360', 2, 240), ...tone(300, 2), ...H264, ...STEREO], options);
  await generate(dir, decomposed, [...picture('640x360', 2, 300), ...tone(310, 2), ...H264, ...STEREO], options);
  return [
    { path: composed, kind: 'video' },
    { path: decomposed, kind: 'video' },
  ];
}

/** Stereo WAV, 4 s. */
export async function makeAudio(dir: string, options: ClipOptions = {}): Promise<Clip> {
  const path = 'audio/Atmo.wav';
  await generate(dir, path, [...tone(440, 4), '-ac', '2', '-c:a', 'pcm_s16le'], options);
  return { path, kind: 'audio' };
}

/** A JPEG of 3000×2000 and a PNG that is half see-through. */
export async function makeStills(dir: string, options: ClipOptions = {}): Promise<Clip[]> {
  const photo = 'stills/Photo.jpg';
  const logo = 'stills/Logo.png';
  const frame = ['-frames:v', '1', '-update', '1'];
  await generate(dir, photo, [...picture('3000x2000', 1, 30), ...frame, '-q:v', '4'], options);
  const clear = ['-f', 'lavfi', '-i', 'color=c=red@0.5:size=401x301:duration=1,format=rgba'];
  await generate(dir, logo, [...clear, ...frame], options);
  return [
    { path: photo, kind: 'still' },
    { path: logo, kind: 'still' },
  ];
}

/** Files that are no clips: a truncated video, an empty one, a text. */
export async function makeOddFiles(dir: string): Promise<Clip[]> {
  await mkdir(join(dir, 'broken'), { recursive: true });
  // An MP4 header that promises more than follows, then bytes that mean nothing: a copy that broke off.
  const header = Buffer.from('0000001c6674797069736f6d0000020069736f6d69736f326d703431', 'hex');
  const garbage = Buffer.alloc(200_000, 0);
  for (let index = 0; index < garbage.length; index += 1) garbage[index] = (index * 2_654_435_761) >>> 13;
  await writeFile(join(dir, 'broken/Truncated.mp4'), Buffer.concat([header, garbage]));
  await writeFile(join(dir, 'broken/Nothing.mov'), '');
  await writeFile(join(dir, 'broken/Read me.txt'), 'Notes of the shoot.\n');
  return [
    { path: 'broken/Truncated.mp4', kind: 'corrupt' },
    { path: 'broken/Nothing.mov', kind: 'empty' },
    { path: 'broken/Read me.txt', kind: 'document' },
  ];
}

/** A byte for byte copy of a clip under another name in another folder. */
async function makeDuplicate(dir: string, of: Clip): Promise<Clip> {
  const path = 'delivery/Copy of interview.mov';
  await mkdir(join(dir, 'delivery'), { recursive: true });
  await copyFile(join(dir, of.path), join(dir, path));
  return { path, kind: of.kind, duplicateOf: of.path };
}

/** The demo's whole set, in at most 10 s on two processors. */
export async function makeClips(dir: string, options: ClipOptions = {}): Promise<Clip[]> {
  const interview = await makeInterview(dir, options);
  const first = await Promise.all([
    makeDropFrame(dir, options),
    makePhoneClip(dir, options),
    makeTapeCapture(dir, options),
  ]);
  const second = await Promise.all([makeLargeClip(dir, options), makeUnicodeClips(dir, options)]);
  const third = await Promise.all([makeAudio(dir, options), makeStills(dir, options), makeOddFiles(dir)]);
  return [interview, ...first, ...second.flat(), ...third.flat(), await makeDuplicate(dir, interview)];
}

/** How a growing file is written. */
export interface GrowOptions {
  /** Pieces of about equal size. */
  steps: number;
  /** Wait between two pieces, milliseconds. */
  intervalMs: number;
  signal?: AbortSignal;
}

/**
 * Writes a copy of a finished clip in pieces, as a recorder or a slow copy does; resolves when the last piece is on the
 * disk. What is read before that is not a valid clip.
 */
export async function growSlowly(path: string, sourcePath: string, options: GrowOptions): Promise<void> {
  const bytes = await readFile(sourcePath);
  const pieceBytes = Math.max(1, Math.ceil(bytes.length / options.steps));
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  try {
    for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
      options.signal?.throwIfAborted();
      if (offset > 0) await pause(options.intervalMs, options.signal);
      await file.write(bytes.subarray(offset, offset + pieceBytes));
      await file.sync();
    }
  } finally {
    await file.close();
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
