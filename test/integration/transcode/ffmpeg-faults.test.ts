import { once } from 'node:events';
import { access, chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { findFfmpeg } from '../../../agent/roles/transcode/ffmpeg/find-ffmpeg.ts';
import type { MediaSource } from '../../../agent/roles/transcode/ffmpeg/rendition.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { cleanTemp, makeJobTemp } from '../../../agent/roles/transcode/job-temp.ts';
import { growSlowly, makeOddFiles, runGenerator } from '../../demo/clips.ts';
import { createFfmpegFixture, type FfmpegFixture, isAlive } from './ffmpeg-fixture.ts';

let fixture: FfmpegFixture;
/** A clip that takes ffmpeg many seconds, so that it can be disturbed. */
let slow: MediaSource;
const signal = AbortSignal.timeout(120_000);
const guard = { watch() {} };

beforeAll(async () => {
  fixture = await createFfmpegFixture();
  await makeOddFiles(fixture.dir);
  const path = join(fixture.dir, 'slow.avi');
  const lavfi = ['-f', 'lavfi', '-i', 'color=size=64x36:rate=25:duration=3600'];
  await runGenerator([...lavfi, '-c:v', 'mpeg4', '-g', '500', `file:${path}`], { signal });
  slow = { path, info: await fixture.ffmpeg.probeMedia(path, signal) };
});

afterAll(() => fixture.remove());

/** A program that stands for ffmpeg. */
async function fakeProgram(name: string, script: string): Promise<string> {
  const path = join(fixture.dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Blows the slow clip up, so that encoding cannot end before it is disturbed. */
const SLOW_SETTINGS = { ...DEFAULT_PROXY_SETTINGS, videoBox: { width: 1280, height: 720 } };
const slowest = (): MediaSource => ({
  ...slow,
  info: { ...slow.info, video: slow.info.video && { ...slow.info.video, width: 1280, height: 720 } },
});

describe('damaged files', () => {
  it('are refused for good, with ffprobe’s own words', async () => {
    const path = join(fixture.dir, 'broken/Truncated.mp4');
    await expect(fixture.ffmpeg.probeMedia(path, signal)).rejects.toMatchObject({
      code: 'media-unreadable',
      retry: 'permanent',
      message: expect.stringContaining('moov atom not found'),
    });
  });

  it('whose header is whole but whose pictures are not are refused for good', async () => {
    const path = join(fixture.dir, 'hollow.mkv');
    const whole = join(fixture.dir, 'whole.mkv');
    await runGenerator([
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=320x180:rate=25:duration=1',
      '-c:v',
      'libx264',
      `file:${whole}`,
    ]);
    const bytes = await readFile(whole);
    await writeFile(path, bytes.fill(0x55, 1_500));
    const source = { path: whole, info: await fixture.ffmpeg.probeMedia(whole, signal) };
    const make = fixture.ffmpeg.makeProxy(
      { ...source, path },
      join(fixture.dir, 'hollow.mp4'),
      DEFAULT_PROXY_SETTINGS,
      { signal },
    );
    await expect(make).rejects.toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    await expect(access(join(fixture.dir, 'hollow.mp4'))).rejects.toThrow();
  });

  it('that are gone are told from damaged ones', async () => {
    const path = join(fixture.dir, 'nowhere.mov');
    await expect(fixture.ffmpeg.probeMedia(path, signal)).rejects.toMatchObject({ code: 'file-not-found' });
  });
});

describe('a running ffmpeg', () => {
  it('is dead when the call ends after a cancel, and leaves nothing in place', async () => {
    const abort = new AbortController();
    const started = fixture.nextChild();
    const path = join(fixture.dir, 'cancelled.mp4');
    const make = fixture.ffmpeg.makeProxy(slowest(), path, SLOW_SETTINGS, { signal: abort.signal });
    const failure = expect(make).rejects.toThrow('cancelled by the test');
    const child = await started;
    abort.abort(new Error('cancelled by the test'));
    await failure;
    expect(isAlive(child)).toBe(false);
    await expect(access(path)).rejects.toThrow();
  });

  it('that is killed by someone else is a transient failure', async () => {
    const started = fixture.nextChild();
    const path = join(fixture.dir, 'killed.mp4');
    const make = fixture.ffmpeg.makeProxy(slowest(), path, SLOW_SETTINGS, { signal });
    const failure = expect(make).rejects.toMatchObject({ code: 'ffmpeg-failed', retry: 'transient' });
    (await started).kill('SIGKILL');
    await failure;
    await expect(access(path)).rejects.toThrow();
  });

  it('that stands still is ended and tried again', async () => {
    const ffmpeg = fixture.with({ stallMs: 700 });
    const started = fixture.nextChild();
    const shown = { ...slowest(), info: { ...slowest().info, durationSeconds: 10 } };
    const make = ffmpeg.makeProxy(shown, join(fixture.dir, 'stalled.mp4'), SLOW_SETTINGS, { signal });
    const failure = expect(make).rejects.toMatchObject({
      code: 'ffmpeg-failed',
      retry: 'transient',
      message: expect.stringContaining('no progress'),
    });
    const child = await started;
    child.kill('SIGSTOP');
    await failure;
    await (isAlive(child) ? once(child, 'exit') : Promise.resolve());
    expect(child.signalCode).toBe('SIGKILL');
  });

  it.each([
    ['', `sleep 600 &`],
    [
      ', what ignores SIGTERM and holds none of its outputs included',
      `sh -c 'trap "" TERM; while :; do sleep 1; done' < /dev/null > /dev/null 2>&1 &`,
    ],
  ])('ends with everything it has started when it stalls%s', async (_, start) => {
    const pidFile = join(fixture.dir, 'grandchild.pid');
    const wrapper = await fakeProgram('wrapper', `${start} echo $! > '${pidFile}'; wait`);
    const programs = { ...fixture.programs, ffmpeg: { ...fixture.programs.ffmpeg, path: wrapper } };
    const ffmpeg = fixture.with({ programs, stallMs: 1_000 });
    await expect(ffmpeg.makeTestClip(join(fixture.dir, 'never.mp4'), signal)).rejects.toMatchObject({
      code: 'ffmpeg-failed',
      retry: 'transient',
    });
    const pid = Number(await readFile(pidFile, 'utf8'));
    onTestFailed(() => void process.kill(pid, 'SIGKILL'));
    const state = async () =>
      readFile(`/proc/${pid}/stat`, 'utf8').then(
        (text) => text.split(') ')[1]?.slice(0, 1) ?? '',
        () => 'gone',
      );
    if (process.platform === 'linux') await expect.poll(state, { timeout: 10_000 }).toMatch(/gone|Z/);
  });

  it('makes a test clip, and says what stands in the way of one', async () => {
    await fixture.ffmpeg.makeTestClip(join(fixture.dir, 'test-clip.mp4'), signal);
    expect((await stat(join(fixture.dir, 'test-clip.mp4'))).size).toBeGreaterThan(1_000);
    const nowhere = join(fixture.dir, 'no-such-folder', 'clip.mp4');
    await expect(fixture.ffmpeg.makeTestClip(nowhere, signal)).rejects.toMatchObject({ retry: 'transient' });
  });

  it('is never started when the signal has fired already', async () => {
    const before = fixture.children.length;
    const make = fixture.ffmpeg.probeMedia(slow.path, AbortSignal.abort(new Error('too late')));
    await expect(make).rejects.toThrow('too late');
    expect(fixture.children).toHaveLength(before);
  });

  it('that floods its outputs is read in bounded memory', async () => {
    const flood = await fakeProgram('flood', 'head -c 60000000 /dev/zero | tr "\\0" x >&2; echo; exit 3');
    const programs = { ...fixture.programs, ffprobe: { ...fixture.programs.ffprobe, path: flood } };
    const before = process.memoryUsage().rss;
    await expect(fixture.with({ programs }).probeMedia(slow.path, signal)).rejects.toMatchObject({
      code: 'ffmpeg-failed',
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024);
  });

  it('that prints something else than asked makes an error, not a crash', async () => {
    const liar = await fakeProgram('liar', 'echo "{ not json"');
    const programs = { ...fixture.programs, ffprobe: { ...fixture.programs.ffprobe, path: liar } };
    await expect(fixture.with({ programs }).probeMedia(slow.path, signal)).rejects.toMatchObject({
      code: 'media-unreadable',
    });
  });
});

describe('finding ffmpeg', () => {
  it('finds the programs in PATH and says their version', async () => {
    const found = await findFfmpeg({ guard, signal });
    expect(found.ffmpeg.version).not.toBe('');
    expect(found.ffprobe.path).toMatch(/ffprobe/);
  });

  it('falls back to the development packages when PATH has none', async () => {
    const found = await findFfmpeg({ guard, signal, searchPath: '' });
    expect([found.ffmpeg.from, found.ffprobe.from]).toEqual(['npm', 'npm']);
  });

  it('takes the program of config.ini or fails: it never passes over a wrong one', async () => {
    const missing = join(fixture.dir, 'no-ffmpeg');
    const search = findFfmpeg({ guard, signal, ffmpegPath: missing });
    await expect(search).rejects.toMatchObject({
      code: 'ffmpeg-missing',
      message: expect.stringContaining('ffmpeg-path'),
    });
    const other = await fakeProgram('other', 'echo "something version 1"');
    await expect(findFfmpeg({ guard, signal, ffmpegPath: other })).rejects.toMatchObject({ code: 'ffmpeg-missing' });
  });

  it('refuses an ffmpeg without H.264', async () => {
    const bare = await fakeProgram(
      'bare',
      'case "$*" in *encoders*) echo " A..... aac  AAC";; *) echo "ffmpeg version 9";; esac',
    );
    const search = findFfmpeg({ guard, signal, ffmpegPath: bare });
    await expect(search).rejects.toMatchObject({ code: 'ffmpeg-missing', message: expect.stringContaining('libx264') });
  });

  it('survives that the program goes away while in use', async () => {
    const gone = { ...fixture.programs, ffmpeg: { ...fixture.programs.ffmpeg, path: join(fixture.dir, 'gone') } };
    const make = fixture
      .with({ programs: gone })
      .makePoster(slow, join(fixture.dir, 'p.jpg'), { width: 9, height: 9 }, { signal });
    await expect(make).rejects.toMatchObject({ code: 'ffmpeg-missing', retry: 'transient' });
  });
});

describe('temp folders', () => {
  it('of dead runs are removed at the start, and nothing else', async () => {
    const tempDir = join(fixture.dir, 'temp');
    await makeJobTemp(tempDir, { jobId: '7', leaseToken: '9' });
    await mkdir(join(tempDir, 'download-parts'));
    await cleanTemp(tempDir);
    expect(await readdir(tempDir)).toEqual(['download-parts']);
    await cleanTemp(join(fixture.dir, 'not-there'));
  });
});

describe('growSlowly', () => {
  it('writes a clip that is valid only at its end', async () => {
    const target = join(fixture.dir, 'growing.avi');
    const sizes: number[] = [];
    const abort = new AbortController();
    const growing = growSlowly(target, slow.path, { steps: 5, intervalMs: 20, signal: abort.signal });
    await growing;
    sizes.push((await stat(target)).size);
    expect(sizes).toEqual([(await stat(slow.path)).size]);
    abort.abort();
    await expect(growSlowly(target, slow.path, { steps: 5, intervalMs: 20, signal: abort.signal })).rejects.toThrow();
  });
});
