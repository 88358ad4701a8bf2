import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLogger, type LogRecord } from '../../../../agent/runtime/logger.ts';
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

/** A storage of which a test needs the names in its root, or the text of some files. */
function folderWith({ names = [], texts = {} }: { names?: string[]; texts?: Record<string, string> }): StorageAccess {
  const refuse = () => Promise.reject(new Error('not needed'));
  const facts = { kind: 'file', sizeBytes: 4, mtimeNs: '1', fileId: '1' } as const;
  return {
    storageId: bench.storage.id,
    mountPoint: '/nowhere',
    absolutePath: (path) => path,
    probe: refuse,
    placeMarker: refuse,
    walk: async (_options, onDirectory, signal) => {
      await onDirectory({
        kind: 'listed',
        path: '',
        entries: names.map((name) => ({ ...facts, name })),
        fingerprint: null,
      });
      signal.throwIfAborted();
      return { files: names.length, directories: 1, skipped: 0, unreadable: 0 };
    },
    watch: refuse,
    follow: refuse,
    stat: async (path) => (names.includes(path) ? facts : null),
    digest: refuse,
    digestMany: refuse,
    digestRange: refuse,
    readText: async (path) => texts[path] ?? null,
    readPart: refuse,
    sendRange: refuse,
    receiveFile: refuse,
    writeText: () => Promise.reject(new Error('not part of this double')),
    commitFile: refuse,
    removeFile: refuse,
    removeDirectory: refuse,
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
    await bench.run({ access: folderWith({ names: ['film.mov'] }) });
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
    await bench.run({ access: folderWith({ names: ['film.mov', 'Film.mov'] }) });
    expect(bench.records().files).toHaveLength(2);
  });

  it('is a copy when the file of a missing row is there all the same', async () => {
    // Rows outside the scan directories are missing by order, and a file can come back before a scan has seen it.
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    await bench.markMissing('film.mov');
    await bench.addHashed('copy.mov', 'film');
    await bench.run({ access: folderWith({ names: ['film.mov', 'copy.mov'] }) });
    expect(bench.records().files).toEqual([`copy.mov CLOSED ${md5Of('film')}`, `film.mov CLOSED ${md5Of('film')}`]);
    expect((await bench.rows()).map((row) => `${row.path} ${row.state}`)).toEqual([
      'copy.mov ingested',
      'film.mov missing',
    ]);
  });

  it('is closed at its new path when it moves before its record was closed', async () => {
    await bench.addHashed('a/film.mov', 'film');
    await bench.run();
    Object.assign(bench.standIn.records.files.all()[0] ?? {}, { status: 'OPEN' });
    await bench.markMissing('a/film.mov');
    await bench.addHashed('b/film.mov', 'film');
    await bench.run();
    expect(bench.records()).toMatchObject({ assets: ['film.mov'], files: [`b/film.mov CLOSED ${md5Of('film')}`] });
    expect(bench.standIn.records.fileSets.all().map((set) => set.base_dir)).toEqual(['b']);
  });

  it('keeps its record when another file takes its old path before iconik has been told of the move', async () => {
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    const [moved] = await bench.rows();
    // The row has moved, iconik still shows the old path.
    await bench.database.execute(
      "UPDATE storage_file SET path = 'old.mov', path_key = 'old.mov', next_attempt_at = now() + interval '1 hour'",
      [],
    );
    await bench.addHashed('film.mov', 'another film');
    await bench.run();
    const rows = await bench.rows();
    expect(rows.map((row) => row.path)).toEqual(['film.mov', 'old.mov']);
    expect(rows[1]?.iconik_file_id).toBe(moved?.iconik_file_id);
    expect(rows[0]?.iconik_file_id).not.toBe(moved?.iconik_file_id);
    expect(bench.records().assets).toEqual(['film.mov', 'film.mov']);
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

describe('permissions, tags and collections', () => {
  const VIEW = '33333333-3333-4333-8333-333333333333';
  const TEMPLATE = '44444444-4444-4444-8444-444444444444';
  const GROUP = '55555555-5555-4555-8555-555555555555';
  const collections = () =>
    bench.standIn.records.collections.all().map((row) => `${String(row.title)} ${String(row.external_id)}`);
  const inCollections = () =>
    bench.standIn.records.assets
      .all()
      .map((asset) =>
        (asset.in_collections as string[]).map((id) => bench.standIn.records.collections.get(id)?.external_id),
      );

  it('a new asset gets template and group; one that iconik had already does not', async () => {
    const { records } = bench.standIn;
    records.aclTemplates.add(TEMPLATE);
    Object.assign(bench.storage.settings, {
      acl_template_id: TEMPLATE,
      access_group_id: GROUP,
      aggregate_identical_files: true,
    });
    await bench.addHashed('film.mov', 'film');
    await bench.addHashed('copy.mov', 'film');
    await bench.run();
    const assetId = records.assets.all()[0]?.id;
    expect(records.acls).toMatchObject([
      { object_key: assetId, template_id: TEMPLATE },
      { object_key: assetId, group_id: GROUP, permissions: ['read', 'write'] },
    ]);
    records.acls.length = 0;
    await bench.database.execute('DELETE FROM storage_file', []);
    await bench.database.execute('DELETE FROM intent', []);
    await bench.addHashed('third.mov', 'film');
    await bench.run();
    expect(records.acls).toEqual([]);
  });

  it('a template that iconik does not have is said once and holds up no file', async () => {
    bench.storage.settings.acl_template_id = GROUP;
    const said: LogRecord[] = [];
    await bench.addHashed('1.mov', 'one');
    await bench.addHashed('2.mov', 'two');
    await bench.run({ log: createLogger([(record) => said.push(record)], Date.now) });
    expect((await bench.rows()).map((row) => row.state)).toEqual(['ingested', 'ingested']);
    const warnings = said.filter((record) => record.level === 'warn');
    expect(warnings.map((record) => record.message)).toEqual([expect.stringContaining('permission template')]);
  });

  it('names of folders become tags in the view that the storage names', async () => {
    const { records } = bench.standIn;
    records.views.set(VIEW, ['Tags']);
    Object.assign(bench.storage.settings, {
      folder_name_tags_metadata_field_name: 'Tags',
      folder_name_tags_metadata_view_id: VIEW,
    });
    await bench.addHashed('projects/red/film.mov', 'film');
    await bench.run();
    const assetId = records.assets.all()[0]?.id;
    expect(records.metadata.get(`${assetId}/${VIEW}`)).toEqual({
      Tags: { field_values: [{ value: 'projects' }, { value: 'red' }] },
    });
  });

  it('folders become collections under the common root, each once, and hold their assets', async () => {
    const { id } = bench.storage;
    bench.storage.settings.enable_collection_directory_mapping = true;
    await bench.addHashed('a/b/1.mov', 'one');
    await bench.addHashed('a/2.mov', 'two');
    await bench.addHashed('3.mov', 'three');
    await bench.run();
    // Another leader finds them by their external ids, also with an empty database.
    await bench.database.execute("DELETE FROM intent WHERE kind = 'collection'", []);
    await bench.addHashed('a/b/4.mov', 'four');
    await bench.run();
    expect(collections().sort()).toEqual(
      ['Storage Gateways ebb41a68-e4cb-11e7-af85-f45c89b15ba1', `NAS ${id}/`, `a ${id}/a`, `b ${id}/a/b`].sort(),
    );
    expect(inCollections().flat().map(String).sort()).toEqual([`${id}/`, `${id}/a`, `${id}/a/b`, `${id}/a/b`]);
  });

  it('a collection that users deleted is made anew', async () => {
    bench.storage.settings.enable_collection_directory_mapping = true;
    await bench.addHashed('a/1.mov', 'one');
    const isIngested = async (path: string) =>
      (await bench.rows()).some((row) => row.path === path && row.state === 'ingested');
    // Under one leadership, which remembers the collections.
    await bench.run({
      isEnough: async () => {
        if (!(await isIngested('a/1.mov'))) return false;
        if ((await bench.rows()).length > 1) return isIngested('a/2.mov');
        const gone = bench.standIn.records.collections.all().find((row) => row.title === 'a');
        Object.assign(gone ?? {}, { status: 'DELETED' });
        await bench.addHashed('a/2.mov', 'two');
        return false;
      },
    });
    const living = bench.standIn.records.collections
      .all()
      .filter((row) => row.title === 'a' && row.status === 'ACTIVE');
    expect(living).toHaveLength(1);
    expect((await bench.rows()).map((row) => row.state)).toEqual(['ingested', 'ingested']);
  });

  it('each ingest is noted in the history of the asset, once', async () => {
    bench.storage.settings.aggregate_identical_files = true;
    await bench.addHashed('film.mov', 'film');
    await bench.run();
    await bench.addHashed('copy.mov', 'film');
    await bench.run();
    expect(bench.standIn.records.history.all().map((row) => row.operation_type)).toEqual([
      'ADD_FORMAT',
      'MODIFY_FILESET',
    ]);
  });
});

describe('sidecars', () => {
  const VIEW = '66666666-6666-4666-8666-666666666666';
  const values = (title: string) => ({ metadata_values: { Title: { field_values: [{ value: title }] } } });
  const valuesInIconik = () => [...bench.standIn.records.metadata.entries()].filter(([key]) => key.endsWith(VIEW));
  const showView = () => {
    bench.standIn.records.views.set(VIEW, ['Title']);
    bench.standIn.records.metadata.clear();
    bench.storage.settings.metadata_view_id = VIEW;
  };

  it('beside a file set the values of its asset, and are no asset themselves', async () => {
    showView();
    const access = folderWith({ texts: { 'film.mov.json': JSON.stringify(values('A film')) } });
    await bench.addHashed('film.mov', 'film');
    await bench.addHashed('film.mov.json', 'sidecar');
    await bench.run({ access });
    expect(bench.records().assets).toEqual(['film.mov']);
    expect((await bench.rows()).map((row) => `${row.path} ${row.state}`)).toEqual([
      'film.mov ingested',
      'film.mov.json ingested',
    ]);
    expect(valuesInIconik().map(([, value]) => value)).toEqual([values('A film').metadata_values]);
  });

  it('in XML and CSV set the same values', async () => {
    showView();
    const xml =
      '<a><metadata_values><Title><field_values><value>XML</value></field_values></Title></metadata_values></a>';
    const texts = { '1.xml': xml, '2.mov.csv': 'Title\nCSV\n' };
    for (const name of ['1.mov', '1.xml', '2.mov', '2.mov.csv']) await bench.addHashed(name, name);
    await bench.run({ access: folderWith({ texts }) });
    const shown = valuesInIconik().map(([, value]) => value);
    expect(shown).toHaveLength(2);
    for (const title of ['XML', 'CSV']) expect(shown).toContainEqual(values(title).metadata_values);
  });

  it('that change are read again', async () => {
    showView();
    const texts = { 'film.json': JSON.stringify(values('Old')) };
    await bench.addHashed('film.mov', 'film');
    await bench.addHashed('film.json', 'old');
    await bench.run({ access: folderWith({ texts }) });
    texts['film.json'] = JSON.stringify(values('New'));
    await bench.addHashed('film.json', 'new');
    await bench.run({ access: folderWith({ texts }) });
    expect(valuesInIconik().map(([, value]) => value)).toEqual([values('New').metadata_values]);
  });

  it('that are malformed or do not fit the view are shown at the file, which is ingested all the same', async () => {
    showView();
    const odd = JSON.stringify({ metadata_values: { Nonsense: { field_values: [] } } });
    const access = folderWith({ texts: { '1.json': '{', '2.json': odd, '3.xml': '<a/>' } });
    for (const name of ['1.mov', '1.json', '2.mov', '2.json', '3.mov', '3.xml']) await bench.addHashed(name, name);
    await bench.run({ access });
    const rows = await bench.rows();
    expect(new Set(rows.map((row) => row.state))).toEqual(new Set(['ingested']));
    const shown = rows.filter((row) => row.path.endsWith('.mov')).map((row) => JSON.stringify(row.error));
    expect(shown).toEqual([
      expect.stringContaining('is no JSON'),
      expect.stringContaining('does not fit the metadata view'),
      expect.stringContaining('no element metadata_values'),
    ]);
  });

  it('that a storage demands hold the ingest, with the reason at the file', async () => {
    showView();
    bench.storage.settings.sidecar_metadata_required = true;
    await bench.addHashed('film.mov', 'film');
    const isHeld = async () => JSON.stringify((await bench.rows())[0]?.error).includes('sidecar-awaited');
    await bench.run({ access: folderWith({}), isEnough: isHeld });
    expect(bench.records().assets).toEqual([]);
    // Looked at seldom by then, and woken by the sidecar.
    await bench.database.execute("UPDATE storage_file SET next_attempt_at = now() + interval '10 minutes'", []);
    await bench.addHashed('film.json', 'sidecar');
    await bench.run({
      access: folderWith({ texts: { 'film.json': JSON.stringify(values('A film')) } }),
      isEnough: async () => (await bench.rows()).some(({ path, state }) => path === 'film.mov' && state === 'ingested'),
    });
    expect(bench.records().assets).toEqual(['film.mov']);
    expect((await bench.rows()).find(({ path }) => path === 'film.mov')?.error).toBeNull();
  });

  it('that are corrected take the complaint off their file', async () => {
    showView();
    const texts = { 'film.json': '{' };
    for (const name of ['film.mov', 'film.json']) await bench.addHashed(name, name);
    await bench.run({ access: folderWith({ texts }) });
    expect((await bench.rows()).map((row) => JSON.stringify(row.error))).toEqual([
      expect.stringContaining('sidecar-invalid'),
      expect.stringContaining('sidecar-invalid'),
    ]);
    texts['film.json'] = JSON.stringify(values('Corrected'));
    await bench.addHashed('film.json', 'corrected');
    await bench.run({ access: folderWith({ texts }) });
    expect((await bench.rows()).map((row) => row.error)).toEqual([null, null]);
  });

  it('in any format go through the converter of the storage, with its headers', async () => {
    showView();
    const asked: string[] = [];
    const converter = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        asked.push(`${String(request.headers['x-key'])} ${Buffer.concat(chunks).toString()}`);
        response.end(JSON.stringify(values('Converted')));
      });
    });
    await new Promise<void>((resolve) => converter.listen(0, '127.0.0.1', resolve));
    const { port } = converter.address() as AddressInfo;
    bench.storage.settings.metadata_conversion_url = `http://127.0.0.1:${port}/convert`;
    bench.storage.settings.metadata_conversion_url_headers = 'X-Key: abc';
    await bench.addHashed('film.mov', 'film');
    await bench.addHashed('film.xml', 'sidecar');
    await bench.run({ access: folderWith({ texts: { 'film.xml': '<film/>' } }) });
    await new Promise((resolve) => converter.close(resolve));
    expect(asked[0]).toBe('abc <film/>');
    expect(valuesInIconik().map(([, value]) => value)).toEqual([values('Converted').metadata_values]);
  });
});

