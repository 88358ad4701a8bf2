import { describe, expect, test } from 'vitest';
import type { Asset, IconikApi } from '../../../agent/iconik/api.ts';
import { findAsset, findFile, findFileSet, findKeyframe, findProxy } from '../../../agent/iconik/creation/find.ts';
import { failureOfStatus } from '../../../agent/iconik/http-failure.ts';
import {
  assetSchema,
  fileSchema,
  fileSetSchema,
  formatSchema,
  keyframeSchema,
  proxySchema,
} from '../../../agent/iconik/schemas.ts';

const STARTED = new Date('2026-03-01T12:00:00Z');
const notFound = () =>
  failureOfStatus({ method: 'GET', path: '/x/' }, { status: 404, text: '{"errors":["none"]}', retryAfterMs: null });

/** iconik as far as the look-ups ask it. */
interface World {
  assets?: object[];
  /** Assets as they are now, where that differs from the list; null = gone. */
  now?: Record<string, object | null>;
  withOriginal?: string[];
  files?: object[];
  indexed?: object[];
  fileSets?: object[];
  proxies?: object[];
  keyframes?: object[];
}

function iconikWith(world: World) {
  const asked: string[] = [];
  const listed = (world.assets ?? []).map((asset) => assetSchema.parse(asset));
  const api = {
    assets: {
      async *newestFirst(): AsyncGenerator<Asset> {
        for (const asset of listed) {
          asked.push(asset.id);
          yield asset;
        }
      },
      async get(id: string) {
        const now = world.now?.[id];
        const asset = now === undefined ? listed.find((one) => one.id === id) : now;
        if (!asset) throw notFound();
        return assetSchema.parse(asset);
      },
    },
    files: {
      formatByName: async (assetId: string, name: string) =>
        world.withOriginal?.includes(assetId) ? formatSchema.parse({ id: `f-${assetId}`, name }) : null,
      assetFiles: async () => (world.files ?? []).map((file) => fileSchema.parse(file)),
      fileSets: async () => (world.fileSets ?? []).map((set) => fileSetSchema.parse(set)),
    },
    storages: {
      async findFiles() {
        asked.push('index');
        return (world.indexed ?? []).map((file) => fileSchema.parse(file));
      },
    },
    proxies: { list: async () => (world.proxies ?? []).map((proxy) => proxySchema.parse(proxy)) },
    keyframes: { list: async () => (world.keyframes ?? []).map((keyframe) => keyframeSchema.parse(keyframe)) },
  };
  return { api: api as unknown as IconikApi, asked };
}

const shell = (id: string, changes: object = {}) => ({
  id,
  title: 'clip',
  status: 'ACTIVE',
  created_by_user: 'us',
  date_created: '2026-03-01T12:00:01Z',
  files: [],
  ...changes,
});

const look = (taken: string[] = []) => ({
  title: 'clip',
  userId: 'us',
  startedAt: STARTED,
  isTaken: async (id: string) => taken.includes(id),
});

