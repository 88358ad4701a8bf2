import { describe, expect, it } from 'vitest';
import { FILE_STATES } from '../../../../agent/contract/index.ts';
import type { OrderedFile } from '../../../../agent/db/queries/ordered-file.ts';
import {
  judgeUploadFile,
  pathInStorage,
  planDeletion,
  planDownload,
  planTranscode,
  planUpload,
  type QueueRecord,
} from '../../../../agent/roles/main/queues/record-plan.ts';

const file: OrderedFile & { md5: string } = {
  path: 'a/clip.mov',
  pathKey: 'a/clip.mov',
  sizeBytes: 42,
  mtimeNs: '1700000000123456789',
  state: 'ingested',
  md5: 'd41d8cd98f00b204e9800998ecf8427e',
  assetId: 'asset',
  versionId: 'version',
  formatId: 'format',
  fileSetId: 'set',
  iconikFileId: 'file',
};

describe('orders that become jobs', () => {
  it('makes an upload of a transfers_from record and the file of the index', () => {
    const record = {
      id: 'r',
      job_id: 'j',
      asset_id: 'asset',
      format_id: null,
      original_file_set_id: 'set',
      destination_storage_id: 'cloud',
      destination_directory_path: null,
      destination_filename: 'other.mov',
      priority: 8,
    };
    expect(planUpload('nas', record, file)).toEqual({
      failure: null,
      job: {
        role: 'TRANSFER',
        kind: 'upload',
        storageId: 'nas',
        priority: 8,
        dedupeKey: 'upload:r',
        origin: { kind: 'transfers_from', recordId: 'r', storageId: 'nas', iconikJobId: 'j' },
        payload: {
          storageId: 'nas',
          path: 'a/clip.mov',
          assetId: 'asset',
          versionId: 'version',
          formatId: 'format',
          fileSetId: 'set',
          fileId: 'file',
          sizeBytes: 42,
          md5: file.md5,
          mtimeNs: '1700000000123456789',
          destinationStorageId: 'cloud',
          destinationDirectoryPath: '',
          destinationFilename: 'other.mov',
          iconikPriority: 8,
        },
      },
    });
  });

  it('makes a download of a transfers_to record', () => {
    const record = {
      id: 'r',
      asset_id: 'asset',
      format_id: 'format',
      file_set_id: 'set',
      destination_directory_path: 'in',
      destination_file_set_name: 'clip',
    };
    expect(planDownload('nas', record)).toMatchObject({
      failure: null,
      job: {
        role: 'TRANSFER',
        kind: 'download',
        dedupeKey: 'download:r',
        payload: { sourceFileSetId: 'set', destinationDirectoryPath: 'in', destinationFileSetName: 'clip' },
        origin: { iconikJobId: null },
      },
    });
  });

  it('makes a deletion, for MAIN, with the path relative to the mount', () => {
    const record = {
      id: 'r',
      job_id: 'j',
      file_id: 'f',
      filename: 'clip.mov',
      directory_path: '/a/b/',
      storage_id: 'nas',
    };
    expect(planDeletion('nas', record)).toMatchObject({
      failure: null,
      job: {
        role: 'MAIN',
        kind: 'delete',
        payload: { storageId: 'nas', fileId: 'f', path: 'a/b/clip.mov', keepSource: false },
      },
    });
  });

  it('makes a transcode, and one without renditions when only metadata is asked for', () => {
    const record = {
      id: 'r',
      asset_id: 'a',
      version_id: 'v',
      format_id: 'f',
      file_set_id: 's',
      file_id: 'x',
      filename: 'clip.mov',
      directory_path: '',
    };
    const profileOf = (path: string) => `for ${path}`;
    const wants = (plan: ReturnType<typeof planTranscode>) => [
      plan.job.payload.wantProxy,
      plan.job.payload.wantKeyframes,
    ];
    expect(wants(planTranscode('nas', record, profileOf))).toEqual([true, true]);
    expect(planTranscode('nas', record, profileOf).job.profile).toBe('for clip.mov');
    expect(wants(planTranscode('nas', Object.assign(record, { metadata_update_only: true }), profileOf))).toEqual([
      false,
      false,
    ]);
  });
});