describe('versions by suffix', () => {
  const versions = () => bench.standIn.records.assets.all().map((asset) => (asset.versions as unknown[]).length);

  it('make one asset of files whose numbers follow each other, each with a format and a transcode of its own', async () => {
    Object.assign(bench.storage.settings, { enable_auto_versioning: true, local_proxy_creation: true });
    await bench.addHashed('clip_v1.mov', 'one');
    await bench.run();
    await bench.addHashed('clip_v2.mov', 'two');
    await bench.run();
    expect(bench.records()).toMatchObject({ assets: ['clip_v1.mov'], formats: 2 });
    expect(versions()).toEqual([2]);
    const [first, second] = bench.standIn.records.files.all();
    expect(second?.version_id).not.toBe(first?.version_id);
    expect(second?.format_id).not.toBe(first?.format_id);
    expect((await bench.jobs()).map((job) => job.path)).toEqual(['clip_v1.mov', 'clip_v2.mov']);
    expect(bench.standIn.records.history.all().map((row) => row.operation_type)).toContain('VERSION_CREATE');
  });

  it('wait for the version before, whatever order they come in, and are assets of their own after a gap', async () => {
    bench.storage.settings.enable_auto_versioning = true;
    for (const number of [3, 2, 1, 7]) await bench.addHashed(`clip_v${number}.mov`, `content ${number}`);
    await bench.run();
    expect(bench.records().assets).toEqual(['clip_v1.mov', 'clip_v7.mov']);
    expect(versions().sort((a, b) => a - b)).toEqual([1, 3]);
  });

  it('are not made of what the storage exempts, nor while versioning is off', async () => {
    Object.assign(bench.storage.settings, { enable_auto_versioning: true, auto_version_ignore: ['*.wav'] });
    for (const name of ['a_v1.wav', 'a_v2.wav']) await bench.addHashed(name, name);
    await bench.run();
    bench.storage.settings.enable_auto_versioning = false;
    for (const name of ['b_v1.mov', 'b_v2.mov']) await bench.addHashed(name, name);
    await bench.run();
    expect(versions()).toEqual([1, 1, 1, 1]);
  });

  it('wait as long as the throttle asks after the version before', async () => {
    Object.assign(bench.storage.settings, { enable_auto_versioning: true, auto_version_ingest_throttle_value: 600 });
    await bench.addHashed('clip_v1.mov', 'one');
    await bench.run();
    await bench.addHashed('clip_v2.mov', 'two');
    const waitS = "SELECT path FROM storage_file WHERE next_attempt_at > now() + interval '500 seconds'";
    await bench.run({ isEnough: async () => (await bench.database.execute(waitS, [])) === 1 });
    expect(versions()).toEqual([1]);
    await bench.database.execute("UPDATE intent SET started_at = now() - interval '601 seconds'", []);
    await bench.database.execute('UPDATE storage_file SET next_attempt_at = now()', []);
    await bench.run();
    expect(versions()).toEqual([2]);
  });
});

