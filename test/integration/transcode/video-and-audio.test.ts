import { execFileSync } from 'node:child_process';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ffmpeg } from '../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import type { MediaSource } from '../../../agent/roles/transcode/ffmpeg/rendition.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import type { ToneMapping } from '../../../agent/roles/transcode/ffmpeg/tone-mapping.ts';
import { runGenerator } from '../../demo/clips.ts';
import { createFfmpegFixture, type FfmpegFixture } from './ffmpeg-fixture.ts';

let fixture: FfmpegFixture;
/** Black, the white of a page (203 cd/m²) and a lamp (1000 cd/m²) in PQ; wide pixels, odd height, 29.97 drop-frame, 5.1. */
let hdr: MediaSource;
const signal = AbortSignal.timeout(120_000);

async function generate(name: string, args: readonly string[]): Promise<MediaSource> {
  const path = join(fixture.dir, name);
  await runGenerator([...args, `file:${path}`], { signal });
  return { path, info: await fixture.ffmpeg.probeMedia(path, signal) };
}

const lavfi = (...graphs: string[]) => graphs.flatMap((graph) => ['-f', 'lavfi', '-i', graph]);

async function makeHdr(): Promise<MediaSource> {
  const light = "geq=lum='65535*if(lt(X,64),0,if(lt(X,128),0.58,0.75))'";
  const picture = `color=black:size=192x109:rate=30000/1001:duration=0.5,format=gray16le,${light},format=yuv422p10le,setsar=4/3`;
  const sound = 'aevalsrc=0.4*sin(880*t)|0|0|0|0|0:d=0.5:s=48000:c=5.1';
  const x265 = 'log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc';
  const codecs = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', x265, '-c:a', 'pcm_s16le'];
  return await generate('hdr.mov', [...lavfi(picture, sound), ...codecs, '-timecode', '01:00:00;00']);
}

beforeAll(async () => {
  fixture = await createFfmpegFixture();
  hdr = await makeHdr();
});

afterAll(() => fixture.remove());

let made = 0;
async function proxyOf(source: MediaSource, settings = DEFAULT_PROXY_SETTINGS, ffmpeg: Ffmpeg = fixture.ffmpeg) {
  made += 1;
  return await ffmpeg.makeProxy(source, join(fixture.dir, `proxy-${made}.mp4`), settings, { signal });
}

/** Raw output of ffmpeg. */
function decode(path: string, options: readonly string[]): Buffer {
  return execFileSync(fixture.programs.ffmpeg.path, ['-v', 'error', '-i', path, ...options, '-']);
}

/** Brightness of the first frame in the middle of each third, 0–255. */
function thirds(path: string): number[] {
  const gray = decode(path, ['-frames:v', '1', '-vf', 'scale=9:3,format=gray', '-f', 'rawvideo']);
  return [1, 4, 7].map((x) => gray[9 + x] ?? 0);
}

/** Loudest sample of each channel, 0–1. */
function peaks(path: string, channels: number): number[] {
  const samples = decode(path, ['-map', '0:a', '-f', 's16le', '-c:a', 'pcm_s16le']);
  const loudest = Array.from({ length: channels }, () => 0);
  for (let at = 0; at + 1 < samples.length; at += 2) {
    const channel = (at / 2) % channels;
    loudest[channel] = Math.max(loudest[channel] ?? 0, Math.abs(samples.readInt16LE(at)) / 32_768);
  }
  return loudest;
}

/** Facts of a proxy that `MediaInfo` does not hold. */
function streamFacts(path: string): { has_b_frames: number; nb_frames: string; r_frame_rate: string } {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_streams', '-of', 'json', path];
  return JSON.parse(execFileSync(fixture.programs.ffprobe.path, args, { encoding: 'utf8' })).streams[0];
}

