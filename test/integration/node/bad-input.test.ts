import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findingSchema } from '../../../agent/contract/index.ts';
import { MediaCluster, type MediaClusterOptions } from '../../support/media-cluster.ts';

const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
const run = promisify(execFile);

let dir = '';
let cluster: MediaCluster | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-node-'));
});
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
  rmSync(dir, { recursive: true, force: true });
});

const EVERYTHING: MediaClusterOptions['nodes'] = [
  { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
];

async function oneNode(over: Partial<MediaClusterOptions> = {}): Promise<MediaCluster> {
  cluster = await MediaCluster.create({
    dir,
    nodes: [{ name: 'node-a', roles: ['MAIN', 'CHECKSUM'] }],
    storageSettings: () => ({ growing_files_threshold: 1 }),
    config: {},
    ...over,
  });
  return cluster;
}

/** Waits until the node has logged something. */
const untilLogged = (target: MediaCluster, words: string | RegExp) =>
  expect
    .poll(() => readFileSync(target.node('node-a').logPath, 'utf8'), { timeout: 30_000, interval: 50 })
    .toMatch(words);
const isRunning = (target: MediaCluster) => target.node('node-a').process?.exitCode === null;

describe('a config.ini that is wrong', () => {
  it('ends the agent with exit code 2 and a list of all problems, values not repeated', async () => {
    const path = join(dir, 'config.ini');
    writeFileSync(path, '[main]\nauth-token = very secret words\nchecksum-max-workers = 900\nleader-ttl-ms = 1000\n');
    const failed = await run(process.execPath, [AGENT, '--config', path, '--data-dir', join(dir, 'data')]).catch(
      (thrown: unknown) => z.object({ code: z.number(), stderr: z.string() }).parse(thrown),
    );
    expect(failed).toMatchObject({ code: 2 });
    for (const key of ['app-id', 'storage-gateway-id', 'checksum-max-workers', 'auth-token']) {
      expect(failed.stderr).toContain(key);
    }
    expect(failed.stderr).toContain('line 3');
    expect(failed.stderr).not.toContain('very secret words');
  });
});

describe('what is wrong at iconik', () => {
  it('a wrong token is named, never shown, and waited for', async () => {
    const target = await oneNode({ config: { 'auth-token': 'wrong-token-7f3a' } });
    target.startNode('node-a');
    await untilLogged(target, /Waiting for iconik: .*token/i);
    expect(isRunning(target)).toBe(true);
    expect(target.tail('node-a', 100)).not.toContain('wrong-token-7f3a');
  });

  it('an unknown gateway id is named with what to do, and waited for', async () => {
    const unknown = '0c0ffee0-0000-4000-8000-000000000000';
    const target = await oneNode({ config: { 'storage-gateway-id': unknown } });
    target.startNode('node-a');
    await untilLogged(target, new RegExp(`Waiting for iconik: .*${unknown}`));
    expect(isRunning(target)).toBe(true);
  });
});

describe('a database that cannot be reached', () => {
  it('is named without its password, and waited for', async () => {
    const target = await oneNode({ dbConnectionUri: 'postgresql://isg:hunter2secret@127.0.0.1:9/isg?sslmode=disable' });
    target.startNode('node-a');
    await untilLogged(target, /Waiting for the database: .*127\.0\.0\.1/);
    expect(isRunning(target)).toBe(true);
    expect(target.tail('node-a', 100)).not.toContain('hunter2secret');
  });

  it('is used as soon as its URI is corrected in iconik', async () => {
    const target = await oneNode({
      dbConnectionUri: 'postgresql://isg@one.invalid:1,two.invalid:2/isg?sslmode=disable',
    });
    target.startNode('node-a');
    await untilLogged(target, /Waiting for the database: .*one\.invalid:1, two\.invalid:2/);
    for (const cluster of target.standIn.records.clusters.all()) cluster.db_connection_uri = target.databaseUri;
    await untilLogged(target, /holds its storage gateway id/);
  });
});

describe('a mount point that does not exist', () => {
  it('keeps the node from leading, says why in log, table and telemetry, and heals when it is mounted', async () => {
    const target = await oneNode();
    const elsewhere = join(dir, 'unmounted');
    writeFileSync(join(target.mediaDir, 'clip.txt'), 'a clip');
    renameSync(target.mediaDir, elsewhere);
    target.startNode('node-a');
    await untilLogged(target, /Storage "NAS Post" at .* does not exist/);
    const row = z.object({ availability_status: z.string(), status_reason: z.string() });
    const status = () =>
      target.database.query('SELECT availability_status, status_reason FROM worker', [], row).then(([found]) => found);
    await expect.poll(status, { timeout: 15_000 }).toMatchObject({ availability_status: 'degraded' });
    expect((await status())?.status_reason).toContain('Create or mount it');
    const telemetry = () => target.standIn.state().telemetry.map(({ status: word }) => word);
    await expect.poll(telemetry, { timeout: 15_000 }).toEqual(['ERROR']);
    expect(await target.leader()).toBeNull();

    renameSync(elsewhere, target.mediaDir);
    await expect.poll(async () => (await target.counts()).files, { timeout: 30_000 }).toEqual({ ingested: 1 });
  });

  it('that vanishes later marks no file missing', async () => {
    const target = await oneNode();
    writeFileSync(join(target.mediaDir, 'clip.txt'), 'a clip');
    target.startNode('node-a');
    await expect
      .poll(async () => (await target.hasSchema()) && (await target.counts()).files, { timeout: 30_000 })
      .toEqual({ ingested: 1 });
    renameSync(target.mediaDir, join(dir, 'unmounted'));
    await untilLogged(target, /This node leads no longer/);
    expect((await target.counts()).files).toEqual({ ingested: 1 });
    renameSync(join(dir, 'unmounted'), target.mediaDir);
    await untilLogged(target, /leads the cluster \(term 2\)/);
    expect((await target.counts()).files).toEqual({ ingested: 1 });
    expect(target.standIn.state().files.map(({ status }) => status)).toEqual(['CLOSED']);
  });
});

describe('an entity of iconik that makes no sense', () => {
  it('a mount point that is no absolute path, typed in while the node runs, degrades it until it is corrected', async () => {
    const target = await oneNode();
    target.startNode('node-a');
    await untilLogged(target, /leads the cluster \(term 1\)/);
    const mountAt = (mountPoint: string) => {
      for (const gateway of target.standIn.records.gateways.all()) {
        const mounts = Object.keys(Object(gateway.storages)).map((id) => [id, { mount_point: mountPoint }]);
        gateway.storages = Object.fromEntries(mounts);
      }
    };
    mountAt('media/nas');
    await untilLogged(target, /Storage "NAS Post" at media\/nas is not a directory/);
    await untilLogged(target, /This node leads no longer/);
    expect(isRunning(target)).toBe(true);
    mountAt(target.mediaDir);
    await untilLogged(target, /leads the cluster \(term 2\)/);
  });

  it('a storage that was deleted but is still named by the cluster is left out', async () => {
    const target = await oneNode();
    for (const cluster of target.standIn.records.clusters.all()) {
      cluster.storage_ids = [...(cluster.storage_ids as string[]), '0c0ffee0-0000-4000-8000-000000000001'];
    }
    target.startNode('node-a');
    await untilLogged(target, /leads the cluster \(term 1\)/);
  });
});

describe('files that are no good', () => {
  it('a corrupt clip is ingested and its transcode fails with ffmpeg’s words; an empty file waits; others are unharmed', async () => {
    const target = await oneNode({ nodes: EVERYTHING });
    writeFileSync(join(target.mediaDir, 'broken.mp4'), Buffer.alloc(50_000, 7));
    writeFileSync(join(target.mediaDir, 'nothing.mov'), '');
    writeFileSync(join(target.mediaDir, 'notes.txt'), 'fine');
    target.startNode('node-a');
    const row = z.object({ state: z.string(), error: z.object({ code: z.string(), message: z.string() }).nullable() });
    const transcode = async () => {
      if (!(await target.hasSchema())) return [];
      return target.database.query(
        `SELECT state, error FROM job WHERE kind = 'transcode' AND payload->>'path' = 'broken.mp4'`,
        [],
        row,
      );
    };
    await expect
      .poll(transcode, { timeout: 40_000 })
      .toMatchObject([{ state: 'failed', error: { code: 'media-unreadable' } }]);
    expect((await target.counts()).files).toEqual({ ingested: 2, empty: 1 });
    const names = target.standIn.state().files.map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(['broken.mp4', 'notes.txt']));
    expect(names).toHaveLength(2);
  });
});

