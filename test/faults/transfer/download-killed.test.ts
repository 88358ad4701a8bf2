import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createIconikApi, type IconikClient } from '../../../agent/iconik/iconik-client.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { indexRows, insertLeasedJob } from '../../integration/transfer/job-row.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import type { SeededAccount } from '../../stand-in/state/seed-account.ts';
import { isLong } from '../../support/long-version.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const KILLS = isLong ? 50 : 1;
const content = randomBytes(4 * 1024 * 1024 + 17);
const md5 = createHash('md5').update(content).digest('hex');
const word = z.object({ word: z.string(), value: z.number() });

let folder: string;
let db: TestDatabase;
let standIn: StandIn;
let account: SeededAccount;
let api: IconikClient;
let forwarder: Server;
/** First byte that each request of the object asked for. */
const asked: number[] = [];
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-killed-'));
  db = await createTestDatabase();
  standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  const mountPoint = join(folder, 'mount');
  await mkdir(mountPoint);
  account = standIn.seed({ storages: [{ name: 'nas', mountPoint }], gateways: [{ name: 'a', roles: ['TRANSFER'] }] });
  const parts = { clock: systemClock, random: Math.random, log: silentLogger };
  const { url: baseUrl, appId, authToken } = standIn;
  api = createIconikApi({ ...parts, baseUrl, appId, authToken, requestsPerSecond: 500 });
  forwarder = createServer((incoming, answer) => {
    asked.push(Number(/^bytes=(\d+)-$/.exec(incoming.headers.range ?? '')?.[1] ?? 0));
    const { host } = new URL(standIn.url);
    const target = httpRequest(
      `http://${host}${incoming.url}`,
      { headers: { ...incoming.headers, host } },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
        answer.once('close', () => response.destroy());
      },
    );
    target.on('error', () => answer.destroy());
    target.end();
  });
  forwarder.listen(0, '127.0.0.1');
  await once(forwarder, 'listening');
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  forwarder.closeAllConnections();
  forwarder.close();
  await api.close();
  await standIn.close();
  await db.drop();
  await rm(folder, { recursive: true, force: true });
});

/** An asset with a closed original in the cloud. */
async function makeSource(name: string) {
  const { id: assetId } = await api.assets.create({ title: name, type: 'ASSET' });
  const format = await api.files.createFormat(assetId, { name: 'ORIGINAL', components: [], storage_methods: ['S3'] });
  const place = { format_id: format.id, storage_id: account.cloud.proxiesId };
  const set = await api.files.createFileSet(assetId, { ...place, base_dir: 'remote', name, component_ids: [] });
  const file = await api.files.createFile(assetId, {
    ...place,
    file_set_id: set.id,
    name,
    original_name: name,
    directory_path: 'remote',
    type: 'FILE',
    size: content.length,
    checksum: md5,
    status: 'OPEN',
  });
  const begun = await fetch(file.upload_url ?? '', { method: 'POST', headers: { 'x-goog-resumable': 'start' } });
  await fetch(begun.headers.get('location') ?? '', { method: 'PUT', body: content });
  await api.files.patchFile(assetId, file.id, { status: 'CLOSED', size: content.length, checksum: md5 });
  return { assetId, formatId: format.id, sourceFileSetId: set.id };
}

/** A moment to kill at, different each time: a share of the bytes, or the n-th confirmation near the end. */
function momentOf(kill: number): (said: { word: string; value: number }) => boolean {
  if (kill % 5 === 4) {
    // Before the rename, and before the record is closed.
    let left = 1 + (kill % 2);
    return ({ word: is }) => is === 'confirmed' && --left === 0;
  }
  const share = 0.05 + 0.9 * Math.random();
  return ({ word: is, value }) => is === 'progress' && value >= share;
}

interface Node {
  setup: Record<string, unknown>;
  /** Names of the files in the destination. */
  found(): Promise<string[]>;
}

/** Runs the node until its end or until `isMoment`; answers whether it was killed. */
async function runNode(node: Node, isMoment: (said: { word: string; value: number }) => boolean): Promise<boolean> {
  const program = fileURLToPath(new URL('./download-node.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(node.setup)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.add(child);
  let isKilled = false;
  let isDone = false;
  child.on('message', (raw) => {
    const said = word.parse(raw);
    if (said.word === 'done') isDone = true;
    if (isKilled || isDone || !isMoment(said)) return;
    isKilled = true;
    child.kill('SIGKILL');
  });
  await once(child, 'exit');
  children.delete(child);
  expect(isKilled || isDone).toBe(true);
  return isKilled;
}

/** Length of the partial file, once nobody writes to it any more: processes of a killed node end by themselves. */
async function lengthAtRest(directory: string): Promise<number> {
  const look = async () => {
    const name = (await readdir(directory).catch(() => [])).find((one) => one.startsWith('.isg-pro-part-'));
    return name ? (await stat(join(directory, name))).size : 0;
  };
  let before = await look();
  for (let same = 0; same < 5; ) {
    await systemClock.sleep(40);
    const now = await look();
    same = now === before ? same + 1 : 0;
    before = now;
  }
  return before;
}

describe('a node that downloads and is killed', () => {
  it(
    `goes on where the bytes on the disk end, and ends with the same file and records, ${KILLS} kill${KILLS > 1 ? 's' : ''}`,
    async () => {
      const [storageId = ''] = account.storageIds;
      const mountPoint = join(folder, 'mount');
      let kills = 0;
      for (let round = 0; kills < KILLS; round += 1) {
        const source = await makeSource(`clip-${round}.mov`);
        const directory = `in-${randomUUID()}`;
        const lease = await insertLeasedJob(db.database, 'download');
        const payload = {
          ...source,
          storageId,
          destinationDirectoryPath: directory,
          destinationFileSetName: 'restored',
        };
        const node: Node = {
          setup: {
            ...lease,
            payload,
            databaseUri: db.uri,
            iconik: { baseUrl: standIn.url, appId: standIn.appId, authToken: standIn.authToken },
            objectHost: `127.0.0.1:${(forwarder.address() as AddressInfo).port}`,
            mountPoint,
            bytesPerSecond: 8_000_000,
          },
          found: () => readdir(join(mountPoint, directory)),
        };
        let isKilled = true;
        for (let tries = 0; isKilled; tries += 1) {
          const onDisk = await lengthAtRest(join(mountPoint, directory));
          asked.length = 0;
          const mayDie = kills < KILLS && tries < 8;
          isKilled = await runNode(node, mayDie ? momentOf(kills) : () => false);
          if (isKilled) kills += 1;
          // What was on the disk is not fetched again; a whole file is not asked for at all.
          if (asked.length > 0) expect(asked).toEqual([onDisk]);
          expect(asked.length).toBeLessThanOrEqual(onDisk < content.length ? 1 : 0);
        }
        expect(await node.found()).toEqual([`clip-${round}.mov`]);
        expect((await readFile(join(mountPoint, directory, `clip-${round}.mov`))).equals(content)).toBe(true);
        const rows = await indexRows(db.database, storageId);
        const row = rows.find((one) => one.path_key.startsWith(`${directory}/`));
        expect(row).toMatchObject({ state: 'ingested', md5, asset_id: source.assetId });
        expect(await api.files.getFile(source.assetId, row?.iconik_file_id ?? '')).toMatchObject({ status: 'CLOSED' });
        const records = (await api.files.assetFiles(source.assetId)).filter((file) => file.storage_id === storageId);
        expect(records).toHaveLength(1);
      }
      expect(standIn.state().violations).toEqual([]);
    },
    isLong ? 60 * 60_000 : undefined,
  );
});
