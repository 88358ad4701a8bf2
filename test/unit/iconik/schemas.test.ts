import { describe, expect, test } from 'vitest';
import { isSamePath, plainDirectory } from '../../../agent/iconik/record-path.ts';
import {
  assetSchema,
  clusterSchema,
  deletionSchema,
  fileSchema,
  gatewaySchema,
  storageSchema,
} from '../../../agent/iconik/schemas.ts';

describe('answers of iconik', () => {
  test('missing fields become null or the published default', () => {
    expect(gatewaySchema.parse({ id: 'g' })).toEqual({
      id: 'g',
      name: '',
      enabled: false,
      cluster_id: null,
      roles: [],
      storages: {},
      settings: {},
      date_modified: null,
    });
    expect(clusterSchema.parse({ id: 'c', enabled: true })).toMatchObject({
      visibility_timeout: 3600,
      db_connection_uri: '',
    });
    expect(assetSchema.parse({ id: 'a', title: 't' })).toMatchObject({
      versions: [],
      files: [],
      created_by_user: null,
    });
  });

  test('unknown fields and unknown enum values survive; unknown roles do not', () => {
    const gateway = gatewaySchema.parse({ id: 'g', roles: ['MAIN', 'JUGGLER'], news: 1 });
    expect(gateway).toMatchObject({ roles: ['MAIN'], news: 1 });
    expect(storageSchema.parse({ id: 's', method: 'TAPE', settings: { odd: 1 } })).toMatchObject({
      method: 'TAPE',
      settings: { odd: 1 },
    });
  });

  test('oddly typed optional values count as absent, numbers in text as numbers', () => {
    expect(
      storageSchema.parse({ id: 's', settings: { scan: 'true', delete: 'maybe', scan_directories: 'a' } }).settings,
    ).toEqual({
      scan: true,
      delete: undefined,
      scan_directories: undefined,
    });
    expect(fileSchema.parse({ id: 'f', size: '123', checksum: 7 })).toMatchObject({ size: 123, checksum: null });
  });

  test('a record without id is no record', () => {
    expect(fileSchema.safeParse({ name: 'x' }).success).toBe(false);
  });

  test('an odd keep_source never turns into a deletion', () => {
    const record = { id: 'd', file_id: 'f', filename: 'x', job_id: 'j', storage_id: 's' };
    expect(deletionSchema.parse({ ...record, keep_source: 'yes' }).keep_source).toBe(true);
    expect(deletionSchema.parse(record).keep_source).toBe(false);
  });
});

describe('paths of records', () => {
  test.each([
    ['', ''],
    ['/', ''],
    ['.', ''],
    ['/a/b/', 'a/b'],
    ['a//b', 'a//b'],
    ['./a', 'a'],
    ['.hidden/x', '.hidden/x'],
  ])('%j is the directory %j', (given, plain) => {
    expect(plainDirectory(given)).toBe(plain);
  });

  test('a name matches by name or original name, in either Unicode form', () => {
    const file = fileSchema.parse({ id: 'f', name: null, original_name: 'u\u0308.mov', directory_path: '/a/' });
    expect(isSamePath(file, { directoryPath: 'a', name: '\u00fc.mov' })).toBe(true);
    expect(isSamePath(file, { directoryPath: 'b', name: '\u00fc.mov' })).toBe(false);
  });
});
