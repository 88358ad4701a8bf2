import { copyFile, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Transcoder } from '../../../agent/iconik/api.ts';
import type { TranscodePayload } from '../../../agent/roles/transcode/transcode-payload.ts';
import { runGenerator } from '../../demo/clips.ts';
import { type Attempt, createTranscodeFixture, type TranscodeFixture } from './transcode-fixture.ts';

let fixture: TranscodeFixture;
let watchDir: string;
let clip: string;
let nowMs: number;
let number = 0;

beforeAll(async () => {
  fixture = await createTranscodeFixture();
  clip = join(fixture.dir, 'made.mp4');
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=10:duration=1'];
  await runGenerator([...source, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', `file:${clip}`]);
});

beforeEach(async () => {
  number += 1;
  nowMs = 1_800_000_000_000;
  watchDir = join(fixture.dir, `watch-${number}`);
  await mkdir(watchDir);
});

afterEach(async () => {
  expect(fixture.standIn.state().violations).toEqual([]);
  expect(await readdir(fixture.tempDir)).toEqual([]);
});

afterAll(() => fixture.close());

/** An original in a format that nothing but its maker's program reads. */
async function orderRaw(name: string): Promise<TranscodePayload> {
  await writeFile(join(fixture.mountPoint, name), `sensor data of ${name}`);
  return await fixture.order(name, { wantKeyframes: false });
}

function transcoderWith(settings: Record<string, unknown>): Transcoder {
  const patterns = { include_patterns: [], exclude_patterns: [] };
  const folders = {
    watch_folder_location: watchDir,
    proxy_folder_name: 'Proxy',
    file_grow_threshold: 5,
    proxy_timeout: 60,
  };
  return {
    id: 'transcoder',
    name: 'BRAW',
    type: 'WATCH_FOLDER_VIDEO',
    settings: { local: true, priority: 5, ...patterns, ...folders, ...settings },
  };
}

/** Runs one attempt after the last, as the queue does: with what that one saved. */
async function attempt(payload: TranscodePayload, transcoder: Transcoder, more: Attempt = {}) {
  const deps = { transcoderOf: async () => transcoder, wallMs: () => nowMs };
  return await fixture.run(payload, { checkpoint: fixture.saved.checkpoint, ...more, deps });
}

/** What the other program does with all originals in a folder. */
async function otherProgram(folder = watchDir): Promise<string[]> {
  const originals = (await readdir(folder)).filter((name) => name.endsWith('.braw'));
  await mkdir(join(folder, 'Proxy'), { recursive: true });
  for (const name of originals) await copyFile(clip, join(folder, 'Proxy', name.replace(/braw$/, 'mp4')));
  return originals;
}

const proxiesOf = (payload: TranscodePayload) =>
  fixture.standIn.state().proxies.filter((row) => row.asset_id === payload.assetId);

describe('A watch folder', () => {
  it('gets the original as a hard link; its proxy is published as it is once it is quiet, and all is cleared away', async () => {
    const payload = await orderRaw('A001.braw');
    const transcoder = transcoderWith({});
    fixture.saved.checkpoint = null;
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'snooze', afterMs: 5_000 });
    const [link = ''] = await readdir(watchDir);
    expect((await stat(join(watchDir, link))).nlink).toBe(2);
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'snooze' });
    expect(await otherProgram()).toEqual([link]);
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'snooze' });
    expect(proxiesOf(payload)).toEqual([]);
    nowMs += 5_000;
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'done', result: { media: 'video' } });
    const [proxy] = proxiesOf(payload);
    expect(proxy).toMatchObject({ status: 'CLOSED', size: (await stat(clip)).size });
    expect(await readdir(watchDir)).toEqual(['Proxy']);
    expect(await readdir(join(watchDir, 'Proxy'))).toEqual([]);
    expect(await readFile(join(fixture.mountPoint, 'A001.braw'), 'utf8')).toContain('sensor data');
  });

  it('of its own, with a symbolic link, goes altogether; pictures of the other program are taken', async () => {
    const payload = await orderRaw('A002.braw');
    const transcoder = transcoderWith({
      use_symlink: true,
      use_unique_sub_folder_workflow: true,
      keyframe_folder_name: 'Frames',
      keyframe_map_folder_name: 'Map',
    });
    const wants = { ...payload, wantKeyframes: true };
    fixture.saved.checkpoint = null;
    await attempt(wants, transcoder);
    const [own = ''] = await readdir(watchDir);
    const folder = join(watchDir, own);
    expect((await lstat(join(folder, 'A002.braw'))).isSymbolicLink()).toBe(true);
    await otherProgram(folder);
    for (const [sub, name] of [
      ['Frames', 'A002_1.jpg'],
      ['Frames', 'A002_2.jpg'],
      ['Map', 'A002.jpg'],
    ] as const) {
      await mkdir(join(folder, sub), { recursive: true });
      await runGenerator([
        '-f',
        'lavfi',
        '-i',
        'color=red:size=64x36',
        '-frames:v',
        '1',
        `file:${join(folder, sub, name)}`,
      ]);
    }
    await attempt(wants, transcoder);
    nowMs += 5_000;
    expect(await attempt(wants, transcoder)).toMatchObject({ kind: 'done', result: { pictures: 4 } });
    expect(await readdir(watchDir)).toEqual([]);
    const frames = fixture.standIn.state().keyframes.filter((row) => row.asset_id === payload.assetId);
    const sizes = frames.map(({ type, resolution }) => `${String(type)} ${JSON.stringify(resolution)}`).toSorted();
    const small = '{"width":64,"height":36}';
    expect(sizes).toEqual([
      `KEYFRAME ${small}`,
      `KEYFRAME ${small}`,
      `KEYFRAME_MAP ${small}`,
      'POSTER {"width":160,"height":90}',
    ]);
  });

  it('from which nothing but a link to another file comes fails the job in words after the timeout', async () => {
    const payload = await orderRaw('A003.braw');
    const transcoder = transcoderWith({});
    fixture.saved.checkpoint = null;
    await attempt(payload, transcoder);
    const [link = ''] = await readdir(watchDir);
    await mkdir(join(watchDir, 'Proxy'));
    await symlink(clip, join(watchDir, 'Proxy', link.replace(/braw$/, 'mp4')));
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'snooze' });
    nowMs += 60_000;
    const failure = attempt(payload, transcoder);
    await expect(failure).rejects.toMatchObject({ retry: 'permanent', message: expect.stringMatching(/within 60 s/) });
    expect(proxiesOf(payload)).toEqual([]);
    expect(await readdir(watchDir)).toEqual(['Proxy']);
  });

  it('holds one link and gives one proxy, wherever attempts break off', async () => {
    const payload = await orderRaw('A004.braw');
    const transcoder = transcoderWith({});
    // Killed between the link and the checkpoint: the next attempt knows nothing.
    for (let times = 0; times < 2; times += 1) {
      fixture.saved.checkpoint = null;
      await attempt(payload, transcoder);
    }
    expect(await readdir(watchDir)).toHaveLength(1);
    await otherProgram();
    await attempt(payload, transcoder);
    nowMs += 5_000;
    const before = structuredClone(fixture.saved.checkpoint);
    // The lease is lost before the proxy is closed, then after everything was published and before the folder is cleared.
    for (const deadline of [1, 2]) {
      let asked = 0;
      const confirmLease = () => {
        asked += 1;
        if (asked === deadline) throw new Error('killed');
      };
      await expect(attempt(payload, transcoder, { confirmLease })).rejects.toThrow('killed');
    }
    expect(await readdir(watchDir)).toHaveLength(2);
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'done' });
    expect(await readdir(join(watchDir, 'Proxy'))).toEqual([]);
    // Killed after the clearing, before the job's end was stored.
    expect(await attempt(payload, transcoder)).toMatchObject({ kind: 'done' });
    expect(proxiesOf(payload)).toMatchObject([{ status: 'CLOSED' }]);
    // Another node goes on from an older checkpoint: nothing is there, so it waits; the record stays one.
    expect(await attempt(payload, transcoder, { checkpoint: before })).toMatchObject({ kind: 'snooze' });
    expect(proxiesOf(payload)).toHaveLength(1);
  });

  it('that is not there, or is named so that it leads elsewhere, is told in words', async () => {
    const payload = await orderRaw('A005.braw');
    fixture.saved.checkpoint = null;
    await rm(watchDir, { recursive: true });
    const failure = attempt(payload, transcoderWith({}));
    await expect(failure).rejects.toMatchObject({ retry: 'transient', message: expect.stringContaining(watchDir) });
    const outside = attempt(payload, transcoderWith({ watch_folder_location: '../elsewhere' }));
    await expect(outside).rejects.toMatchObject({ retry: 'permanent', message: expect.stringContaining('BRAW') });
  });
});

