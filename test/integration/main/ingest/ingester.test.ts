import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IngestBench, md5Of } from './ingest-bench.ts';
import { DyingProcess } from './kill-points.ts';

let bench: IngestBench;
beforeEach(async () => {
  bench = await IngestBench.create();
});
afterEach(async () => {
  bench.expectNoViolation();
  await bench.close();
});

const states = async () => (await bench.rows()).map((row) => `${row.path} ${row.state}`);

describe('ingest', () => {
  it('makes asset, format, file set and closed file of a file, and orders its transcode once', async () => {
    await bench.addHashed('projects/a.mov', 'film');
    await bench.run();
    expect(bench.records()).toEqual({
      assets: ['a.mov'],
      formats: 1,
      fileSets: ['a.mov'],
      files: [`projects/a.mov CLOSED ${md5Of('film')}`],
    });
    const [row] = await bench.rows();
    expect(row).toMatchObject({ state: 'ingested', attempts: 0, error: null });
    expect(await bench.jobs()).toEqual([
      {
        kind: 'transcode',
        key: `transcode:${row?.iconik_file_id}`,
        profile: bench.transcoderId('FFMPEG'),
        path: 'projects/a.mov',
      },
    ]);
  });

  it('makes one asset of files with the same content, also when they come at once', async () => {
    for (const name of ['1.mov', '2.mov', 'sub/3.mov']) await bench.addHashed(name, 'same');
    await bench.addHashed('other.mov', 'other');
    await bench.run();
    const records = bench.records();
    expect(records.assets).toHaveLength(2);
    expect(records.formats).toBe(2);
    expect(records.files).toHaveLength(4);
    const rows = await bench.rows();
    expect(new Set(rows.map((row) => row.asset_id)).size).toBe(2);
    expect((await bench.jobs()).filter((job) => job.kind === 'transcode')).toHaveLength(2);
  });

  it('makes an asset of each file without aggregation, and where a pattern exempts it', async () => {
    bench.storage.settings.aggregate_ignore = ['*.wav'];
    await bench.addHashed('1.wav', 'same');
    await bench.addHashed('2.wav', 'same');
    await bench.run();
    expect(bench.records().assets).toHaveLength(2);
    bench.storage.settings.aggregate_identical_files = false;
    await bench.addHashed('3.mov', 'same');
    await bench.run();
    expect(bench.records().assets).toHaveLength(3);
  });

  it('finds an asset of this content that iconik has from elsewhere', async () => {
    await bench.addHashed('first.mov', 'film');
    await bench.run();
    // Another gateway's index knows nothing of it.
    await bench.database.execute('DELETE FROM storage_file', []);
    await bench.database.execute('DELETE FROM intent', []);
    await bench.database.execute('DELETE FROM job', []);
    await bench.addHashed('copy.mov', 'film');
    await bench.run();
    expect(bench.records()).toMatchObject({ assets: ['first.mov'], formats: 1, fileSets: ['copy.mov', 'first.mov'] });
    expect(await bench.jobs()).toEqual([]);
  });

  it('adopts the record that iconik has for this very file, also without aggregation', async () => {
    await bench.addHashed('a/film.mov', 'film');
    await bench.run();
    const [before] = await bench.rows();
    await bench.database.execute('DELETE FROM storage_file', []);
    await bench.database.execute('DELETE FROM intent', []);
    await bench.database.execute('DELETE FROM job', []);
    bench.storage.settings.aggregate_identical_files = false;
    await bench.addHashed('a/film.mov', 'film');
    await bench.run();
    expect(bench.records()).toMatchObject({ assets: ['film.mov'], formats: 1, fileSets: ['film.mov'] });
    expect(await bench.rows()).toMatchObject([{ asset_id: before?.asset_id, iconik_file_id: before?.iconik_file_id }]);
    expect(await bench.jobs()).toEqual([]);
  });

  it('brings the same record up to date when a file is modified, and transcodes it anew', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    await bench.addHashed('film.mov', 'longer film');
    await bench.run();
    const [row] = await bench.rows();
    expect(bench.records().files).toEqual([`film.mov CLOSED ${md5Of('longer film')}`]);
    expect((await bench.jobs()).map((job) => job.key)).toEqual([
      `transcode:${row?.iconik_file_id}`,
      `transcode:${row?.iconik_file_id}:${md5Of('longer film')}`,
    ]);
  });

  it('does not take the asset of a modified file for its old content', async () => {
    await bench.addHashed('film.mov', 'old');
    await bench.run();
    await bench.addHashed('film.mov', 'new');
    await bench.run();
    await bench.addHashed('copy-of-old.mov', 'old');
    await bench.run();
    const rows = await bench.rows();
    expect(rows).toHaveLength(2);
    expect(new Set(rows.map((row) => row.asset_id)).size).toBe(2);
  });

  it('shows a record as rediscovered that was shown as missing, without transcoding again', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    await bench.api.storages.patchFileAt(bench.storage.id, {
      directory_path: '',
      name: 'film.mov',
      original_name: 'film.mov',
      type: 'FILE',
      status: 'MISSING',
    });
    expect(bench.records().files).toEqual([`film.mov MISSING ${md5Of('film')}`]);
    await bench.database.execute("UPDATE storage_file SET state = 'hashed'", []);
    await bench.run();
    expect(bench.records().files).toEqual([`film.mov REDISCOVERED ${md5Of('film')}`]);
    expect(await bench.jobs()).toHaveLength(1);
  });

  it('orders the transcode of a file that went away before its record was closed, and came back', async () => {
    await bench.addHashed('film.mov', 'film');
    // The eighth request is the one that closes the record.
    const dying = new DyingProcess({ call: 8, when: 'before' });
    await bench.run({ api: dying.api(bench.api), stopWhen: dying.died });
    expect(bench.records().files).toEqual([`film.mov OPEN ${md5Of('film')}`]);
    await bench.database.execute("UPDATE storage_file SET state = 'hashed'", []);
    await bench.run();
    expect(bench.records().files).toEqual([`film.mov CLOSED ${md5Of('film')}`]);
    expect(await bench.jobs()).toHaveLength(1);
  });

  it('makes a new asset when the old one was deleted in iconik', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    const [before] = await bench.rows();
    await bench.api.assets.delete(before?.asset_id ?? '');
    await bench.database.execute("UPDATE storage_file SET state = 'hashed'", []);
    await bench.run();
    const [after] = await bench.rows();
    expect(after).toMatchObject({ state: 'ingested', error: null });
    expect(after?.asset_id).not.toBe(before?.asset_id);
  });

  it('orders the upload of the first file of an asset when the storage asks for it', async () => {
    bench.storage.settings.upload_files = true;
    bench.storage.settings.remote_storage_id = '22222222-2222-4222-8222-222222222222';
    bench.storage.settings.upload_ignore = ['*.wav'];
    await bench.addHashed('1.mov', 'same');
    await bench.addHashed('2.mov', 'same');
    await bench.addHashed('3.wav', 'sound');
    await bench.run();
    const uploads = (await bench.jobs()).filter((job) => job.kind === 'upload');
    expect(uploads).toHaveLength(1);
    expect(uploads[0]?.key).toMatch(/^upload:.+:22222222-/);
  });

  it('sets a file aside that iconik refuses for good, with the reason, and goes on with the others', async () => {
    const refusing = {
      ...bench.api,
      assets: {
        ...bench.api.assets,
        create: (body: Record<string, unknown>, limits?: { signal?: AbortSignal }) =>
          // A title that is no text is what the published schema refuses.
          bench.api.assets.create(body.title === 'bad.mov' ? { ...body, title: 7 } : body, limits),
      },
    };
    await bench.addHashed('bad.mov', 'bad');
    await bench.addHashed('good.mov', 'good');
    await bench.run({ api: refusing });
    expect(await states()).toEqual(['bad.mov faulty', 'good.mov ingested']);
    expect((await bench.rows())[0]?.error).toMatchObject({ code: 'iconik-rejected', retry: 'permanent' });
    bench.standIn.clearViolations();
  });

  it('outlives answers of 503 and answers that never come', async () => {
    bench.standIn.setFaults({ status: { rate: 0.1, code: 503 }, dropAfterCommit: { rate: 0.1 }, seed: 7 });
    for (let n = 0; n < 12; n += 1) await bench.addHashed(`f${n}.mov`, `content ${n % 8}`);
    await bench.run();
    bench.standIn.setFaults({});
    const rows = await bench.rows();
    expect(rows.filter((row) => row.state !== 'ingested')).toEqual([]);
    const records = bench.records();
    expect([records.assets.length, records.formats, records.fileSets.length, records.files.length]).toEqual([
      8, 8, 12, 12,
    ]);
  });
});
