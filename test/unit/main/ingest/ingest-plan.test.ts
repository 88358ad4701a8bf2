import { describe, expect, it } from 'vitest';
import type { IngestRow, PlaceInAsset } from '../../../../agent/db/queries/ingest.ts';
import type { FileRecord, FileStorageSettings, Storage } from '../../../../agent/iconik/api.ts';
import {
  adoptableIds,
  assetBody,
  assetIdentity,
  assetTitle,
  fileBody,
  followUpJobs,
  isoTime,
  isSelected,
  nextIngestStep,
  remoteDirectory,
  uploadAgainJob,
  uploadJob,
} from '../../../../agent/roles/main/ingest/ingest-plan.ts';

const row: IngestRow = {
  storageId: 'storage',
  pathKey: 'projects/a/clip.one.mov',
  path: 'projects/a/clip.one.mov',
  sizeBytes: 12,
  mtimeNs: '1700000000123456789',
  state: 'ingesting',
  md5: 'm'.repeat(32),
  assetId: null,
  versionId: null,
  formatId: null,
  fileSetId: null,
  fileId: null,
  attempts: 0,
};
const ids = { assetId: 'A', versionId: 'V', formatId: 'F', fileSetId: 'S', fileId: 'R' };

describe('nextIngestStep', () => {
  it('fills in one id after the other, in the order in which iconik needs them', () => {
    const kinds = [
      nextIngestStep(row),
      nextIngestStep({ ...row, assetId: 'A', versionId: 'V' }),
      nextIngestStep({ ...row, assetId: 'A', versionId: 'V', formatId: 'F' }),
      nextIngestStep({ ...row, ...ids, fileId: null }),
      nextIngestStep({ ...row, ...ids }),
    ].map((step) => step.kind);
    expect(kinds).toEqual(['asset', 'format', 'file-set', 'file', 'close']);
  });

  it('a hashed row with a record has a record older than its content', () => {
    expect(nextIngestStep({ ...row, ...ids, state: 'hashed' })).toEqual({ kind: 'update', ids });
  });
});

describe('the asset of a file', () => {
  it('is its own without aggregation, or where the file is exempt from it', () => {
    const own = {
      key: 'path:storage:projects/a/clip.one.mov',
      isAggregated: false,
      onlyStorageId: null,
      directory: null,
    };
    expect(assetIdentity(row, {})).toEqual(own);
    expect(assetIdentity(row, { aggregate_identical_files: true, aggregate_ignore: ['*.mov'] })).toEqual(own);
  });

  it('is shared by content with aggregation, by storage when limited to it', () => {
    expect(assetIdentity(row, { aggregate_identical_files: true }).key).toBe(`md5:${row.md5}`);
    expect(assetIdentity(row, { aggregate_identical_files: true, aggregate_only_on_same_storage: true })).toEqual({
      key: `md5:${row.md5}@storage`,
      isAggregated: true,
      onlyStorageId: 'storage',
      directory: null,
    });
  });

  it('has a title with the extension unless the storage says otherwise, composed, and never empty', () => {
    expect(assetTitle(row.path, {})).toBe('clip.one.mov');
    expect(assetTitle(row.path, { title_includes_extension: false })).toBe('clip.one');
    expect(assetTitle('.hidden', { title_includes_extension: false })).toBe('.hidden');
    expect(assetTitle('cafe\u0301.mov', {})).toBe('caf\u00e9.mov');
  });

  it('carries the file name as external id only when asked for', () => {
    expect(assetBody(row, {})).toEqual({ title: 'clip.one.mov', type: 'ASSET', is_online: true });
    expect(assetBody(row, { filename_is_external_id: true })).toHaveProperty('external_id', 'clip.one.mov');
  });
});