/** Frames 1001 to 1012 of a moving picture, in a folder whose name is a number pattern. */
async function makeFrames(folder: string, extension: string): Promise<void> {
  const dir = join(fixture.mountPoint, folder);
  await mkdir(dir, { recursive: true });
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=0.48'];
  // The program that makes them takes the whole path for a pattern: a percent sign is written twice.
  const target = `${dir.replaceAll('%', '%%')}/shot.%04d.${extension}`;
  await runGenerator([...source, '-start_number', '1001', `file:${target}`]);
}

async function orderFrames(path: string, folder: string, type: 'MANY_FILES' | 'REGULAR') {
  const payload = await fixture.order(path, { frameRate: '25', wantKeyframes: false });
  const set = await fixture.api.files.createFileSet(payload.assetId, {
    format_id: payload.formatId,
    storage_id: payload.storageId,
    base_dir: folder,
    name: folder,
    component_ids: [],
    type,
  });
  return { ...payload, fileSetId: set.id };
}

describe('An image sequence', () => {
  it('becomes one clip of its frame rate; a gap keeps its time and is told on the job', async () => {
    await makeFrames('reel 100%d', 'dpx');
    await rm(join(fixture.mountPoint, 'reel 100%d/shot.1010.dpx'));
    const payload = await orderFrames('reel 100%d/shot.1001.dpx', 'reel 100%d', 'MANY_FILES');
    const outcome = await fixture.run(payload);
    expect(outcome).toMatchObject({
      kind: 'done',
      result: { media: 'video', durationSeconds: 0.48, warning: expect.stringContaining('1 of 12 frames') },
    });
    const proxies = fixture.standIn.state().proxies.filter((row) => row.asset_id === payload.assetId);
    expect(proxies).toMatchObject([
      { format: 'mp4', codec: 'h264', frame_rate: '25', resolution: { width: 160, height: 90 } },
    ]);
  });

  it('is a still where the file set holds one file', async () => {
    await makeFrames('stills', 'tif');
    const payload = await orderFrames('stills/shot.1003.tif', 'stills', 'REGULAR');
    const still = { ...payload, wantProxy: false };
    expect(await fixture.run(still)).toMatchObject({ kind: 'done', result: { media: 'image' } });
  });
});
