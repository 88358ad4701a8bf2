import { describe, expect, it } from 'vitest';
import {
  isPictureOf,
  isProxyOf,
  planWatchFolder,
} from '../../../agent/roles/transcode/watch-folder/watch-folder-plan.ts';
import {
  nextWatchStep,
  type SeenFile,
  type WatchState,
} from '../../../agent/roles/transcode/watch-folder/watch-folder-state.ts';

const ORIGINAL = { assetId: 'asset', versionId: 'v1', name: 'A001 "C002".braw', mountPoint: '/mnt/media' };

const planOf = (settings: Record<string, unknown>, type = 'WATCH_FOLDER_VIDEO') =>
  planWatchFolder(
    {
      id: 't',
      name: 'BRAW',
      type,
      settings: { local: true, priority: 5, include_patterns: [], exclude_patterns: [], ...settings },
    },
    ORIGINAL,
  );

const SETTINGS = { watch_folder_location: '/srv/watch', proxy_folder_name: 'Proxy', file_grow_threshold: 5 };

describe('The plan of a watch folder', () => {
  it('names link and results after asset and version, so that every attempt means the same files', () => {
    expect(planOf(SETTINGS)).toEqual({
      root: '/srv/watch',
      folder: '/srv/watch',
      isOwnFolder: false,
      linkName: 'isg-asset-v1.braw',
      proxies: '/srv/watch/Proxy',
      keyframes: null,
      keyframeMaps: null,
      growMs: 5_000,
      timeoutMs: 3_600_000,
      useSymlink: false,
    });
  });

  it('keeps the name of the original, without what programs stumble over, in a folder of its own', () => {
    const settings = {
      ...SETTINGS,
      use_unique_sub_folder_workflow: true,
      keyframe_folder_name: 'kf',
      use_symlink: true,
    };
    expect(planOf({ ...settings, watch_folder_location: 'watch/in' })).toMatchObject({
      folder: '/mnt/media/watch/in/isg-asset-v1',
      isOwnFolder: true,
      linkName: 'A001 _C002_.braw',
      keyframes: '/mnt/media/watch/in/isg-asset-v1/kf',
      useSymlink: true,
    });
  });

  it('is none for other transcoders, and says what is wrong with settings that lead elsewhere or name nothing', () => {
    expect(planOf(SETTINGS, 'FFMPEG')).toBeNull();
    expect(planOf({ proxy_folder_name: 'p' })).toMatch(/watch_folder_location/);
    expect(planOf({ ...SETTINGS, proxy_folder_name: '../../etc' })).toMatch(/leads out/);
    expect(planOf({ ...SETTINGS, watch_folder_location: '../x' })).toMatch(/leads out/);
  });

  it('takes results by their name up to the extension, never the link itself or those of another clip', () => {
    expect(isProxyOf('isg-a-1.mp4', 'isg-a-1.braw')).toBe(true);
    expect(isProxyOf('isg-a-1_Proxy.MOV', 'isg-a-1.braw')).toBe(true);
    expect(isProxyOf('isg-a-1.mov', 'isg-a-1.mov')).toBe(false);
    expect(isProxyOf('isg-a-12.mp4', 'isg-a-1.braw')).toBe(false);
    expect(isProxyOf('isg-a-1.txt', 'isg-a-1.braw')).toBe(false);
    expect(isPictureOf('isg-a-1_0001.jpg', 'isg-a-1.braw')).toBe(true);
    expect(isPictureOf('isg-a-12_0001.jpg', 'isg-a-1.braw')).toBe(false);
  });
});

describe('Waiting for results', () => {
  const limits = { growMs: 5_000, timeoutMs: 60_000 };
  const fresh: WatchState = { linkedAtMs: 1_000_000, seen: {} };
  const proxy = (sizeBytes: number): SeenFile => ({ path: '/p/a.mp4', kind: 'proxy', sizeBytes, mtimeMs: 7 });

  function play(looks: [number, SeenFile[]][], from = fresh) {
    let state = from;
    const kinds: string[] = [];
    for (const [nowMs, files] of looks) {
      const step = nextWatchStep(state, { nowMs, files }, limits);
      kinds.push(step.kind);
      if (step.kind === 'wait') state = step.state;
    }
    return kinds;
  }

  it('ends when the proxy has been quiet for the threshold, counted anew whenever it grew', () => {
    const looks: [number, SeenFile[]][] = [
      [1_001_000, []],
      [1_005_000, [proxy(0)]],
      [1_010_000, [proxy(10)]],
      [1_015_000, [proxy(20)]],
      [1_019_999, [proxy(20)]],
      [1_020_000, [proxy(20)]],
    ];
    expect(play(looks)).toEqual(['wait', 'wait', 'wait', 'wait', 'wait', 'ready']);
  });

  it('waits for the pictures beside it, too, and gives them in the order of their names', () => {
    const picture = (name: string, mtimeMs: number): SeenFile => ({
      path: name,
      kind: 'keyframe',
      sizeBytes: 1,
      mtimeMs,
    });
    const first = nextWatchStep(fresh, { nowMs: 1_001_000, files: [proxy(5), picture('b', 1)] }, limits);
    if (first.kind !== 'wait') throw new Error(first.kind);
    const files = [proxy(5), picture('b', 1), picture('a', 1)];
    const second = nextWatchStep(first.state, { nowMs: 1_006_000, files }, limits);
    if (second.kind !== 'wait') throw new Error(second.kind);
    const third = nextWatchStep(second.state, { nowMs: 1_011_000, files }, limits);
    expect(third).toMatchObject({ kind: 'ready', keyframes: [{ path: 'a' }, { path: 'b' }], keyframeMap: null });
  });

  it('ends without a proxy at the timeout, and with one that never stops growing at twice the timeout', () => {
    expect(play([[1_059_999, []]])).toEqual(['wait']);
    expect(play([[1_060_000, []]])).toEqual(['timed-out']);
    expect(play([[1_119_999, [proxy(1)]]])).toEqual(['wait']);
    expect(play([[1_120_000, [proxy(2)]]])).toEqual(['timed-out']);
  });

  it('neither takes a growing file for quiet nor waits for ever when the clock goes back', () => {
    const step = nextWatchStep(fresh, { nowMs: 900_000, files: [proxy(5)] }, limits);
    if (step.kind !== 'wait') throw new Error(step.kind);
    expect(step.state.linkedAtMs).toBe(900_000);
    expect(nextWatchStep(step.state, { nowMs: 904_999, files: [proxy(5)] }, limits).kind).toBe('wait');
    expect(nextWatchStep(step.state, { nowMs: 905_000, files: [proxy(5)] }, limits).kind).toBe('ready');
  });
});