describe('a duplicate', () => {
  it('refuses a second agent on the same data folder with exit code 4 under --no-wait', async () => {
    const target = await oneNode();
    target.startNode('node-a');
    await untilLogged(target, /holds its storage gateway id/);
    const args = [
      AGENT,
      '--config',
      join(dir, 'node-a', 'config.ini'),
      '--data-dir',
      join(dir, 'node-a', 'data'),
      '--no-wait',
    ];
    const failed = await run(process.execPath, args).catch((thrown: unknown) => thrown);
    expect(failed).toMatchObject({ code: 4 });
  });

  it('refuses a second agent with the same gateway id on another data folder, and says who holds it', async () => {
    const target = await oneNode();
    target.startNode('node-a');
    await untilLogged(target, /holds its storage gateway id/);
    const args = [AGENT, '--config', join(dir, 'node-a', 'config.ini'), '--data-dir', join(dir, 'other'), '--no-wait'];
    const failed = await run(process.execPath, args).catch((thrown: unknown) =>
      z.object({ code: z.number(), stderr: z.string() }).parse(thrown),
    );
    expect(failed).toMatchObject({ code: 4 });
    expect(failed.stderr).toMatch(/in use by .* \(worker /);
  });
});

describe('--doctor', () => {
  const doctor = (...flags: string[]) => {
    const args = [
      AGENT,
      '--config',
      join(dir, 'node-a', 'config.ini'),
      '--data-dir',
      join(dir, 'data'),
      '--doctor',
      ...flags,
    ];
    return run(process.execPath, args).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (thrown: unknown) => z.object({ code: z.number(), stdout: z.string() }).parse(thrown),
    );
  };

  it('finds nothing wrong with a node that can run, and changes nothing', async () => {
    const target = await oneNode({ nodes: EVERYTHING });
    const { code, stdout } = await doctor('--json');
    const { ok, findings } = z.object({ ok: z.boolean(), findings: z.array(findingSchema) }).parse(JSON.parse(stdout));
    // A machine that is busy with other tests may leave it no time for everything.
    expect(findings.filter((finding) => finding.code !== 'not-checked')).toEqual([]);
    expect({ ok, code }).toEqual({ ok: true, code: 0 });
    expect(await target.hasSchema()).toBe(false);
  });

  it('names what is wrong with what to do, and exits with 1', async () => {
    const target = await oneNode({ dbConnectionUri: 'postgresql://isg:hunter2secret@127.0.0.1:9/isg?sslmode=disable' });
    renameSync(target.mediaDir, join(dir, 'unmounted'));
    const { code, stdout } = await doctor();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^1\. PROBLEM db-unreachable\n.*127\.0\.0\.1:9/);
    expect(stdout).toMatch(/\n2\. PROBLEM storage-gone\n.*is not there.*\n.*\n.*Mount the share/);
    expect(stdout).not.toContain('hunter2secret');
  });
});
