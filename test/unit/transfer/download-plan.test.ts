import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileRecord } from '../../../agent/iconik/api.ts';
import { planDownload } from '../../../agent/roles/transfer/download-plan.ts';
import { coerceError } from '../../../agent/runtime/errors.ts';

const record = (fields: Partial<FileRecord>): FileRecord => ({
  id: 'f1',
  storage_method: null,
  upload_method: null,
  upload_url: null,
  multipart_upload_url: null,
  upload_credentials: null,
  upload_filename: null,
  name: 'stored-name.mov',
  original_name: 'clip.mov',
  directory_path: 'remote/dir',
  size: 5,
  checksum: 'A'.repeat(32),
  status: 'CLOSED',
  type: 'FILE',
  storage_id: 's',
  asset_id: 'a',
  version_id: null,
  format_id: 'fo',
  file_set_id: 'fs',
  url: null,
  ...fields,
});
const order = {
  jobId: '7',
  destinationDirectoryPath: '/in/here/',
  destinationFilename: null,
  includeOriginalExtension: false,
};

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (thrown) {
    return coerceError(thrown).code;
  }
  return null;
};

describe('the plan of a download', () => {
  it('puts one file right into the destination directory, under its original or the ordered name', () => {
    const [plain] = planDownload(order, [record({})]);
    expect(plain).toMatchObject({ finalPath: 'in/here/clip.mov', directoryPath: 'in/here', md5: 'a'.repeat(32) });
    const [renamed] = planDownload({ ...order, destinationFilename: 'other.mov', includeOriginalExtension: false }, [
      record({}),
    ]);
    expect(renamed?.finalPath).toBe('in/here/other.mov');
  });

  it('leaves out what is deleted', () => {
    const items = planDownload(order, [record({}), record({ id: 'f2', original_name: 'b.mov', status: 'DELETED' })]);
    expect(items.map(({ finalPath }) => finalPath)).toEqual(['in/here/clip.mov']);
    expect(codeOf(() => planDownload(order, [record({ status: 'DELETED' })]))).toBe('download-refused');
  });

  it('refuses names of our own files, and paths that the index has no room for, before a byte is fetched', () => {
    const marker = [record({ original_name: '.isg-pro-storage' })];
    expect(codeOf(() => planDownload({ ...order, destinationDirectoryPath: '' }, marker))).toBe('download-refused');
    expect(codeOf(() => planDownload({ ...order, destinationDirectoryPath: 'a/.ISG-Pro-x/b' }, [record({})]))).toBe(
      'download-refused',
    );
    const deep = { ...order, destinationDirectoryPath: Array(30).fill('d'.repeat(99)).join('/') };
    expect(codeOf(() => planDownload(deep, [record({})]))).toBe('download-refused');
  });

  it('keeps the directories in which the files of a set differ', () => {
    const items = planDownload(order, [
      record({ id: 'f1', directory_path: 'card/CLIP/A' }),
      record({ id: 'f2', directory_path: 'card/CLIP/B/' }),
      record({ id: 'd', type: 'DIRECTORY', size: null }),
    ]);
    expect(items.map((item) => item.finalPath)).toEqual(['in/here/A/clip.mov', 'in/here/B/clip.mov']);
  });

  it('refuses, before a byte is fetched, names that Windows would keep under others', () => {
    for (const name of ['CON.mov', 'a:b', 'what?', 'dot.', 'new\nline']) {
      const plan = (platform: NodeJS.Platform) =>
        codeOf(() => planDownload(order, [record({ original_name: name })], platform));
      expect([plan('win32'), plan('linux'), plan('darwin')]).toEqual(['download-refused', null, null]);
    }
    const folder = { ...order, destinationDirectoryPath: 'in/aux' };
    expect(codeOf(() => planDownload(folder, [record({})], 'win32'))).toBe('download-refused');
  });

  it('takes every other name as it is', () => {
    for (const name of ['n\new', '"\'\\', '😀', '\u202egnp', 'e\u0301', 'x'.repeat(255)]) {
      const [item] = planDownload(order, [record({ original_name: name })], 'linux');
      expect(item?.finalPath).toBe(`in/here/${name}`);
    }
  });

  it('gives each file the same partial name in every attempt of a job', () => {
    const records = [record({ id: 'f1', original_name: 'a' }), record({ id: 'f2', original_name: 'b' })];
    const names = planDownload(order, records).map((item) => item.partialPath);
    expect(names).toEqual(['in/here/.isg-pro-part-7-0', 'in/here/.isg-pro-part-7-1']);
    expect(planDownload(order, records).map((item) => item.partialPath)).toEqual(names);
  });

  it.each([
    ['a name with a slash', { original_name: 'a/b' }],
    ['a name that climbs', { original_name: '..' }],
    ['a NUL', { original_name: 'a\0b' }],
    ['a directory that climbs', { directory_path: 'x/../../etc' }],
    ['no name', { original_name: '', name: '' }],
  ])('refuses %s', (_what, fields) => {
    expect(codeOf(() => planDownload(order, [record(fields), record({ id: 'f2', original_name: 'z' })]))).toBe(
      'outside-storage',
    );
  });

  it('never leads out of the destination directory', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (name, directory, destination) => {
        let items: ReturnType<typeof planDownload>;
        try {
          items = planDownload({ ...order, destinationDirectoryPath: destination }, [
            record({ original_name: name, name: '', directory_path: directory }),
          ]);
        } catch (thrown) {
          expect(coerceError(thrown).retry).toBe('permanent');
          return;
        }
        for (const item of items) expect(item.finalPath.split('/')).not.toContain('..');
      }),
    );
  });

  it.each([
    ['an empty set', []],
    ['only directories', [record({ type: 'DIRECTORY' })]],
    ['a sequence', [record({ type: 'SEQUENCE' })]],
    ['a file of unknown size', [record({ size: null })]],
    ['two files that would become one', [record({ id: 'f1' }), record({ id: 'f2' })]],
  ])('refuses %s', (_what, records) => {
    expect(codeOf(() => planDownload(order, records))).toBe('download-refused');
  });
});
