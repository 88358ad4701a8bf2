import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isLong } from '../../../support/long-version.ts';
import { IngestBench } from './ingest-bench.ts';
import { DyingProcess, type KillPoint } from './kill-points.ts';

let bench: IngestBench;
beforeAll(async () => {
  bench = await IngestBench.create();
});
afterEach(() => bench.expectNoViolation());
afterAll(() => bench.close());

/** Every point by `npm run test:long`; else a few, at different kinds of calls. */
const STRIDE = isLong ? 1 : 41;
/** A whole round has fewer calls than this; the loop ends when a process outlives its point. */
const MOST_CALLS = 300;
const VIEW = '33333333-3333-4333-8333-333333333333';
const TEMPLATE = '44444444-4444-4444-8444-444444444444';

const allSettings = () => {
  bench.standIn.records.views.set(VIEW, ['Tags']);
  bench.standIn.records.aclTemplates.add(TEMPLATE);
  Object.assign(bench.storage.settings, {
    local_proxy_creation: true,
    enable_auto_versioning: true,
    enable_collection_directory_mapping: true,
    acl_template_id: TEMPLATE,
    folder_name_tags_metadata_field_name: 'Tags',
    folder_name_tags_metadata_view_id: VIEW,
  });
};

/** A version after its first, and a file that moved, by a process that dies, then by one that lives. */
async function ingestWithDeath(point: KillPoint, what: 'api' | 'database'): Promise<boolean> {
  await bench.reset();
  allSettings();
  await bench.addHashed('old/film.mov', 'film');
  await bench.run();
  await bench.markMissing('old/film.mov');
  await bench.addHashed('new/film.mov', 'film');
  await bench.addHashed('clips/a_v1.mov', 'one');
  await bench.addHashed('clips/a_v2.mov', 'two');
  const dying = new DyingProcess(point);
  const wrapped = what === 'api' ? { api: dying.api(bench.api) } : { database: dying.database(bench.database) };
  await bench.run({ ...wrapped, stopWhen: dying.died });
  await bench.run();

  const { assets, collections, history } = bench.standIn.records;
  const at = `${what} ${point.when} ${point.call}`;
  expect(
    (await bench.rows()).map((row) => `${row.path} ${row.state} ${JSON.stringify(row.error)}`),
    at,
  ).toEqual(['clips/a_v1.mov ingested null', 'clips/a_v2.mov ingested null', 'new/film.mov ingested null']);
  expect(bench.records(), at).toMatchObject({
    assets: ['a_v1.mov', 'film.mov'],
    formats: 3,
    fileSets: ['a_v1.mov', 'a_v2.mov', 'film.mov'],
  });
  expect(
    bench.records().files.map((file) => file.split(' ')[0]),
    at,
  ).toEqual(['clips/a_v1.mov', 'clips/a_v2.mov', 'new/film.mov']);
  const versions = assets.all().map((asset) => `${String(asset.title)} ${(asset.versions as unknown[]).length}`);
  expect(versions.sort(), at).toEqual(['a_v1.mov 2', 'film.mov 1']);
  // A file that moved is in its new folder's collection, too; it stays in the old one until somebody takes it out.
  const titles = collections.all().map((row) => String(row.title));
  expect(titles.sort(), at).toEqual(['NAS', 'Storage Gateways', 'clips', 'new', 'old']);
  const entries = history.all().map((row) => String(row.operation_description));
  expect(new Set(entries).size, at).toBe(entries.length);
  expect(await bench.jobs(), at).toHaveLength(3);
  return dying.hasDied;
}

describe('with all settings on, a leader that dies at any call leaves nothing twice', () => {
  for (const what of ['api', 'database'] as const) {
    for (const when of isLong ? (['before', 'after'] as const) : (['after'] as const)) {
      it(`${when} any ${what === 'api' ? 'request to iconik' : 'statement of the database'}`, {
        timeout: 900_000,
      }, async () => {
        let points = 0;
        for (let call = 3; call < MOST_CALLS; call += STRIDE) {
          if (!(await ingestWithDeath({ call, when }, what))) break;
          points += STRIDE;
        }
        expect(points).toBeGreaterThan(30);
        expect(points).toBeLessThan(MOST_CALLS);
      });
    }
  }
});
