import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFfmpeg, type Ffmpeg } from '../../../agent/roles/transcode/ffmpeg/ffmpeg.ts';
import { findFfmpeg } from '../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { prepareSource } from '../../../agent/roles/transcode/prepare-source.ts';
import { findTools, type Tools } from '../../../agent/roles/transcode/tools/find-tools.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { runGenerator } from '../../demo/clips.ts';
import { isLong } from '../../support/long-version.ts';
import { pdfPage } from './still-samples.ts';

const SEED = Number(process.env.ISG_PRO_TEST_SEED ?? 20_260_711);
const CASES = isLong ? 500 : 30;
/** Longest that one program may run on a damaged file here. */
const LIMIT_MS = 20_000;
/** What no child may take of memory, MiB: one picture of the largest allowed size, and what programs need themselves. */
const MOST_MEMORY_MIB = 1_600;

let dir: string;
let ffmpeg: Ffmpeg;
let tools: Tools;
let server: Server;
const asked: string[] = [];
const alive = new Map<number, ChildProcess>();
let peakMib = 0;

/** Looks at the memory of the children now and then. */
function measure(): void {
  for (const pid of alive.keys()) {
    try {
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      peakMib = Math.max(peakMib, Number(peak ?? 0) / 1024);
    } catch {
      // Ignored because the child has just ended.
    }
  }
}

const guard = {
  watch(child: ChildProcess) {
    const { pid } = child;
    if (pid === undefined) return;
    alive.set(pid, child);
    child.once('close', () => alive.delete(pid));
  },
};
let measuring: NodeJS.Timeout;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'isg-bad-media-'));
  const signal = AbortSignal.timeout(20_000);
  const programs = await findFfmpeg({ guard, signal });
  ffmpeg = createFfmpeg({ programs, guard, limitMs: LIMIT_MS, stallMs: LIMIT_MS, probeTimeoutMs: LIMIT_MS });
  tools = await findTools({ guard, signal });
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  measuring = setInterval(measure, 25);
});

