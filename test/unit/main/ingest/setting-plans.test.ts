import { describe, expect, it } from 'vitest';
import type { FormerRow } from '../../../../agent/db/queries/moved-file.ts';
import type { FileRecord, FileSet } from '../../../../agent/iconik/api.ts';
import { collectionSteps, folderTags } from '../../../../agent/roles/main/ingest/decoration-plan.ts';
import {
  directoryAssetOf,
  isRenditionSource,
  pathInDirectoryAsset,
} from '../../../../agent/roles/main/ingest/directory-plan.ts';
import { chooseFormer, fileSetPlaceBody, isCaseVariant } from '../../../../agent/roles/main/ingest/move-plan.ts';
import {
  converterHeaders,
  isSidecarOf,
  readJsonSidecar,
  sidecarKeys,
} from '../../../../agent/roles/main/ingest/sidecar-plan.ts';
import { versionOfFile } from '../../../../agent/roles/main/ingest/version-plan.ts';

const former = (path: string, over: Partial<FormerRow> = {}): FormerRow => ({
  path,
  pathKey: path,
  isMissing: true,
  isSameFile: false,
  ...over,
});

describe('the file that a new one used to be', () => {
  it('is the same file of the file system first, then one of the same name, then any with this content', () => {
    const any = former('x/other.mov');
    const named = former('x/clip.mov');
    const same = former('y/old.mov', { isSameFile: true });
    expect(chooseFormer('clip.mov', [any, named, same], null)).toBe(same);
    expect(chooseFormer('clip.mov', [any, named], null)).toBe(named);
    expect(chooseFormer('clip.mov', [any], null)).toBe(any);
    expect(chooseFormer('clip.mov', [], null)).toBeNull();
  });

  it('is one that only its case tells apart when the folder does not list it, and only then', () => {
    const present = former('a/Clip.mov', { isMissing: false, isSameFile: true });
    expect(chooseFormer('a/clip.mov', [present], new Set(['clip.mov']))).toBe(present);
    expect(chooseFormer('a/clip.mov', [present], new Set(['clip.mov', 'Clip.mov']))).toBeNull();
    expect(chooseFormer('a/clip.mov', [present], null)).toBeNull();
    expect(chooseFormer('b/clip.mov', [present], new Set(['clip.mov']))).toBeNull();
    expect(isCaseVariant('a', 'a')).toBe(false);
  });

  it('takes its file set along only when that is named after it', () => {
    const record = { name: 'a.mov', original_name: 'a.mov', directory_path: '/x' } as FileRecord;
    const set = (base_dir: string, name: string) => ({ base_dir, name }) as FileSet;
    expect(fileSetPlaceBody(set('x', 'a.mov'), record, 'y/b.mov')).toEqual({ base_dir: 'y', name: 'b.mov' });
    expect(fileSetPlaceBody(set('x', 'A card'), record, 'y/b.mov')).toBeNull();
    expect(fileSetPlaceBody(set('z', 'a.mov'), record, 'y/b.mov')).toBeNull();
  });
});

describe('sidecars', () => {
  it('have the extension appended or replaced, appended first', () => {
    const keys = sidecarKeys('x/a.b.mov');
    expect(keys.slice(0, 2)).toEqual(['x/a.b.mov.json', 'x/a.b.mov.JSON']);
    expect(keys).toContain('x/a.b.xml');
    expect(keys).toHaveLength(12);
    expect(isSidecarOf('x/a.b.json', 'x/a.b.mov')).toBe(true);
    expect(isSidecarOf('x/a.b.mov.csv', 'x/a.b.mov')).toBe(true);
    expect(isSidecarOf('x/a.json', 'x/a.b.mov')).toBe(false);
    expect(isSidecarOf('x/a.json', 'x/a.xml')).toBe(false);
  });

  it('must have the shape of the metadata calls; anything else has a reason', () => {
    const text = '\uFEFF{"metadata_values":{"T":{"field_values":[{"value":"x","label":"y"}]}}}';
    expect(readJsonSidecar(text)).toEqual({ kind: 'values', values: { T: { field_values: [{ value: 'x' }] } } });
    for (const odd of ['', '[]', '{"T":"x"}', '{"metadata_values":{"T":"x"}}', '{"metadata_values":{"T":{}}}']) {
      expect(readJsonSidecar(odd)).toMatchObject({ kind: 'invalid' });
    }
  });

  it('go to the converter with the headers of either spelling; what is neither is left out', () => {
    expect(converterHeaders('{"X-Key":"a","N":1}')).toEqual({ 'X-Key': 'a', N: '1' });
    expect(converterHeaders('X-Key: a:b\r\nnonsense\n Other : c')).toEqual({ 'X-Key': 'a:b', Other: 'c' });
    expect(converterHeaders('{odd')).toEqual({});
    expect(converterHeaders(undefined)).toEqual({});
  });
});

