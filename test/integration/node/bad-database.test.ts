import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../../agent/contract/index.ts';
import { MediaCluster } from '../../support/media-cluster.ts';
import { asSuperuser, createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
const run = promisify(execFile);

let dir = '';
let cluster: MediaCluster | null = null;
let test: TestDatabase | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-database-'));
});
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
  await test?.drop();
  test = null;
  rmSync(dir, { recursive: true, force: true });
});

/** A node of a cluster that lives in this database. */
async function startNode(dbConnectionUri: string): Promise<MediaCluster> {
  cluster = await MediaCluster.create({
    dir,
    nodes: [{ name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] }],
    storageSettings: () => ({ growing_files_threshold: 1 }),
    config: {},
    dbConnectionUri,
  });
  cluster.startNode('node-a');
  return cluster;
}

const untilLogged = (target: MediaCluster, words: RegExp) =>
  expect
    .poll(() => readFileSync(target.node('node-a').logPath, 'utf8'), { timeout: 40_000, interval: 50 })
    .toMatch(words);
const isRunning = (target: MediaCluster) => target.node('node-a').process?.exitCode === null;
const nameOf = (database: TestDatabase) => new URL(database.uri).pathname.slice(1);

describe('times of the election that contradict each other', () => {
  it('end the agent with exit code 2 and the broken relation', async () => {
    const path = join(dir, 'config.ini');
    const lines = ['app-id=a', 'auth-token=t', 'storage-gateway-id=g', 'leader-ttl-ms=3000', 'leader-renew-ms=1500'];
    writeFileSync(path, `[main]\n${lines.join('\n')}\n`);
    const failed = await run(process.execPath, [AGENT, '--config', path, '--data-dir', join(dir, 'data')]).catch(
      (thrown: unknown) => z.object({ code: z.number(), stderr: z.string() }).parse(thrown),
    );
    expect(failed).toMatchObject({ code: 2 });
    expect(failed.stderr).toMatch(/leader-ttl-ms \(3000\) must be more than 2 × leader-renew-ms \+ leader-margin-ms/);
  });
});

describe('a schema that comes to need a newer version than the node', () => {
  it('ends it with exit code 3 while it runs, in order, and at its next start; both times it says which version it needs', async () => {
    test = await createTestDatabase();
    const { database } = test;
    const target = await startNode(test.uri);
    const ended = () => new Promise((resolve) => target.node('node-a').process?.once('exit', resolve));
    const running = ended();
    await untilLogged(target, /leads the cluster \(term 1\)/);
    await database.execute(
      `INSERT INTO schema_migration (version, name, min_version) VALUES (900000, 'later', '99.1.0')`,
      [],
    );
    expect(await running).toBe(3);
    const words = /needs version 99\.1\.0 or newer, this node is .*Update this node/;
    expect(target.tail('node-a', 3)).toMatch(words);
    const row = z.object({ status: z.string(), released: z.boolean() });
    const text = 'SELECT status_reason AS status, released FROM worker, leader_lease';
    expect(await database.query(text, [], row)).toEqual([{ status: 'stopped', released: true }]);
    target.startNode('node-a');
    expect(await ended()).toBe(3);
    expect(target.tail('node-a', 3)).toMatch(words);
  });
});

describe('a change of the tables that the database refuses', () => {
  it('ends the node with exit code 65 and the database’s words, and is made at the next start after it was mended', async () => {
    test = await createTestDatabase({ isBare: true });
    const { database } = test;
    await database.execute('CREATE TABLE entity (id int)', []);
    const target = await startNode(test.uri);
    const code = await new Promise((resolve) => target.node('node-a').process?.once('exit', resolve));
    expect(code).toBe(EXIT.schemaFailed);
    expect(target.tail('node-a', 3)).toMatch(/refused the change "initial".*"entity" already exists.*Nothing of it/);
    await database.execute('DROP TABLE entity', []);
    target.startNode('node-a');
    await untilLogged(target, /holds its storage gateway id/);
  });
});

describe('a read-only database', () => {
  it('is named with what to do, and used as soon as it can be written', async () => {
    test = await createTestDatabase();
    const readOnly = (is: 'on' | 'off') =>
      asSuperuser([`ALTER DATABASE ${nameOf(test as TestDatabase)} SET default_transaction_read_only = ${is}`]);
    await readOnly('on');
    const target = await startNode(test.uri);
    await untilLogged(target, /Waiting for the database: .*read-only.*target_session_attrs=read-write/);
    expect(isRunning(target)).toBe(true);
    await readOnly('off');
    await untilLogged(target, /holds its storage gateway id/);
  });
});

describe('iconik is away', () => {
  it('and another node has kept a newer cluster: that one counts for this node, too', async () => {
    test = await createTestDatabase();
    const database = test.database;
    const target = await startNode(test.uri);
    await untilLogged(target, /leads the cluster \(term 1\)/);
    const kept = () =>
      database.query(`SELECT 1 AS n FROM entity WHERE kind = 'cluster'`, [], z.object({ n: z.number() }));
    await expect.poll(async () => (await kept()).length, { timeout: 20_000 }).toBe(1);
    target.standIn.setFaults({ outage: true });
    const newer = new Date(Date.now() + 60_000).toISOString();
    await database.execute(
      `UPDATE entity SET date_modified = $1::timestamptz, body = body || jsonb_build_object('enabled', false, 'date_modified', $1::text)
       WHERE kind = 'cluster'`,
      [newer],
    );
    const row = z.object({ availability_status: z.string() });
    const status = async () =>
      (await database.query('SELECT availability_status FROM worker', [], row))[0]?.availability_status;
    await expect.poll(status, { timeout: 40_000 }).toBe('disabled');
  });
});
