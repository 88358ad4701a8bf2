import { describe, expect, it } from 'vitest';
import type { OrderedFile } from '../../../../agent/db/queries/ordered-file.ts';
import { readEventData } from '../../../../agent/roles/main/queues/event-data.ts';
import { planEvent } from '../../../../agent/roles/main/queues/event-plan.ts';
import { planIngestUpload } from '../../../../agent/roles/main/queues/ingest-upload.ts';
import { stepsOf } from '../../../../agent/roles/main/queues/record-plan.ts';
import { isOutside, scanRoots } from '../../../../agent/roles/main/queues/scan-roots.ts';

const UUID = '0d1c0000-0000-4000-8000-000000000001';

describe('event data', () => {
  it('names files, folders and collections under any key, each once', () => {
    const data = readEventData({
      file_id: 'a',
      file_ids: ['a', { id: 'b' }],
      paths: ['/x//y/', 'x/y'],
      collection: { id: 'c' },
    });
    expect(data).toMatchObject({ fileIds: ['a', 'b'], paths: ['x/y'], collectionIds: ['c'] });
  });

  it('leaves out paths that lead out of the storage, and what no database can hold', () => {
    const data = readEventData({ paths: ['../a', 'b/../c', '/', 'ok'], file_ids: ['nul\0', '\ud800', 7, null] });
    expect(data).toMatchObject({ paths: ['ok'], fileIds: [] });
  });

  it.each([
    [
      { old_asset_id: 'o', new_asset_id: 'n' },
      { oldAssetIds: ['o'], newAssetId: 'n' },
    ],
    [
      { merged_asset_ids: ['o', 'p'], asset_id: 'n' },
      { oldAssetIds: ['o', 'p'], newAssetId: 'n' },
    ],
    [
      { asset_id: 'o', target_asset_id: 'n' },
      { oldAssetIds: ['o'], newAssetId: 'n' },
    ],
    [{ asset_ids: ['a', 'b'] }, null],
    [{ old_asset_id: 'o' }, null],
    [{ old_asset_id: 'n', new_asset_id: 'n' }, null],
    [{ asset_id: 'o', new_asset_id: ['n', 'm'] }, null],
  ])('tells a merge only when it is plain: %j', (data, merge) => {
    expect(readEventData(data).merge).toEqual(merge);
  });

  it('names an iconik job of an order only when it can be one', () => {
    const originOf = (job_id: unknown) => {
      const step = planEvent({ id: 'e', type: 'RESET_INGEST_VALIDATION', data: { job_id } }, 'nas');
      return step.kind === 'order' ? step.job.job.origin.iconikJobId : 'no order';
    };
    expect([UUID, 'j', ['x', UUID], null].map(originOf)).toEqual([UUID, null, UUID, null]);
  });
});

describe('steps of an iconik job', () => {
  it('are read from an object of ids and from a list; what iconik would not take is left out', () => {
    expect(stepsOf({ copy: UUID, odd: 'x', worse: 7 })).toEqual([{ id: UUID, label: 'copy' }]);
    expect(stepsOf([{ id: UUID, label: 'copy' }, { id: UUID }, null, 'x'])).toEqual([{ id: UUID, label: 'copy' }]);
    for (const none of [null, undefined, 'text', 7, []]) expect(stepsOf(none)).toEqual([]);
  });
});

describe('the scan directories', () => {
  it('hold themselves and what is below, not what only begins alike', () => {
    const roots = scanRoots(['/in/', 'other//deep']);
    const outside = ['', 'in', 'in/a', 'inner', 'other', 'other/deep/x'].filter((path) => isOutside(path, roots));
    expect(outside).toEqual(['', 'inner', 'other']);
  });

  it('leave nothing outside when there are none, or the root is one', () => {
    for (const directories of [undefined, [], ['/'], ['', 'in']])
      expect(isOutside('x', scanRoots(directories))).toBe(false);
  });
});

describe('the upload of an ingested file', () => {
  const file: OrderedFile = {
    path: 'a/clip.mov',
    pathKey: 'a/clip.mov',
    sizeBytes: 5,
    mtimeNs: '1',
    state: 'ingested',
    md5: 'm',
    assetId: 'asset',
    versionId: null,
    formatId: 'format',
    fileSetId: 'set',
    iconikFileId: 'file',
  };
  const plan = (change: Partial<OrderedFile>) =>
    planIngestUpload(
      { eventId: 'e', storageId: 'nas', data: readEventData({ priority: 7 }) },
      { ...file, ...change },
      { destination: 'cloud', settings: { remote_path: '/archive/' } },
    );

  it('goes below the remote path, under the key of the upload that ingest would order', () => {
    expect(plan({})).toMatchObject({
      failure: null,
      job: {
        priority: 7,
        dedupeKey: 'upload:format:cloud',
        payload: { destinationDirectoryPath: 'archive/a', iconikPriority: 7 },
        origin: { kind: 'event', recordId: 'e:file' },
      },
    });
  });

  it.each([
    [{ state: 'missing' }, /is missing/],
    [{ state: 'hashing' }, /cannot be uploaded yet/],
    [{ fileSetId: null }, /not in iconik yet/],
  ] as const)('fails with the reason for %j', (change, reason) => {
    expect(plan(change).failure?.message).toMatch(reason);
  });
});