afterAll(async () => {
  clearInterval(measuring);
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

let jobs = 0;

/** Everything that a job does with an original, without iconik. Returns what came of it. */
async function workOn(path: string): Promise<'made' | 'skipped' | IsgError> {
  jobs += 1;
  const job = join(dir, `job-${jobs}`);
  await mkdir(job);
  const signal = AbortSignal.timeout(LIMIT_MS * 6);
  const box = { width: 320, height: 320 };
  try {
    const prepared = await prepareSource(path, { ffmpeg, tools, guard, signal, dir: job, box, limitMs: LIMIT_MS });
    if (prepared.kind === 'skipped') return 'skipped';
    const settings = { ...DEFAULT_PROXY_SETTINGS, videoBox: box, imageBox: box };
    await ffmpeg.makeProxy(prepared.source, join(job, 'proxy'), settings, { signal });
    if (isLong && prepared.source.info.video)
      await ffmpeg.makePoster(prepared.source, join(job, 'poster.jpg'), box, { signal });
    return 'made';
  } catch (thrown) {
    if (thrown instanceof IsgError) return thrown;
    throw thrown;
  } finally {
    await rm(job, { recursive: true });
  }
}

/** Numbers from a seed (xorshift): the same seed damages the same bytes. */
function createRandom(seed: number): (below: number) => number {
  let state = seed || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Damages bytes, most of them in the first 2 KiB where headers are: extremes, zeros, noise, cuts, repeats. */
function damage(whole: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(whole);
  const edits = 1 + random(12);
  for (let edit = 0; edit < edits; edit += 1) {
    const reach = random(4) === 0 ? bytes.length : Math.min(2_048, bytes.length);
    const at = random(reach);
    const kind = random(4);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes.fill(0xff, at, Math.min(bytes.length, at + 4));
    else if (kind === 2) bytes.fill(0, at, Math.min(bytes.length, at + 1 + random(16)));
    else bytes.copy(bytes, at, random(bytes.length), Math.min(bytes.length, random(bytes.length) + 32));
  }
  return random(5) === 0 ? bytes.subarray(0, 1 + random(bytes.length)) : bytes;
}

async function makeSeeds(): Promise<string[]> {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=10:duration=0.5'];
  const tone = ['-f', 'lavfi', '-i', 'sine=duration=0.5'];
  const one = ['-frames:v', '1', '-update', '1'];
  const made: [string, string[]][] = [
    ['seed.mp4', [...picture, ...tone, '-c:v', 'libx264', '-pix_fmt', 'yuv420p']],
    ['seed.mkv', [...picture, ...tone, '-c:v', 'mpeg2video']],
    ['seed.avi', [...picture, '-c:v', 'mjpeg']],
    ['seed.ts', [...picture, ...tone, '-c:v', 'mpeg2video']],
    ['seed.mxf', [...picture, '-c:v', 'mpeg2video', '-r', '25']],
    ['seed.gif', picture],
    ['seed.wav', tone],
    ['seed.png', [...picture, ...one]],
    ['seed.tif', [...picture, ...one]],
    ['seed.dpx', [...picture, ...one]],
  ];
  const kinds = isLong ? made : made.filter((_, index) => index % 2 === 0);
  await Promise.all(kinds.map(([name, args]) => runGenerator([...args, `file:${join(dir, name)}`])));
  await writeFile(join(dir, 'seed.pdf'), pdfPage());
  return [...kinds.map(([name]) => name), 'seed.pdf'];
}

describe('Damaged media', () => {
  it(`end in an error in words, a proxy or a skip, in bounded time and memory (${CASES} cases, seed ${SEED})`, {
    timeout: isLong ? 3_600_000 : 240_000,
  }, async () => {
    const seeds = await makeSeeds();
    const random = createRandom(SEED);
    const ends = { made: 0, skipped: 0, failed: 0 };
    for (let number = 0; number < CASES; number += 1) {
      const seed = seeds[number % seeds.length] ?? '';
      const path = join(dir, `case-${number}${seed.slice(4)}`);
      await writeFile(path, damage(await readFile(join(dir, seed)), random));
      const end = await workOn(path);
      if (end instanceof IsgError) {
        ends.failed += 1;
        expect(end.message, `case ${number}, ${seed}`).toMatch(/\w{3}/);
        // What is tried again has an end: the runner counts attempts of these codes. ffmpeg calls some damage an input/output
        // error; the handler asks the storage then, and as it answers, the attempt counts.
        expect(
          ['media-unreadable', 'ffmpeg-failed', 'ffmpeg-missing', 'file-not-found', 'storage-unavailable'],
          `case ${number}, ${seed}: ${end.message}`,
        ).toContain(end.code);
      } else ends[end] += 1;
      await rm(path);
    }
    expect(ends.made + ends.skipped + ends.failed).toBe(CASES);
    expect(ends.failed).toBeGreaterThan(0);
    expect(ends.made).toBeGreaterThan(0);
    expect(peakMib).toBeGreaterThan(1);
    expect(peakMib).toBeLessThan(MOST_MEMORY_MIB);
    expect(alive.size).toBe(0);
  });
});

/** A second of pictures. */
const makeSecond = (codec: string, path: string) =>
  runGenerator(['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=10:duration=1', '-c:v', codec, `file:${path}`]);

describe('Playlists', () => {
  it('under any name open neither addresses nor other files', async () => {
    const { port } = server.address() as AddressInfo;
    const address = `http://127.0.0.1:${port}`;
    const secret = join(dir, 'secret.ts');
    await makeSecond('mpeg2video', secret);
    const lists: [string, string][] = [
      ['hls', `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${address}/a.ts\n#EXT-X-ENDLIST\n`],
      ['hls-local', `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${secret}\n#EXT-X-ENDLIST\n`],
      ['concat', `ffconcat version 1.0\nfile secret.ts\nfile ${address}/b.ts\n`],
      ['sdp', `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video ${port} RTP/AVP 96\n`],
      [
        'dash',
        `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>${address}/</BaseURL><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><SegmentTemplate media="c.mp4" initialization="d.mp4"/></Representation></AdaptationSet></Period></MPD>`,
      ],
      [
        'svg',
        `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64"><image xlink:href="${address}/e.png" width="64" height="64"/></svg>`,
      ],
      ['mvg', `push graphic-context\nviewbox 0 0 64 64\nimage over 0,0 0,0 '${address}/f.png'\npop graphic-context\n`],
    ];
    for (const [index, [kind, text]] of lists.entries()) {
      // Each under two of the names in turn: what a program takes for itself by the name, it takes under one of them.
      for (const extension of [
        ['.mov', '.ts'],
        ['.psd', '.m3u8'],
        ['.mp4', '.tif'],
      ][index % 3] ?? []) {
        const path = join(dir, `list-${kind}${extension}`);
        await writeFile(path, text);
        expect(await workOn(path), `${kind} as ${extension}`).not.toBe('made');
      }
    }
    expect(asked).toEqual([]);
  });
});

describe('Headers that lie', () => {
  it('about the length of a clip do not make a program run for ever', async () => {
    const path = join(dir, 'long.avi');
    await makeSecond('mjpeg', path);
    const bytes = await readFile(path);
    // Microseconds per frame, and the rate of the stream: a second of pictures that claims to last for years.
    bytes.writeUInt32LE(0x7fff_ffff, bytes.indexOf('avih') + 8);
    const strh = bytes.indexOf('strh') + 8;
    bytes.writeUInt32LE(0x7fff_ffff, strh + 20);
    bytes.writeUInt32LE(1, strh + 24);
    await writeFile(path, bytes);
    const startedAt = performance.now();
    const end = await workOn(path);
    expect(end === 'made' || (end instanceof IsgError && end.retry === 'permanent'), String(end)).toBe(true);
    // Two programs at most come to their limit: the proxy's, or that of the poster.
    expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS * 4);
  });

  it('and extensions that lie are seen through', async () => {
    await makeSecond('mpeg2video', join(dir, 'real.ts'));
    await copyFile(join(dir, 'real.ts'), join(dir, 'called.wav'));
    expect(await workOn(join(dir, 'called.wav'))).toBe('made');
    await writeFile(join(dir, 'words.mov'), 'only words, and no picture at all\n'.repeat(200));
    expect(await workOn(join(dir, 'words.mov'))).toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
  });
});
