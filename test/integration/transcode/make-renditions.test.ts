import { execFileSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaSource } from '../../../agent/roles/transcode/ffmpeg/rendition.ts';
import { DEFAULT_PROXY_SETTINGS, keyframeTimes } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { type Clip, makeClips, runGenerator } from '../../demo/clips.ts';
import { createFfmpegFixture, type FfmpegFixture } from './ffmpeg-fixture.ts';

let fixture: FfmpegFixture;
let clips: Clip[];
let clipsDir: string;
const signal = AbortSignal.timeout(300_000);

beforeAll(async () => {
  fixture = await createFfmpegFixture();
  clipsDir = join(fixture.dir, 'clips');
  clips = await makeClips(clipsDir, { signal });
});

afterAll(() => fixture.remove());

async function sourceAt(path: string): Promise<MediaSource> {
  return { path, info: await fixture.ffmpeg.probeMedia(path, signal) };
}

const clip = (path: string) => sourceAt(join(clipsDir, path));

let made = 0;
async function proxyOf(source: MediaSource, settings = DEFAULT_PROXY_SETTINGS) {
  made += 1;
  const path = join(fixture.dir, `proxy-${made}.${source.info.kind === 'image' ? 'jpg' : 'mp4'}`);
  return await fixture.ffmpeg.makeProxy(source, path, settings, { signal });
}

/** Picture types of all frames, as ffprobe decodes them. */
function pictureTypes(path: string): string {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'frame=pict_type', '-of', 'csv=p=0', path];
  return execFileSync(fixture.programs.ffprobe.path, args, { encoding: 'utf8' }).replace(/[^IPB]/g, '');
}

/** Colour of one pixel of the first frame. */
function pixel(path: string, x: number, y: number): number[] {
  const args = [
    '-v',
    'error',
    '-i',
    path,
    '-frames:v',
    '1',
    '-vf',
    `format=rgb24,crop=1:1:${x}:${y}`,
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-',
  ];
  return [...execFileSync(fixture.programs.ffmpeg.path, args)];
}

async function generate(name: string, args: readonly string[]): Promise<MediaSource> {
  const path = join(fixture.dir, name);
  await runGenerator([...args, `file:${path}`], { signal });
  return await sourceAt(path);
}

describe('video proxies', () => {
  it('are playable MP4 without B-frames, with the index in front, of the same length and rate', async () => {
    const source = await clip('interviews/Interview 02.mp4');
    const proxy = await proxyOf(source);
    expect(proxy.info).toMatchObject({
      kind: 'video',
      video: { codec: 'h264', pixelFormat: 'yuv420p', width: 640, height: 360, frameRate: '30000/1001' },
      audio: [{ codec: 'aac', channels: 2 }],
    });
    expect(proxy.info.durationSeconds).toBeCloseTo(source.info.durationSeconds ?? 0, 0);
    expect(pictureTypes(proxy.path)).toMatch(/^I[IP]{100,}$/);
    const head = execFileSync('head', ['-c', '60000', proxy.path]).toString('latin1');
    expect(head.indexOf('moov')).toBeGreaterThan(0);
    expect(head.indexOf('moov')).toBeLessThan(
      head.indexOf('mdat') === -1 ? Number.POSITIVE_INFINITY : head.indexOf('mdat'),
    );
  });

  it('of a phone clip stand upright', async () => {
    const source = await clip('phone/IMG_0042.MOV');
    expect(source.info.video?.rotation).not.toBe(0);
    const proxy = await proxyOf(source);
    expect(proxy.info.video).toMatchObject({ width: 360, height: 640, rotation: 0 });
  });

  it('of an interlaced tape are whole frames with square pixels and both mono tracks as stereo', async () => {
    const source = await clip('archive/Tape 7.mxf');
    expect(source.info).toMatchObject({ video: { fieldOrder: 'tt' }, audio: [{ channels: 1 }, { channels: 1 }] });
    const proxy = await proxyOf(source);
    expect(proxy.info).toMatchObject({
      video: { width: 1024, height: 576, pixelAspect: 1, fieldOrder: 'progressive', frameRate: '25' },
      audio: [{ channels: 2 }],
    });
  });

  it('stay below the ceiling for noise', async () => {
    const proxy = await proxyOf(await clip('masters/Master.mov'));
    expect(proxy.sizeBytes * 8).toBeLessThan(3 * 4_000_000 * 1.25);
  });
});

describe('pictures of a clip', () => {
  it.each([
    ['bt709', 'HD'],
    ['smpte170m', 'SD'],
  ])('in the matrix %s (%s) have its colours', async (matrix, name) => {
    const size = name === 'HD' ? '1280x720' : '640x480';
    const picture = `color=red:size=${size}:rate=10:duration=2,scale=out_color_matrix=${matrix},format=yuv420p`;
    const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-colorspace', matrix];
    const source = await generate(`red-${name}.mp4`, ['-f', 'lavfi', '-i', picture, ...codec]);
    const poster = join(fixture.dir, `red-${name}.jpg`);
    await fixture.ffmpeg.makePoster(source, poster, { width: 320, height: 320 }, { signal });
    const sheet = join(fixture.dir, `red-${name}-sheet.jpg`);
    await fixture.ffmpeg.makeScrubSheet(source, sheet, { signal });
    for (const path of [poster, sheet]) {
      const [red = 0, green = 255, blue = 255] = pixel(path, 60, 40);
      expect(red, path).toBeGreaterThan(245);
      expect(Math.max(green, blue), path).toBeLessThan(12);
    }
  });
});