describe('the file record', () => {
  it('names directory and file apart and carries digest, size and times', () => {
    expect(fileBody({ ...row, versionId: 'V' }, { formatId: 'F', fileSetId: 'S' })).toEqual({
      original_name: 'clip.one.mov',
      name: 'clip.one.mov',
      directory_path: 'projects/a',
      type: 'FILE',
      status: 'OPEN',
      size: 12,
      checksum: row.md5,
      file_date_created: '2023-11-14T22:13:20.123Z',
      file_date_modified: '2023-11-14T22:13:20.123Z',
      file_set_id: 'S',
      format_id: 'F',
      storage_id: 'storage',
      version_id: 'V',
    });
  });

  it('is written with milliseconds, also before 1970', () => {
    expect(isoTime('-1000000')).toBe('1969-12-31T23:59:59.999Z');
  });

  it('is adopted only when it lives and knows its asset, format and file set', () => {
    const record = { id: 'R', status: 'CLOSED', asset_id: 'A', version_id: 'V', format_id: 'F', file_set_id: 'S' };
    expect(adoptableIds(record as FileRecord)).toEqual(ids);
    expect(adoptableIds({ ...record, status: 'DELETED' } as FileRecord)).toBeNull();
    expect(adoptableIds({ ...record, asset_id: null } as unknown as FileRecord)).toBeNull();
  });
});

describe('follow-up work', () => {
  const storage = (settings: FileStorageSettings): Storage => ({
    id: 'storage',
    name: 'NAS',
    method: 'FILE',
    purpose: 'FILES',
    status: 'ACTIVE',
    settings,
    date_modified: null,
  });
  const orders = (settings: FileStorageSettings, place: PlaceInAsset = 'first') =>
    followUpJobs(row, ids, {
      storage: storage(settings),
      profileOf: (path) => `for ${path}`,
      place,
      upload: uploadJob(row, ids, settings),
    });

  it('is none unless the storage asks for it', () => {
    expect(orders({})).toEqual([]);
    expect(orders({ upload_files: true })).toEqual([]);
    expect(orders({ local_proxy_creation: true, transcode_ignore: ['*.mov'] })).toEqual([]);
  });

  it('is ordered once for an asset, and only the upload for one of somebody else', () => {
    const settings = { local_proxy_creation: true, upload_files: true, remote_storage_id: 'cloud' };
    const kinds = (place: PlaceInAsset) => orders(settings, place).map((job) => job.kind);
    expect(kinds('first')).toEqual(['transcode', 'upload']);
    expect(kinds('later')).toEqual([]);
    expect(kinds('foreign')).toEqual(['upload']);
  });

  it('brings the cloud copy of a modified file up to date where it is, once for a content', () => {
    const record = { directory_path: 'archive', name: 'clip.mov', original_name: 'clip.mov' } as FileRecord;
    const job = uploadAgainJob(row, ids, { record, storageId: 'cloud', fileSetName: 'clip' });
    expect(job.dedupeKey).toBe(`upload:F:cloud:${row.md5}`);
    expect(job.payload).toMatchObject({
      destinationStorageId: 'cloud',
      destinationDirectoryPath: 'archive',
      destinationFilename: 'clip.mov',
      destinationFileSetName: 'clip',
    });
  });

  it('is a transcode with what is wanted, and an upload to where the storage says', () => {
    const jobs = orders({
      local_keyframe_creation: true,
      upload_files: true,
      remote_storage_id: 'cloud',
      remote_path: '/archive/',
    });
    expect(jobs).toEqual([
      {
        role: 'TRANSCODE',
        kind: 'transcode',
        storageId: 'storage',
        profile: `for ${row.path}`,
        payload: { storageId: 'storage', path: row.path, ...ids, wantProxy: false, wantKeyframes: true },
        dedupeKey: 'transcode:R',
      },
      {
        role: 'TRANSFER',
        kind: 'upload',
        storageId: 'storage',
        payload: {
          storageId: 'storage',
          path: row.path,
          ...ids,
          sizeBytes: 12,
          md5: row.md5,
          mtimeNs: row.mtimeNs,
          destinationStorageId: 'cloud',
          destinationDirectoryPath: 'archive/projects/a',
        },
        dedupeKey: 'upload:F:cloud',
      },
    ]);
  });

  it('include lists beat ignore lists', () => {
    expect(isSelected('a.mov', { ignore: ['*.mov'], include: ['*.mov'] })).toBe(true);
    expect(isSelected('a.wav', { ignore: [], include: ['*.mov'] })).toBe(false);
    expect(isSelected('a.mov', { ignore: ['*.mov'] })).toBe(false);
  });

  it('remote directories have no outer slashes', () => {
    expect(remoteDirectory(undefined, '')).toBe('');
    expect(remoteDirectory('/', 'a/b')).toBe('a/b');
    expect(remoteDirectory('x/', '')).toBe('x');
  });
});