describe('HDR', () => {
  it('becomes SDR that every player shows alike: black stays black, a page is bright, a lamp brighter', async () => {
    expect(hdr.info.video).toMatchObject({
      codec: 'hevc',
      colour: { transfer: 'smpte2084', primaries: 'bt2020', matrix: 'bt2020nc', range: 'tv' },
      startTimeCode: '01:00:00;00',
      isDropFrame: true,
      frameRate: '30000/1001',
    });
    const proxy = await proxyOf(hdr);
    expect(proxy).toMatchObject({ complaint: '', encoder: 'libx264' });
    expect(proxy.info.video).toMatchObject({
      codec: 'h264',
      width: 256,
      height: 108,
      pixelFormat: 'yuv420p',
      frameRate: '30000/1001',
      colour: { transfer: 'bt709', primaries: 'bt709', matrix: 'bt709', range: 'tv' },
    });
    const [black = 0, page = 0, lamp = 0] = thirds(proxy.path);
    expect(black).toBeLessThan(20);
    expect(page).toBeGreaterThan(165);
    expect(page).toBeLessThan(215);
    expect(lamp).toBeGreaterThan(page + 25);
  });

  it('of a clip with wide pixels and odd lines has square even ones within the box, no B-frames, and stereo of 5.1', async () => {
    const proxy = await proxyOf(hdr, { ...DEFAULT_PROXY_SETTINGS, videoBox: { width: 200, height: 200 } });
    expect(proxy.info.video).toMatchObject({ width: 200, height: 84, pixelAspect: 1 });
    expect(streamFacts(proxy.path)).toMatchObject({ has_b_frames: 0 });
    expect(proxy.info.audio).toMatchObject([{ codec: 'aac', channels: 2, sampleRate: 48_000 }]);
    const [left = 0, right = 0] = peaks(proxy.path, 2);
    expect(left).toBeGreaterThan(0.1);
    expect(right).toBeLessThan(0.02);
  });

  it('in HLG is mapped too, and follows the numbers of the transcoder', async () => {
    const { video } = hdr.info;
    const colour = { transfer: 'arib-std-b67', primaries: null, matrix: null, range: null };
    const hlg = { ...hdr, info: { ...hdr.info, audio: [], video: video && { ...video, colour } } };
    const darker = {
      ...DEFAULT_PROXY_SETTINGS.toneMapping,
      brightness: -0.3,
      saturation: 0.5,
      desaturation: 2,
      peak: 10,
    };
    const proxy = await proxyOf(hlg, { ...DEFAULT_PROXY_SETTINGS, toneMapping: darker });
    expect(proxy.info.video?.colour).toMatchObject({ transfer: 'bt709', primaries: 'bt709' });
    const plain = thirds((await proxyOf(hlg)).path)[2] ?? 0;
    expect(thirds(proxy.path)[2]).toBeLessThan(plain - 40);
  });

  it('is mapped in pictures taken of the original too, unless told otherwise', async () => {
    const lampIn = async (toneMapping: ToneMapping | null) => {
      const path = join(fixture.dir, `poster-${toneMapping === null}.jpg`);
      await fixture.ffmpeg.makePoster({ ...hdr, toneMapping }, path, { width: 256, height: 256 }, { signal });
      return thirds(path)[2] ?? 0;
    };
    expect(await lampIn(DEFAULT_PROXY_SETTINGS.toneMapping)).toBeGreaterThan((await lampIn(null)) + 25);
  });

  it('without the filters for it is shown as it is, and that is told', async () => {
    const proxy = await proxyOf(
      hdr,
      DEFAULT_PROXY_SETTINGS,
      fixture.with({ programs: { ...fixture.programs, canToneMap: false } }),
    );
    expect(proxy.complaint).toContain('cannot turn HDR into SDR');
    expect(proxy.info.video).toMatchObject({ codec: 'h264', pixelFormat: 'yuv420p' });
  });
});

describe('time', () => {
  it('of uneven frame distances becomes even, with the length kept and no sound made up', async () => {
    const picture = "testsrc2=size=64x48:rate=60:duration=1,select='not(mod(n,3))+lt(n,15)'";
    const source = await generate('phone.mp4', [
      ...lavfi(picture),
      '-vsync',
      'vfr',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
    ]);
    expect(source.info.video?.isVariableRate).toBe(true);
    const proxy = await proxyOf(source);
    expect(proxy.info).toMatchObject({ audio: [], video: { isVariableRate: false, frameRate: '30' } });
    expect(Number(streamFacts(proxy.path).nb_frames)).toBeGreaterThanOrEqual(29);
    expect(proxy.info.durationSeconds).toBeCloseTo(source.info.durationSeconds ?? 0, 1);
  });
});

describe('progress', () => {
  it('is reported at least once a second while ffmpeg works, and only grows', async () => {
    const seconds = 3;
    const picture = `color=gray:size=32x32:rate=5:duration=${seconds}`;
    const source = await generate('long.mp4', [...lavfi(picture), '-c:v', 'libx264', '-preset', 'ultrafast']);
    const reports: number[] = [];
    const atItsPace = { ...source, inputOptions: ['-re'] };
    await fixture.ffmpeg.makeProxy(atItsPace, join(fixture.dir, 'long-proxy.mp4'), DEFAULT_PROXY_SETTINGS, {
      signal,
      onProgress: (fraction) => reports.push(fraction),
    });
    expect(reports.length).toBeGreaterThanOrEqual(seconds);
    expect(reports).toEqual(reports.toSorted((a, b) => a - b));
    expect(new Set(reports).size).toBeGreaterThan(2);
  });
});