describe('versions by suffix', () => {
  const on = { enable_auto_versioning: true };
  it('follow the number before, however it is spelled, in the same folder', () => {
    expect(versionOfFile('x/clip_v2.mov', on)).toEqual({ number: 2, predecessorKeys: ['x/clip_v1.mov'] });
    expect(versionOfFile('clip_v10.mov', on)?.predecessorKeys).toEqual(['clip_v09.mov', 'clip_v9.mov']);
    expect(versionOfFile('clip-3', { ...on, asset_versions_suffix: '-#' })?.predecessorKeys).toEqual(['clip-2']);
  });

  it('are none without number, for the first, when exempt, and with a suffix that says nothing', () => {
    for (const path of ['clip.mov', 'clip_v1.mov', 'clip_v0.mov', '_v2.mov', 'clip_v2_final.mov']) {
      expect(versionOfFile(path, on)).toBeNull();
    }
    expect(versionOfFile('clip_v2.mov', {})).toBeNull();
    expect(versionOfFile('clip_v2.mov', { ...on, auto_version_ignore: ['*.mov'] })).toBeNull();
    expect(versionOfFile('clip_v2.mov', { ...on, asset_versions_suffix: '_v' })).toBeNull();
    expect(versionOfFile('clip_v2.mov', { ...on, asset_versions_suffix: '#(#' })).toBeNull();
  });
});

describe('directory assets', () => {
  const on = { enable_directory_assets: true, directory_assets_original_patterns: ['*.card'] };
  it('are the outermost directories that match', () => {
    expect(directoryAssetOf('a/B.card/C.card/1.mxf', on)).toBe('a/B.card');
    expect(directoryAssetOf('a/1.card', on)).toBeNull();
    expect(directoryAssetOf('a/B.card/1.mxf', { ...on, enable_directory_assets: false })).toBeNull();
    expect(pathInDirectoryAsset('a/B.card/x/1.mxf', on)).toBe('x/1.mxf');
    expect(pathInDirectoryAsset('a/1.mxf', on)).toBeNull();
  });

  it('transcode what their patterns name, or everything without patterns', () => {
    const chosen = { ...on, directory_assets_transcode_patterns: ['*.mxf'] };
    expect(isRenditionSource('a/B.card/1.mxf', chosen)).toBe(true);
    expect(isRenditionSource('a/B.card/1.xml', chosen)).toBe(false);
    expect(isRenditionSource('a/B.card/1.xml', on)).toBe(true);
  });
});

describe('collections and tags', () => {
  it('mirror each folder under the storage, with external ids that composition does not change', () => {
    const ids = collectionSteps({ id: 'S', name: 'NAS' }, 'a/cafe\u0301').map((step) => step.externalId);
    expect(ids.slice(1)).toEqual(['S/', 'S/a', 'S/a/caf\u00e9']);
    expect(collectionSteps({ id: 'S', name: '' }, '')[1]).toMatchObject({ title: 'S', storageId: 'S' });
  });

  it('tags need a field, a view and a folder, and name each folder once', () => {
    const settings = { folder_name_tags_metadata_field_name: 'Tags', folder_name_tags_metadata_view_id: 'V' };
    expect(folderTags('a/b/a/1.mov', settings)?.values).toEqual({
      Tags: { field_values: [{ value: 'a' }, { value: 'b' }] },
    });
    expect(folderTags('1.mov', settings)).toBeNull();
    expect(folderTags('a/1.mov', { folder_name_tags_metadata_field_name: 'Tags' })).toBeNull();
  });
});