describe('orders that cannot become work', () => {
  it('fail with the field that is missing, and keep their origin', () => {
    const plan = planDownload('nas', { id: 'r', job_id: 'j' });
    expect(plan.failure?.message).toMatch(/asset_id.*file_set_id/);
    expect(plan.job.origin).toEqual({ kind: 'transfers_to', recordId: 'r', storageId: 'nas', iconikJobId: 'j' });
  });

  it('fail when the path leads out of the storage', () => {
    const record = { id: 'r', file_id: 'f', filename: 'passwd', directory_path: '../../etc' };
    expect(planDeletion('nas', record).failure?.message).toMatch(/leads out of the storage/);
  });

  it('fail when the database could not hold them', () => {
    const record = { id: 'r', file_id: 'f', filename: 'a\0b', directory_path: '' };
    expect(planDeletion('nas', record)).toMatchObject({
      failure: { retry: 'permanent' },
      job: { payload: { storageId: 'nas' } },
    });
    expect(planDeletion('nas', Object.assign(record, { filename: 'a\ud800b' })).failure).not.toBeNull();
  });

  it('fail for directories and sequences, which nothing deletes yet', () => {
    const record = { id: 'r', file_id: 'f', filename: 'card', directory_path: '', file_type: 'DIRECTORY' };
    expect(planDeletion('nas', record).failure?.message).toMatch(/not built yet/);
  });
});

describe('pathInStorage', () => {
  it.each([
    ['', 'a.mov', 'a.mov'],
    [null, 'a.mov', 'a.mov'],
    ['/x//y/', 'a.mov', 'x/y/a.mov'],
    ['./x', 'a.mov', 'x/a.mov'],
    ['x/../..', 'a.mov', null],
    ['', '', null],
    ['..hidden', '..a', '..hidden/..a'],
  ])('joins %j and %j to %j', (directory, name, expected) => {
    expect(pathInStorage(directory, name)).toBe(expected);
  });
});

describe('terms of transfer orders', () => {
  const base = { id: 'r', job_id: 'j', asset_id: 'asset', format_id: 'format' };
  const up = { ...base, original_file_set_id: 'set', destination_storage_id: 'cloud', destination_filename: 'final' };
  const down = { ...base, file_set_id: 'set', destination_directory_path: 'in', destination_file_set_name: 'restored' };
  const planned = (terms: object) => planDownload('nas', { ...down, ...terms } as QueueRecord);

  it('reach the job, or fail it with words that users of iconik see', () => {
    const terms = { overwrite: true, include_original_extension: true, delete_remote_file_set_after_download: true };
    expect(planned(terms)).toMatchObject({
      failure: null,
      job: { payload: { overwrite: true, includeOriginalExtension: true, deleteSource: true } },
    });
    expect(planned({ export_metadata_format: 'XLSX' })).toMatchObject({
      failure: { code: 'job-payload-invalid', message: expect.stringContaining('CSV, JSON and XML') },
    });
    const deletes = { ...up, delete_local_file_set_after_upload: true, include_original_extension: true };
    expect(planUpload('nas', deletes, file)).toMatchObject({
      failure: null,
      job: { payload: { deleteLocal: true, includeOriginalExtension: true, destinationFilename: 'final' } },
    });
    expect(planUpload('nas', { ...up, export_proxy: true }, file).failure?.message).toContain('proxies');
  });

  it('of a malformed kind fail the order, and nothing is guessed', () => {
    expect(planned({ overwrite: 'yes' }).failure?.message).toContain('overwrite');
  });

  it('carry all files of a file set', () => {
    const other = { ...file, path: 'a/b.mov', iconikFileId: 'other' };
    expect(planUpload('nas', up, file, [other]).job.payload.otherFiles).toEqual([
      { path: 'a/b.mov', sizeBytes: 42, md5: file.md5, mtimeNs: file.mtimeNs, fileId: 'other' },
    ]);
  });
});

describe('judgeUploadFile', () => {
  it('has a verdict on every state and never uploads what is not fully known', () => {
    const verdicts = FILE_STATES.map((state) => judgeUploadFile({ ...file, state }).kind);
    expect(Object.fromEntries(FILE_STATES.map((state, at) => [state, verdicts[at]]))).toEqual({
      seen: 'wait',
      growing: 'wait',
      ready: 'wait',
      hashing: 'wait',
      hashed: 'found',
      ingesting: 'found',
      ingested: 'found',
      missing: 'unusable',
      skipped: 'unusable',
      empty: 'unusable',
      faulty: 'unusable',
    });
    expect(judgeUploadFile({ ...file, md5: null }).kind).toBe('wait');
  });
});