describe('sound', () => {
  it('of two mono tracks is left and right, and as long as the longer one', async () => {
    const args = ['-map', '0', '-map', '1', '-c:a', 'pcm_s16le'];
    const source = await generate('monos.mov', [...lavfi('sine=440:duration=0.8', 'anullsrc=cl=mono:d=0.3'), ...args]);
    const proxy = await proxyOf(source);
    expect(proxy.info).toMatchObject({ kind: 'audio', audio: [{ channels: 2 }] });
    expect(proxy.info.durationSeconds).toBeGreaterThan(0.75);
    const [left = 0, right = 0] = peaks(proxy.path, 2);
    expect(left).toBeGreaterThan(0.08);
    expect(right).toBeLessThan(0.01);
  });

  it('of ten channels in one track is the first two, or what the transcoder lets it keep', async () => {
    const tones = ['0.3*sin(900*t)', '0', ...Array.from({ length: 8 }, () => '0.3*sin(3000*t)')];
    const source = await generate('ten.mov', [
      ...lavfi(`aevalsrc=${tones.join('|')}:d=0.3:s=48000`),
      '-c:a',
      'pcm_s16le',
    ]);
    expect(source.info.audio).toMatchObject([{ channels: 10, channelLayout: null }]);
    const [left = 0, right = 0] = peaks((await proxyOf(source)).path, 2);
    expect(left).toBeGreaterThan(0.2);
    expect(right).toBeLessThan(0.01);
    const sound = { audioBitRate: 128_000, keepChannels: true, mergeTracks: false };
    const many = await proxyOf(
      { ...hdr, info: { ...hdr.info, kind: 'audio', video: null } },
      { ...DEFAULT_PROXY_SETTINGS, sound },
    );
    expect(many.info).toMatchObject({ kind: 'audio', audio: [{ channels: 6 }] });
  });

  it('with cover art is sound', async () => {
    const art = ['-map', '0', '-map', '1', '-frames:v', '1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic'];
    const source = await generate('song.mp3', [
      ...lavfi('sine=440:duration=0.5', 'testsrc2=size=64x64:duration=1'),
      ...art,
    ]);
    expect(source.info).toMatchObject({ kind: 'audio', video: null });
    expect((await proxyOf(source)).info).toMatchObject({
      kind: 'audio',
      video: null,
      audio: [{ codec: 'aac', channels: 2 }],
    });
  });
});

/** A program that behaves like ffmpeg, but for what `script` does with the calls that name NVENC. */
async function wrapped(name: string, script: string): Promise<Ffmpeg> {
  const path = join(fixture.dir, name);
  const real = fixture.programs.ffmpeg.path;
  const lines = [
    '#!/bin/sh',
    `echo x >> '${path}.calls'`,
    'case "$*" in *h264_nvenc*)',
    script,
    ';; esac',
    `exec '${real}' "$@"`,
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  const programs = { ...fixture.programs, ffmpeg: { ...fixture.programs.ffmpeg, path } };
  return fixture.with({ programs, hardwareEncoding: 'nvenc' });
}

describe('hardware encoding', () => {
  const whole = DEFAULT_PROXY_SETTINGS;
  let clip: MediaSource;
  beforeAll(async () => {
    const picture = 'testsrc2=size=320x180:rate=25:duration=0.2';
    clip = await generate('clip.mp4', [...lavfi(picture), '-c:v', 'libx264', '-preset', 'ultrafast']);
  });

  it('on auto makes a good proxy with whatever this machine proves to have', async () => {
    const proxy = await proxyOf(clip, whole, fixture.with({ hardwareEncoding: 'auto' }));
    expect(proxy.complaint).toBe('');
    expect(['libx264', 'h264_nvenc', 'h264_qsv', 'h264_videotoolbox']).toContain(proxy.encoder);
    expect(proxy.info.video).toMatchObject({ codec: 'h264', width: 320, height: 180 });
  });

  it('that fails midway is made up for in software at once, which is told, with nothing left behind', async () => {
    const failing =
      'case "$*" in *"-f null"*) exit 0;; esac; for last in "$@"; do :; done; echo junk > "$(echo "$last" | cut -c6-)"';
    const ffmpeg = await wrapped(
      'bad-card',
      `${failing}; echo "OpenEncodeSessionEx failed: out of memory (10)" >&2; exit 1`,
    );
    const proxy = await proxyOf(clip, whole, ffmpeg);
    expect(proxy).toMatchObject({
      encoder: 'libx264',
      complaint: expect.stringContaining('OpenEncodeSessionEx failed'),
      info: { video: { codec: 'h264', width: 320 } },
    });
    expect((await readdir(fixture.dir)).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(await readFile(join(fixture.dir, 'bad-card.calls'), 'utf8'), 'trial, card, software').toBe('x\n'.repeat(3));
  });
});
