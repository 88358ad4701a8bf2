import { describe, expect, it } from 'vitest';
import { checkOutcome, type Entry, type Evidence, parseEntries } from '../../demo/outcome.ts';

/** The check of the demo and of the kill tests must see every kind of damage; here each kind is done on purpose. */

const clip = { path: 'a/clip.mov', kind: 'video', md5: 'd1', sizeBytes: 10 } as const;
const copy = { path: 'b/copy.mov', kind: 'video', md5: 'd1', sizeBytes: 10 } as const;
const nothing = { path: 'b/nothing.mov', kind: 'empty', md5: 'd0', sizeBytes: 0 } as const;

interface Rows {
  assets: Record<string, unknown>[];
  formats: Record<string, unknown>[];
  fileSets: Record<string, unknown>[];
  files: Record<string, unknown>[];
  proxies: Record<string, unknown>[];
  keyframes: Record<string, unknown>[];
}

const file = (over: Record<string, unknown>) => ({
  asset_id: 'asset',
  format_id: 'format',
  storage_id: 'nas',
  directory_path: 'a',
  name: 'clip.mov',
  checksum: 'd1',
  size: 10,
  status: 'CLOSED',
  ...over,
});

function goodRows(): Rows {
  return {
    assets: [{ id: 'asset', title: 'clip', status: 'ACTIVE' }],
    formats: [{ id: 'format', asset_id: 'asset', name: 'ORIGINAL' }],
    fileSets: [
      { id: 'set-1', format_id: 'format', storage_id: 'nas', base_dir: 'a', name: 'clip.mov' },
      { id: 'set-2', format_id: 'format', storage_id: 'nas', base_dir: 'b', name: 'copy.mov' },
    ],
    files: [
      file({ id: 'file-1' }),
      file({ id: 'file-2', directory_path: 'b', name: 'copy.mov' }),
      file({ id: 'remote', storage_id: 'cloud' }),
    ],
    proxies: [{ id: 'proxy', asset_id: 'asset', filename: 'p.mp4', status: 'CLOSED' }],
    keyframes: [{ id: 'poster', asset_id: 'asset', type: 'POSTER', filename: 'p.jpg', status: 'CLOSED' }],
  };
}

function problemsOf(damage: (rows: Rows, objects: Map<string, { md5: string; playable: boolean }>) => void): string[] {
  const rows = goodRows();
  const objects = new Map([
    ['remote', { md5: 'd1', playable: true }],
    ['proxy', { md5: 'p', playable: true }],
    ['poster', { md5: 'k', playable: true }],
  ]);
  damage(rows, objects);
  const evidence: Evidence = {
    media: [clip, copy, nothing],
    records: {
      assets: parseEntries(rows.assets),
      formats: parseEntries(rows.formats),
      fileSets: parseEntries(rows.fileSets),
      files: parseEntries(rows.files),
      proxies: parseEntries(rows.proxies),
      keyframes: parseEntries(rows.keyframes),
    },
    localStorageId: 'nas',
    remoteStorageId: 'cloud',
    objectOf: (entry: Entry) => {
      const object = objects.get(entry.id);
      return object ? { ...object, sizeBytes: 5 } : null;
    },
  };
  return checkOutcome(evidence).problems;
}

describe('the check of the outcome', () => {
  it('finds nothing wrong where nothing is', () => {
    expect(problemsOf(() => {})).toEqual([]);
  });

  const damages: [name: string, damage: Parameters<typeof problemsOf>[0], words: RegExp][] = [
    ['a file ingested twice', (rows) => rows.files.push(file({ id: 'twin' })), /2 records of one file nas/],
    ['a lost file', (rows) => rows.files.splice(1, 1), /b\/copy\.mov is not in iconik/],
    ['an open file', (rows) => Object.assign(rows.files[0] ?? {}, { status: 'OPEN' }), /is OPEN, not CLOSED/],
    ['a wrong digest', (rows) => Object.assign(rows.files[0] ?? {}, { checksum: 'd2' }), /md5sum says d1/],
    ['a wrong size', (rows) => Object.assign(rows.files[0] ?? {}, { size: 11 }), /has size 11/],
    [
      'a file that is not on the disk',
      (rows) => rows.files.push(file({ id: 'ghost', name: 'ghost.mov' })),
      /not on the storage/,
    ],
    [
      'two assets for one content',
      (rows) => {
        rows.assets.push({ id: 'second', title: 'copy' });
        Object.assign(rows.files[1] ?? {}, { asset_id: 'second' });
      },
      /has 2 assets/,
    ],
    ['an empty shell', (rows) => rows.assets.push({ id: 'shell', title: 'shell' }), /asset shell .* has no file/],
    ['two formats', (rows) => rows.formats.push({ id: 'f2', asset_id: 'asset', name: 'ORIGINAL' }), /one format asset/],
    ['two file sets', (rows) => rows.fileSets.push({ ...rows.fileSets[0], id: 's3' }), /one file set/],
    ['two proxies', (rows) => rows.proxies.push({ ...rows.proxies[0], id: 'p2' }), /one proxy/],
    ['no proxy', (rows) => rows.proxies.pop(), /has no proxy/],
    ['an unplayable proxy', (_, objects) => objects.set('proxy', { md5: 'p', playable: false }), /cannot be played/],
    ['no poster', (rows) => rows.keyframes.pop(), /has no poster/],
    ['no upload', (rows) => rows.files.pop(), /was not uploaded/],
    [
      'other bytes uploaded',
      (_, objects) => objects.set('remote', { md5: 'd9', playable: true }),
      /uploaded bytes .* differ/,
    ],
  ];
  it.each(damages)('sees %s', (_name, damage, words) => {
    expect(problemsOf(damage).join('\n')).toMatch(words);
  });
});