describe('directory assets', () => {
  const cards = () =>
    Object.assign(bench.storage.settings, {
      enable_directory_assets: true,
      directory_assets_original_patterns: ['*.card'],
      directory_assets_transcode_patterns: ['*.mxf'],
      local_proxy_creation: true,
    });

  it('hold all files of a directory in one asset and file set, and transcode what the patterns name', async () => {
    cards();
    await bench.addHashed('day/A.card/CLIPS/1.mxf', 'one');
    await bench.addHashed('day/A.card/CLIPS/1.xml', 'about one');
    await bench.addHashed('day/A.card/index.bin', 'index');
    await bench.addHashed('day/alone.mxf', 'alone');
    await bench.run();
    const records = bench.records();
    expect(records).toMatchObject({ assets: ['A.card', 'alone.mxf'], formats: 2, fileSets: ['A.card', 'alone.mxf'] });
    expect(records.files.map((file) => file.split(' ')[0])).toEqual([
      'day/A.card/CLIPS/1.mxf',
      'day/A.card/CLIPS/1.xml',
      'day/A.card/index.bin',
      'day/alone.mxf',
    ]);
    expect((await bench.jobs()).map((job) => job.path).sort()).toEqual(['day/A.card/CLIPS/1.mxf', 'day/alone.mxf']);
  });

  it('do not take over files of another card that are alike', async () => {
    cards();
    await bench.addHashed('A.card/index.bin', 'same');
    await bench.run();
    await bench.markMissing('A.card/index.bin');
    await bench.addHashed('B.card/other.bin', 'same');
    await bench.run();
    expect(bench.records().assets).toEqual(['A.card', 'B.card']);
  });
});