describe('other proxies', () => {
  it('of sound are AAC in MP4', async () => {
    const proxy = await proxyOf(await clip('audio/Atmo.wav'));
    expect(proxy.info).toMatchObject({ kind: 'audio', video: null, audio: [{ codec: 'aac', channels: 2 }] });
  });

  it('of a photo are a JPEG within the image box', async () => {
    const proxy = await proxyOf(await clip('stills/Photo.jpg'));
    expect(proxy.info).toMatchObject({ kind: 'image', video: { codec: 'mjpeg', width: 2048, height: 1365 } });
  });

  it('of a see-through still lie on white, with the size kept', async () => {
    const proxy = await proxyOf(await clip('stills/Logo.png'));
    expect(proxy.info.video).toMatchObject({ codec: 'mjpeg', width: 401, height: 301 });
    const [red = 0, green = 0, blue = 0] = pixel(proxy.path, 200, 150);
    expect(red).toBeGreaterThan(240);
    expect(green).toBeGreaterThan(100);
    expect(Math.abs(green - blue)).toBeLessThan(12);
  });
});

describe('pictures', () => {
  it('are a poster and evenly spaced keyframes, as JPEG within the box', async () => {
    const source = await clip('interviews/Interview 01.mov');
    const box = { width: 640, height: 640 };
    const poster = await fixture.ffmpeg.makePoster(source, join(fixture.dir, 'poster.jpg'), box, { signal });
    const dir = join(fixture.dir, 'frames');
    await mkdir(dir);
    const frames = await fixture.ffmpeg.makeKeyframes(source, (n) => join(dir, `${n}.jpg`), box, { signal });
    expect(poster).toMatchObject({ seconds: 0.5, size: { width: 640, height: 360 } });
    expect(frames.map((frame) => frame.seconds)).toEqual(keyframeTimes(5));
    expect((await readdir(dir)).toSorted()).toEqual(['1.jpg', '2.jpg', '3.jpg', '4.jpg', '5.jpg']);
    for (const frame of [poster, ...frames]) {
      const info = await fixture.ffmpeg.probeMedia(frame.path, signal);
      expect(info).toMatchObject({ kind: 'image', video: { codec: 'mjpeg', width: 640, height: 360 } });
    }
  });

  it('of a clip shorter than its header says fall back to the first frame', async () => {
    const source = await clip('interviews/Interview 02.mp4');
    const longer = { ...source, info: { ...source.info, durationSeconds: 4_000 } };
    const poster = await fixture.ffmpeg.makePoster(
      longer,
      join(fixture.dir, 'first.jpg'),
      { width: 320, height: 320 },
      { signal },
    );
    expect(poster.seconds).toBe(0);
  });

  it('of a still have the size that the still is shown with', async () => {
    const poster = await fixture.ffmpeg.makePoster(
      await clip('stills/Photo.jpg'),
      join(fixture.dir, 'still.jpg'),
      { width: 600, height: 600 },
      { signal },
    );
    expect(poster.size).toEqual({ width: 600, height: 400 });
  });
});

describe('names', () => {
  it.each(['-dash.mov', 'colon:and space.mov', '50%03d.mov', 'quote\'s "x".mov', 'Übung – Köln.mov', 'new\nline.mov'])(
    'such as %j are read and written literally',
    async (name) => {
      const dir = join(fixture.dir, 'names');
      await mkdir(dir, { recursive: true });
      const lavfi = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10:duration=0.5'];
      const source = await generate(`names/${name}`, [...lavfi, '-c:v', 'mjpeg']);
      const proxy = await fixture.ffmpeg.makeProxy(source, join(dir, `${name}.mp4`), DEFAULT_PROXY_SETTINGS, {
        signal,
      });
      expect(proxy.info.video).toMatchObject({ width: 64, height: 48 });
    },
  );

  it('with a number pattern open the still of that very name', async () => {
    const path = join(fixture.dir, 'shot%03d.jpg');
    await runGenerator([
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=64x48:duration=1',
      '-frames:v',
      '1',
      '-update',
      '1',
      `file:${path}`,
    ]);
    const proxy = await proxyOf(await sourceAt(path));
    expect(proxy.info.video).toMatchObject({ width: 64, height: 48 });
  });
});

describe('the demo’s clips', () => {
  it('hold what they promise', async () => {
    for (const { path, kind } of clips) {
      if (kind === 'video' || kind === 'audio' || kind === 'still') {
        const { info } = await clip(path);
        expect(info.kind, path).toBe(kind === 'still' ? 'image' : kind);
      }
    }
    expect((await clip('interviews/Interview 01.mov')).info.video?.startTimeCode).toBe('10:00:00:00');
    expect(clips.some((entry) => entry.path !== entry.path.normalize('NFC'))).toBe(true);
  });
});
