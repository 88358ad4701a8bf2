import { readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { settingsWith } from '../../../agent/roles/transcode/transcode-settings.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { makeAudio, makeDropFrame, makeOddFiles, makeStills, runGenerator } from '../../demo/clips.ts';
import { createTranscodeFixture, type TranscodeFixture } from './transcode-fixture.ts';

const CLIP = 'interviews/Interview 02.mp4';
let fixture: TranscodeFixture;

beforeAll(async () => {
  fixture = await createTranscodeFixture();
  const { mountPoint } = fixture;
  await Promise.all([
    makeDropFrame(mountPoint),
    makeAudio(mountPoint),
    makeStills(mountPoint),
    makeOddFiles(mountPoint),
  ]);
});

afterEach(async () => {
  fixture.standIn.setFaults({});
  expect(fixture.standIn.state().violations).toEqual([]);
  expect(await readdir(fixture.tempDir)).toEqual([]);
});

afterAll(() => fixture.close());

type Record = { [field: string]: unknown };

function published(assetId: string): { proxies: Record[]; keyframes: Record[]; format: Record | undefined } {
  const state = fixture.standIn.state();
  const own = (rows: Record[]) => rows.filter((row) => row.asset_id === assetId);
  return { proxies: own(state.proxies), keyframes: own(state.keyframes), format: own(state.formats)[0] };
}

/** Size of the object behind a record; undefined when nothing was uploaded. */
function objectSize(record: Record | undefined): number | undefined {
  const key = fixture.standIn.objectKey(String(record?.id));
  return key === undefined ? undefined : fixture.standIn.object(key)?.sizeBytes;
}

function storageWith(changes: Partial<StorageAccess>): StorageAccess {
  return Object.assign(Object.create(fixture.storage) as StorageAccess, changes);
}

describe('a video', () => {
  it('gets media info, one closed proxy, one poster, its keyframes and a scrub sheet, all with their bytes', async () => {
    const payload = await fixture.order(CLIP);
    const seen: number[] = [];
    const outcome = await fixture.run(payload, { onProgress: (fraction) => seen.push(fraction) });
    expect(outcome).toMatchObject({ kind: 'done', result: { media: 'video', pictures: 6, complaint: '' } });
    const { proxies, keyframes, format } = published(payload.assetId);
    expect(proxies).toHaveLength(1);
    expect(proxies[0]).toMatchObject({
      status: 'CLOSED',
      version_id: payload.versionId,
      format: 'mp4',
      codec: 'h264',
      resolution: { width: 640, height: 360 },
      frame_rate: '30000/1001',
      start_time_code: '01:00:00;00',
      is_drop_frame: true,
    });
    expect(objectSize(proxies[0])).toBe(proxies[0]?.size);
    expect(keyframes.map((row) => String(row.type)).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'KEYFRAME',
      'KEYFRAME',
      'KEYFRAME',
      'KEYFRAME',
      'KEYFRAME_MAP',
      'POSTER',
    ]);
    for (const row of keyframes) {
      const isSheet = row.type === 'KEYFRAME_MAP';
      const resolution = isSheet ? { width: 4 * 160, height: 90 } : { width: 640, height: 360 };
      expect(row).toMatchObject({ status: 'CLOSED', resolution });
      if (isSheet) expect(row.time_code ?? null).toBeNull();
      expect(objectSize(row)).toBe(row.size);
    }
    const counts = keyframes.filter((row) => row.type === 'KEYFRAME').map((row) => row.time_code);
    expect(counts).toContainEqual({
      frames_number: 30,
      is_drop_frame: true,
      time_base: { numerator: 1001, denominator: 30_000 },
    });
    expect(format).toMatchObject({
      components: [{ type: 'VIDEO' }, { type: 'AUDIO' }],
      metadata: [{ video_codec: 'h264', frame_rate: '30000/1001', start_time_code: '01:00:00;00' }],
    });
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  it('run a second time from nothing adds nothing: the same records end closed', async () => {
    const payload = await fixture.order(CLIP);
    await fixture.run(payload);
    const before = published(payload.assetId);
    const outcome = await fixture.run(payload);
    expect(outcome).toMatchObject({ kind: 'done', result: { proxyId: before.proxies[0]?.id } });
    const after = published(payload.assetId);
    const ids = (rows: Record[]) => rows.map((row) => row.id);
    expect(ids(after.proxies)).toEqual(ids(before.proxies));
    expect(ids(after.keyframes)).toEqual(ids(before.keyframes));
    for (const row of [...after.proxies, ...after.keyframes]) {
      expect(row.status).toBe('CLOSED');
      expect(objectSize(row)).toBe(row.size);
    }
    expect(after.format?.components).toEqual(before.format?.components);
  });

  it('goes on after its checkpoint without making the proxy again', async () => {
    const payload = await fixture.order(CLIP);
    await fixture.run(payload, {});
    const calls = () => fixture.standIn.state().requestCount;
    const before = calls();
    const outcome = await fixture.run(payload, { checkpoint: fixture.saved.checkpoint });
    expect(outcome).toMatchObject({ kind: 'done', result: { proxyId: published(payload.assetId).proxies[0]?.id } });
    expect(calls() - before).toBe(2);
  });

  it('whose lease is lost before the close leaves an open record, which the next attempt closes', async () => {
    const payload = await fixture.order(CLIP, { wantKeyframes: false });
    const lost = new IsgError('lease-lost', 'another node runs it', { retry: 'transient' });
    let confirmed = 0;
    const confirmLease = () => {
      confirmed += 1;
      // Those before it are for the media info, the opening and the upload.
      if (confirmed > 3) throw lost;
    };
    await expect(fixture.run(payload, { confirmLease })).rejects.toBe(lost);
    expect(published(payload.assetId).proxies).toMatchObject([{ status: 'OPEN' }]);
    await fixture.run(payload);
    expect(published(payload.assetId).proxies).toMatchObject([{ status: 'CLOSED' }]);
  });

  it('whose creation got no answer ends with one proxy', async () => {
    const payload = await fixture.order(CLIP, { wantKeyframes: false });
    fixture.standIn.setFaults({
      dropAfterCommit: { rate: 1 },
      only: { methods: ['POST'], pathIncludes: '/proxies/', times: 1 },
    });
    await expect(fixture.run(payload)).rejects.toThrow();
    expect(published(payload.assetId).proxies).toHaveLength(1);
    expect(await fixture.run(payload)).toMatchObject({ kind: 'done' });
    expect(published(payload.assetId).proxies).toMatchObject([{ status: 'CLOSED' }]);
  });

  it('whose size differs from a closed record of an older original is sent again into the same record', async () => {
    const payload = await fixture.order(CLIP, { wantKeyframes: false });
    await fixture.run(payload);
    const id = published(payload.assetId).proxies[0]?.id;
    await fixture.run(payload, {
      deps: {
        settings: () => ({
          ...DEFAULT_PROXY_SETTINGS,
          videoBox: { width: 320, height: 180 },
          videoBitRate: 200_000,
          imageBox: { width: 9, height: 9 },
        }),
      },
    });
    const [proxy, ...others] = published(payload.assetId).proxies;
    expect(others).toEqual([]);
    expect(proxy).toMatchObject({ id, status: 'CLOSED', resolution: { width: 320, height: 180 } });
    expect(objectSize(proxy)).toBe(proxy?.size);
  });

  it('that another node has published meanwhile stays closed when the one that lost its lease goes on', async () => {
    const payload = await fixture.order(CLIP, { wantKeyframes: false });
    await fixture.run(payload);
    const [done] = published(payload.assetId).proxies;
    const smaller = { ...DEFAULT_PROXY_SETTINGS, videoBox: { width: 320, height: 180 } };
    const lost = new IsgError('lease-lost', 'another node runs it', { retry: 'transient' });
    let confirmed = 0;
    const confirmLease = () => {
      confirmed += 1;
      // The first one is for the media info.
      if (confirmed > 1) throw lost;
    };
    const late = fixture.run(payload, { confirmLease, deps: { settings: () => smaller } });
    await expect(late).rejects.toBe(lost);
    expect(published(payload.assetId).proxies).toEqual([done]);
  });

  it('that is cancelled stops with the reason and closes nothing', async () => {
    const payload = await fixture.order(CLIP);
    const abort = new AbortController();
    const reason = new IsgError('cancelled', 'cancelled by a user', { retry: 'transient' });
    const onProgress = (fraction: number) => {
      if (fraction > 0.02) abort.abort(reason);
    };
    await expect(fixture.run(payload, { signal: abort.signal, onProgress })).rejects.toBe(reason);
    expect(published(payload.assetId)).toMatchObject({ proxies: [], keyframes: [] });
  });

  it('that changes while it is encoded is not published', async () => {
    const payload = await fixture.order(CLIP);
    let looks = 0;
    const changing = storageWith({
      stat: async (path) => {
        const facts = await fixture.storage.stat(path);
        looks += 1;
        return facts && looks > 1 ? { ...facts, sizeBytes: facts.sizeBytes + 1 } : facts;
      },
    });
    const run = fixture.run(payload, { deps: { storageOf: () => changing } });
    await expect(run).rejects.toMatchObject({ code: 'file-changed', retry: 'transient' });
    expect(published(payload.assetId).proxies).toEqual([]);
  });
});

describe('other media', () => {
  it('sound gets a proxy and no picture', async () => {
    const payload = await fixture.order('audio/Atmo.wav');
    expect(await fixture.run(payload)).toMatchObject({ kind: 'done', result: { media: 'audio', pictures: 0 } });
    const { proxies, keyframes, format } = published(payload.assetId);
    expect(proxies).toMatchObject([{ status: 'CLOSED', codec: 'aac', format: 'mp4' }]);
    expect(keyframes).toEqual([]);
    expect(format).toMatchObject({ components: [{ type: 'AUDIO' }] });
  });

  it('a still gets a JPEG proxy and a poster', async () => {
    const payload = await fixture.order('stills/Logo.png');
    expect(await fixture.run(payload)).toMatchObject({ kind: 'done', result: { media: 'image', pictures: 1 } });
    const { proxies, keyframes } = published(payload.assetId);
    expect(proxies).toMatchObject([{ status: 'CLOSED', format: 'jpg', resolution: { width: 401, height: 301 } }]);
    expect(keyframes).toMatchObject([{ type: 'POSTER', status: 'CLOSED' }]);
    await fixture.run(payload);
    expect(published(payload.assetId).proxies).toEqual(proxies);
    expect(published(payload.assetId).keyframes).toEqual(keyframes);
  });

  it.each([
    ['broken/Read me.txt', 'not media'],
    ['broken/Nothing.mov', 'empty'],
  ])('%s is skipped without a call: %s', async (path, why) => {
    const payload = await fixture.order(path);
    const before = fixture.standIn.state().requestCount;
    expect(await fixture.run(payload)).toEqual({ kind: 'done', result: { skipped: why } });
    expect(fixture.standIn.state().requestCount).toBe(before);
  });

  it('keyframes alone are taken from the original', async () => {
    const payload = await fixture.order(CLIP, { wantProxy: false });
    expect(await fixture.run(payload)).toMatchObject({ kind: 'done', result: { proxyId: null, pictures: 6 } });
    expect(published(payload.assetId).proxies).toEqual([]);
  });
});

describe('a master', () => {
  it('is described track by track, and its proxy follows the transcoder: width, rates and channels', async () => {
    const lavfi = [
      'testsrc2=size=320x180:rate=30000/1001:duration=0.5',
      'aevalsrc=0.3*sin(880*t)|0|0|0|0|0:d=0.5:c=5.1',
    ];
    const codecs = [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'pcm_s24le',
      '-ar',
      '48000',
    ];
    const tags = [
      '-timecode',
      '10:00:00;00',
      '-color_trc',
      'bt709',
      '-color_primaries',
      'bt709',
      '-colorspace',
      'bt709',
    ];
    const inputs = lavfi.flatMap((graph) => ['-f', 'lavfi', '-i', graph]);
    await runGenerator([...inputs, ...codecs, ...tags, `file:${join(fixture.mountPoint, 'master.mov')}`]);
    const payload = await fixture.order('master.mov', { wantKeyframes: false });
    const choices = { width: 160, bitrate: 300_000, audio_bitrate: 96_000, enable_multi_channel_audio: true };
    const { settings } = settingsWith(DEFAULT_PROXY_SETTINGS, {
      id: 'one',
      name: 'one',
      type: 'FFMPEG',
      settings: { local: true, priority: 5, include_patterns: [], exclude_patterns: [], ...choices },
    });
    expect(await fixture.run(payload, { deps: { settings: () => settings } })).toMatchObject({
      kind: 'done',
      result: { encoder: 'libx264' },
    });
    const { proxies, format } = published(payload.assetId);
    expect(proxies).toMatchObject([
      {
        status: 'CLOSED',
        resolution: { width: 160, height: 90 },
        frame_rate: '30000/1001',
        start_time_code: '10:00:00;00',
        is_drop_frame: true,
        audio_channels: 6,
        is_multichannel: true,
      },
    ]);
    expect(format).toMatchObject({
      components: [
        {
          type: 'VIDEO',
          metadata: {
            video_codec: 'h264',
            width: '320',
            height: '180',
            frame_rate: '30000/1001',
            color_transfer: 'bt709',
            dynamic_range: 'SDR',
            start_time_code: '10:00:00;00',
            is_drop_frame: 'true',
            duration_seconds: expect.stringMatching(/^0\.5/),
          },
        },
        {
          type: 'AUDIO',
          metadata: { codec: 'pcm_s24le', channels: '6', channel_layout: '5.1', sample_rate: '48000' },
        },
      ],
    });
  });
});

describe('trouble', () => {
  it('a damaged clip fails for good with ffprobe’s reason', async () => {
    const payload = await fixture.order('broken/Truncated.mp4');
    await expect(fixture.run(payload)).rejects.toMatchObject({
      code: 'media-unreadable',
      retry: 'permanent',
      message: expect.stringContaining('moov atom not found'),
    });
    expect((await stat(join(fixture.mountPoint, payload.path))).size).toBeGreaterThan(0);
  });

  it('a link that stands where the original was is not followed out of the storage', async () => {
    const secret = join(fixture.dir, 'secret.wav');
    const path = join(fixture.mountPoint, 'swapped.wav');
    await writeFile(secret, 'not of this storage');
    await symlink(secret, path);
    const payload = await fixture.order('swapped.wav');
    expect(await fixture.run(payload)).toMatchObject({
      kind: 'failed',
      error: { code: 'file-unreadable', retry: 'permanent', message: expect.stringContaining('not a regular file') },
    });
    expect(published(payload.assetId).proxies).toEqual([]);
    await rm(path);
  });

  it('a file that is gone fails with the reason', async () => {
    const payload = await fixture.order('interviews/gone.mov');
    expect(await fixture.run(payload)).toMatchObject({ kind: 'failed', error: { code: 'file-not-found' } });
  });

  it.each(['storage-unavailable', 'storage-hung'] as const)(
    '%s costs no attempt while the storage is away, and one when it is there',
    async (code) => {
      const payload = await fixture.order(CLIP);
      const stat = () => Promise.reject(new IsgError(code, 'the mount is away', { retry: 'transient' }));
      const there = storageWith({
        stat,
        probe: async () => ({ kind: 'reachable', marker: 'right', empty: false, writable: null }),
      });
      const tried = await fixture.run(payload, { deps: { storageOf: () => there } });
      expect(tried).toMatchObject({ kind: 'retry', error: { code } });
      const away = storageWith({
        stat,
        probe: async () => ({ kind: 'unreachable', reason: 'absent', detail: 'the mount is away' }),
      });
      const outcome = await fixture.run(payload, { deps: { storageOf: () => away } });
      expect(outcome).toMatchObject({ kind: 'snooze', why: 'the mount is away' });
    },
  );

  it('a node without the storage or without ffmpeg costs no attempt', async () => {
    const payload = await fixture.order(CLIP);
    expect(await fixture.run(payload, { deps: { storageOf: () => null } })).toMatchObject({ kind: 'snooze' });
    expect(await fixture.run(payload, { deps: { ffmpeg: () => null } })).toMatchObject({ kind: 'snooze' });
  });
});
