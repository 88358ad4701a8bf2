import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { IngestBench, md5Of } from './ingest-bench.ts';

let bench: IngestBench;
beforeAll(async () => {
  bench = await IngestBench.create();
});
afterEach(async () => {
  bench.expectNoViolation();
  bench.standIn.clearViolations();
  await bench.reset();
});
afterAll(() => bench.close());

/** A folder as a file system without case shows it: any spelling answers, one is listed. */
function folderWithoutCase(names: string[]): StorageAccess {
  const refuse = () => Promise.reject(new Error('not needed'));
  const facts = { kind: 'file', sizeBytes: 4, mtimeNs: '1', fileId: '1' } as const;
  return {
    storageId: bench.storage.id,
    mountPoint: '/nowhere',
    absolutePath: (path) => path,
    probe: refuse,
    placeMarker: refuse,
    walk: async (_options, onDirectory, signal) => {
      await onDirectory({ kind: 'listed', path: '', entries: names.map((name) => ({ ...facts, name })) });
      signal.throwIfAborted();
      return { files: names.length, directories: 1, skipped: 0, unreadable: 0 };
    },
    stat: async () => facts,
    digest: refuse,
    sendRange: refuse,
    receiveFile: refuse,
    commitFile: refuse,
    removeFile: refuse,
    stop: async () => {},
  };
}

describe('a file that moves', () => {
  it('takes its record along: one update, no second asset, no second transcode', async () => {
    bench.storage.settings.local_proxy_creation = true;
    await bench.addHashed('a/film.mov', 'film');
    await bench.run();
    const [before] = await bench.rows();
    await bench.markMissing('a/film.mov');
    await bench.addHashed('b/renamed.mov', 'film');
    await bench.run();
    expect(bench.records()).toEqual({
      assets: ['film.mov'],
      formats: 1,
      fileSets: ['renamed.mov'],
      files: [`b/renamed.mov CLOSED ${md5Of('film')}`],
    });
    expect(await bench.rows()).toMatchObject([
      { path: 'b/renamed.mov', state: 'ingested', asset_id: before?.asset_id, iconik_file_id: before?.iconik_file_id },
    ]);
    expect(await bench.jobs()).toHaveLength(1);
  });

  it('is shown as rediscovered when iconik had been told that it is missing', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    const [record] = bench.standIn.records.files.all();
    Object.assign(record ?? {}, { status: 'MISSING' });
    await bench.markMissing('film.mov');
    await bench.addHashed('sub/film.mov', 'film');
    await bench.run();
    expect(bench.records().files).toEqual([`sub/film.mov REDISCOVERED ${md5Of('film')}`]);
  });

  it('keeps its record when only upper and lower case change, where the old name still answers', async () => {
    await bench.addHashed('Film.mov', 'film');
    await bench.run();
    await bench.addHashed('film.mov', 'film');
    await bench.run({ access: folderWithoutCase(['film.mov']) });
    expect(bench.records()).toMatchObject({
      assets: ['Film.mov'],
      fileSets: ['film.mov'],
      files: [`film.mov CLOSED ${md5Of('film')}`],
    });
    expect((await bench.rows()).map((row) => row.path)).toEqual(['film.mov']);
  });

  it('is another file when the folder lists both spellings', async () => {
    await bench.addHashed('Film.mov', 'film');
    await bench.run();
    await bench.addHashed('film.mov', 'film');
    await bench.run({ access: folderWithoutCase(['film.mov', 'Film.mov']) });
    expect(bench.records().files).toHaveLength(2);
  });

  it('leaves its old path to another file, also to a copy of itself', async () => {
    bench.storage.settings.aggregate_identical_files = true;
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    await bench.markMissing('film.mov');
    await bench.addHashed('sub/film.mov', 'film');
    await bench.run();
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    expect(bench.records()).toMatchObject({
      assets: ['film.mov'],
      fileSets: ['film.mov', 'film.mov'],
      files: [`film.mov CLOSED ${md5Of('film')}`, `sub/film.mov CLOSED ${md5Of('film')}`],
    });
    expect(new Set((await bench.rows()).map((row) => row.iconik_file_id)).size).toBe(2);
  });
});

describe('uploads', () => {
  const copyInCloud = (content: string) => {
    const [own] = bench.standIn.records.files.all();
    const copy = {
      ...own,
      id: randomUUID(),
      storage_id: bench.cloudId,
      directory_path: 'cloud',
      checksum: md5Of(content),
    };
    bench.standIn.records.files.insert(copy);
  };
  const uploads = async () => (await bench.jobs()).filter((job) => job.kind === 'upload');

  it('a modified file goes anew to where its cloud copy is, whether or not the storage uploads by itself', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    copyInCloud('film');
    await bench.addHashed('film.mov', 'longer film');
    await bench.run();
    const [job] = await uploads();
    expect(job?.key).toMatch(new RegExp(`^upload:.+:${bench.cloudId}:${md5Of('longer film')}$`));
    expect(await uploads()).toHaveLength(1);
  });

  it('are not ordered when any remote copy will do and there is one', async () => {
    Object.assign(bench.storage.settings, {
      aggregate_identical_files: true,
      upload_files: true,
      remote_storage_id: bench.cloudId,
      skip_upload_on_any_remote_copy_found: true,
    });
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    expect(await uploads()).toHaveLength(1);
    copyInCloud('film');
    await bench.database.execute('DELETE FROM job', []);
    // To another gateway's index the asset is somebody else's.
    await bench.database.execute('DELETE FROM storage_file', []);
    await bench.database.execute('DELETE FROM intent', []);
    await bench.addHashed('copy.mov', 'film');
    await bench.run();
    expect(await uploads()).toEqual([]);
    bench.storage.settings.skip_upload_on_any_remote_copy_found = false;
    await bench.database.execute('DELETE FROM storage_file', []);
    await bench.addHashed('third.mov', 'film');
    await bench.run();
    expect(await uploads()).toHaveLength(1);
  });
});
