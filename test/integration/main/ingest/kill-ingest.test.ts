import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isLong } from '../../../support/long-version.ts';
import { IngestBench, md5Of } from './ingest-bench.ts';
import { DyingProcess, type KillPoint } from './kill-points.ts';

let bench: IngestBench;
beforeEach(async () => {
  bench = await IngestBench.create();
});
afterEach(async () => {
  bench.expectNoViolation();
  await bench.close();
});

/** Every point by `npm run test:long`; else every fifth, so that each kind of call is still struck. */
const STRIDE = isLong ? 1 : 9;
/** A whole ingest has fewer calls than this; the loop ends when a process outlives its point. */
const MOST_CALLS = 200;

/** Two files of one content and one of another, ingested by a process that dies, then by one that lives. */
async function ingestWithDeath(round: string, point: KillPoint, what: 'api' | 'database'): Promise<boolean> {
  const names = [`${round}-a.mov`, `${round}-b.mov`, `${round}-c.mov`];
  await bench.addHashed(names[0] ?? '', `${round} same`);
  await bench.addHashed(names[1] ?? '', `${round} same`);
  await bench.addHashed(names[2] ?? '', `${round} other`);
  const dying = new DyingProcess(point);
  const wrapped = what === 'api' ? { api: dying.api(bench.api) } : { database: dying.database(bench.database) };
  await bench.run({ ...wrapped, stopWhen: dying.died });
  await bench.run();

  const rows = (await bench.rows()).filter((row) => row.path.startsWith(`${round}-`));
  expect(rows.map((row) => row.state)).toEqual(['ingested', 'ingested', 'ingested']);
  expect(rows.map((row) => row.error)).toEqual([null, null, null]);
  expect(rows[0]?.asset_id).toBe(rows[1]?.asset_id);
  expect(rows[2]?.asset_id).not.toBe(rows[0]?.asset_id);
  const records = bench.records();
  const mine = (all: string[]) => all.filter((text) => text.startsWith(`${round}-`));
  expect(mine(records.assets)).toHaveLength(2);
  expect(mine(records.fileSets)).toEqual(names);
  const same = md5Of(`${round} same`);
  expect(mine(records.files)).toEqual([
    `${names[0]} CLOSED ${same}`,
    `${names[1]} CLOSED ${same}`,
    `${names[2]} CLOSED ${md5Of(`${round} other`)}`,
  ]);
  const assetIds = new Set(rows.map((row) => row.asset_id));
  const formats = bench.standIn.records.formats.all().filter((format) => assetIds.has(String(format.asset_id)));
  expect(formats).toHaveLength(2);
  // One transcode per asset: the job commits together with the end of the ingest.
  expect((await bench.jobs()).filter((job) => job.path.startsWith(`${round}-`))).toHaveLength(2);
  return dying.hasDied;
}

describe('a leader that dies at any call leaves one asset, format, file set and file of each', () => {
  for (const what of ['api', 'database'] as const) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} any ${what === 'api' ? 'request to iconik' : 'statement of the database'}`, {
        timeout: 300_000,
      }, async () => {
        let points = 0;
        for (let call = 1; call < MOST_CALLS; call += STRIDE) {
          const round = `${what}${when}${String(call).padStart(3, '0')}`;
          if (!(await ingestWithDeath(round, { call, when }, what))) break;
          points += STRIDE;
        }
        expect(points).toBeGreaterThan(15);
        expect(points).toBeLessThan(MOST_CALLS - 1);
      });
    }
  }
});