describe('the look-up of an asset', () => {
  test.each<[string, World]>([
    ['of another title', { assets: [shell('a', { title: 'clap' })] }],
    ['of another user', { assets: [shell('a', { created_by_user: 'them' })] }],
    ['with files', { assets: [shell('a', { files: [{}] })] }],
    ['with an ORIGINAL format', { assets: [shell('a')], withOriginal: ['a'] }],
    ['that is deleted', { assets: [shell('a', { status: 'DELETED' })] }],
    ['that the index still shows though it is gone', { assets: [shell('a')], now: { a: null } }],
    ['that has been renamed', { assets: [shell('a')], now: { a: shell('a', { title: 'other' }) } }],
    ['older than two minutes before the attempt', { assets: [shell('a', { date_created: '2026-03-01T11:57:59Z' })] }],
  ])('does not take an asset %s', async (_what, world) => {
    expect(await findAsset(iconikWith(world).api, look())).toBeNull();
  });

  test('takes a shell of ours, also one made a little before the attempt by the other clock', async () => {
    const world = { assets: [shell('b', { title: 'x' }), shell('a', { date_created: '2026-03-01T11:58:30Z' })] };
    expect(await findAsset(iconikWith(world).api, look())).toMatchObject({ id: 'a' });
  });

  test('asks the asset itself when the list does not name the user', async () => {
    const world = { assets: [shell('a', { created_by_user: null })], now: { a: shell('a') } };
    expect(await findAsset(iconikWith(world).api, look())).toMatchObject({ id: 'a' });
  });

  test('leaves alone what another intent owns', async () => {
    const { api } = iconikWith({ assets: [shell('a'), shell('b')] });
    expect(await findAsset(api, look(['a']))).toMatchObject({ id: 'b' });
  });

  test('reads no further back than needed', async () => {
    const old = { date_created: '2026-02-28T00:00:00Z', title: 'x' };
    const { api, asked } = iconikWith({ assets: [shell('a', { title: 'x' }), shell('b', old), shell('c', old)] });
    await findAsset(api, look());
    expect(asked).toEqual(['a', 'b']);
  });

  test('reads a list of several pages again before it says that there is nothing', async () => {
    const assets = Array.from({ length: 150 }, (_, index) => shell(`a${index}`, { title: 'x' }));
    const { api, asked } = iconikWith({ assets });
    expect(await findAsset(api, look())).toBeNull();
    expect(asked).toHaveLength(300);
  });
});

describe('the look-up of a file', () => {
  const at = { assetId: 'a', storageId: 's', directoryPath: 'p/q', name: 'x.mov' };
  const file = (id: string, changes: object = {}) => ({
    id,
    storage_id: 's',
    directory_path: '/p/q',
    name: 'x.mov',
    status: 'OPEN',
    ...changes,
  });

  test("prefers the asset's own records, which do not lag", async () => {
    const { api, asked } = iconikWith({ files: [file('1', { storage_id: 't' }), file('2')], indexed: [file('3')] });
    expect(await findFile(api, at)).toMatchObject({ id: '2' });
    expect(asked).toEqual([]);
  });

  test("asks the storage's index next, and never gives a deleted record", async () => {
    const world = { files: [file('1', { status: 'DELETED' })], indexed: [file('2', { status: 'DELETED' }), file('3')] };
    expect(await findFile(iconikWith(world).api, at)).toMatchObject({ id: '3' });
    expect(await findFile(iconikWith({}).api, at)).toBeNull();
  });
});

test('a file set is found by storage, folder and name', async () => {
  const set = (id: string, changes: object) => ({ id, storage_id: 's', base_dir: 'p/', name: 'n', ...changes });
  const { api } = iconikWith({
    fileSets: [
      set('1', { storage_id: 't' }),
      set('2', { base_dir: 'q' }),
      set('3', { name: 'm' }),
      set('4', { status: 'DELETED' }),
      set('5', {}),
    ],
  });
  const wanted = { assetId: 'a', formatId: 'f', storageId: 's', baseDir: 'p', name: 'n' };
  expect(await findFileSet(api, wanted)).toMatchObject({ id: '5' });
});

test('a proxy is found by file name and version, a keyframe by its type as well', async () => {
  const record = (id: string, changes: object = {}) => ({
    id,
    filename: 'x',
    version_id: 'v',
    type: 'POSTER',
    ...changes,
  });
  const records = [
    record('1', { filename: 'y' }),
    record('2', { version_id: 'w' }),
    record('3', { type: 'KEYFRAME' }),
    record('4'),
  ];
  const { api } = iconikWith({ proxies: records, keyframes: records });
  expect(await findProxy(api, { assetId: 'a', versionId: 'v', filename: 'x' })).toMatchObject({ id: '3' });
  expect(await findKeyframe(api, { assetId: 'a', versionId: 'v', type: 'POSTER', filename: 'x' })).toMatchObject({
    id: '4',
  });
  expect(await findProxy(api, { assetId: 'a', versionId: 'u', filename: 'x' })).toBeNull();
});
