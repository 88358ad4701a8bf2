import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setupCalls } from '../../../agent/operator/calls/setup-calls.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';

let dir = '';
let standIn: StandIn;
const calls = setupCalls({ log: silentLogger, httpsProxy: undefined });
const account = () => ({ iconikUrl: `${standIn.url}/`, appId: standIn.appId, authToken: standIn.authToken });
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-setup-'));
  standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
});
afterEach(async () => {
  const { violations, answerFaults } = standIn.state();
  await standIn.close();
  rmSync(dir, { recursive: true, force: true });
  expect(violations).toEqual([]);
  expect(answerFaults).toEqual([]);
});

const seed = () =>
  standIn.seed({
    storages: [{ name: 'NAS Post', mountPoint: '/mnt/nas' }],
    gateways: [{ name: 'node-a', roles: ['MAIN'] }],
  });

describe('looking at an account', () => {
  it('tells clusters, gateways with their storages, and FILE storages only', async () => {
    const { clusterId, gatewayIds, storageIds } = seed();
    expect(await calls['setup.look'](account())).toEqual({
      clusters: [{ id: clusterId, name: 'cluster' }],
      gateways: [
        { id: gatewayIds[0], name: 'node-a', clusterId, storageIds, mounts: { [storageIds[0] ?? '']: '/mnt/nas' } },
      ],
      storages: [{ id: storageIds[0], name: 'NAS Post', mountPoint: '/mnt/nas' }],
    });
  });

  it('tells where a gateway has its storages already', async () => {
    const { gatewayIds, storageIds } = seed();
    const mounts = { [storageIds[0] ?? '']: '/here/nas' };
    await calls['setup.set-mounts']({ ...account(), storageGatewayId: gatewayIds[0] ?? '', mounts });
    expect((await calls['setup.look'](account())).gateways).toMatchObject([{ id: gatewayIds[0], mounts }]);
  });

  it('refuses a wrong token in words that do not repeat it', async () => {
    const refused = calls['setup.look']({ ...account(), authToken: 'wrong-7f3a' });
    await expect(refused).rejects.toMatchObject({ code: 'iconik-unauthorized' });
    await expect(refused).rejects.not.toThrow(/wrong-7f3a/);
  });

  it('refuses an address where no iconik is, and one that is none', async () => {
    await expect(calls['setup.look']({ ...account(), iconikUrl: 'nonsense' })).rejects.toMatchObject({
      code: 'config-invalid',
    });
    const nobody = calls['setup.look']({ ...account(), iconikUrl: 'http://127.0.0.1:9/' });
    await expect(nobody).rejects.toMatchObject({ code: 'iconik-unreachable' });
  });
});

describe('making a gateway', () => {
  const order = (over: object = {}) => ({
    ...account(),
    clusterId: null,
    clusterName: 'Post',
    gatewayName: 'edit-1',
    storageIds: seeded.storageIds,
    ...over,
  });
  let seeded: ReturnType<typeof seed>;
  beforeEach(() => {
    seeded = seed();
  });

  it('makes a cluster where there is none, and in it a gateway with all roles', async () => {
    const { storageGatewayId } = await calls['setup.create-gateway'](order());
    const gateway = standIn.records.gateways.get(storageGatewayId);
    expect(gateway).toMatchObject({
      name: 'edit-1',
      enabled: true,
      roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'],
    });
    expect(standIn.records.clusters.get(gateway?.cluster_id)).toMatchObject({
      name: 'Post',
      enabled: true,
      storage_ids: seeded.storageIds,
    });
  });

  it('joins a chosen cluster and adds the storages that it lacks', async () => {
    const cluster = standIn.records.clusters.get(seeded.clusterId);
    if (cluster) cluster.storage_ids = [];
    const { storageGatewayId } = await calls['setup.create-gateway'](order({ clusterId: seeded.clusterId }));
    expect(standIn.records.gateways.get(storageGatewayId)).toMatchObject({ cluster_id: seeded.clusterId });
    expect(standIn.records.clusters.get(seeded.clusterId)).toMatchObject({ storage_ids: seeded.storageIds });
  });

  it('tried again after it failed half-way makes no second cluster', async () => {
    standIn.setFaults({
      status: { rate: 1, code: 500 },
      only: { methods: ['POST'], pathIncludes: '/storage_gateways/' },
    });
    await expect(calls['setup.create-gateway'](order())).rejects.toMatchObject({ code: 'iconik-unreachable' });
    standIn.setFaults({});
    await calls['setup.create-gateway'](order());
    expect(standIn.records.clusters.where({ name: 'Post' })).toHaveLength(1);
  });

  it('tried again after a lost answer says that the gateway is there, and makes no second one', async () => {
    await calls['setup.create-gateway'](order());
    const [cluster] = standIn.records.clusters.where({ name: 'Post' });
    const again = calls['setup.create-gateway'](order({ clusterId: cluster?.id ?? '' }));
    await expect(again).rejects.toThrow(/edit-1.*already/);
    expect(standIn.records.gateways.where({ name: 'edit-1' })).toHaveLength(1);
  });
});

it('mount points are added to those that the gateway has', async () => {
  const { gatewayIds, storageIds } = seed();
  const [storageGatewayId = ''] = gatewayIds;
  await calls['setup.set-mounts']({ ...account(), storageGatewayId, mounts: { another: '/mnt/other' } });
  expect(standIn.records.gateways.get(storageGatewayId)?.storages).toEqual({
    [storageIds[0] ?? '']: { mount_point: '/mnt/nas' },
    another: { mount_point: '/mnt/other' },
  });
});

describe('testing a mount point', () => {
  const test = (mountPoint: string) => calls['setup.test-mount']({ mountPoint, storageId: 'storage-a' });

  it('is fine with a folder that can be written, and leaves nothing behind', async () => {
    const folder = mkdtempSync(join(dir, 'media-'));
    expect(await test(folder)).toEqual({ ok: true, reason: '', remedy: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says in words what is wrong with any other', async () => {
    const file = join(dir, 'a-file');
    writeFileSync(file, '');
    for (const [path, reason] of [
      ['relative/path', /full path/],
      [join(dir, 'nowhere'), /no such folder/i],
      [file, /not a folder/],
    ] as const) {
      const verdict = await test(path);
      expect(verdict).toMatchObject({ ok: false });
      expect(verdict.reason).toMatch(reason);
      expect(verdict.remedy).not.toBe('');
    }
  });

  it('sees the marker of another storage', async () => {
    const folder = mkdtempSync(join(dir, 'media-'));
    writeFileSync(
      join(folder, '.isg-pro-storage'),
      JSON.stringify({ storageId: 'storage-b', storage_id: 'storage-b' }),
    );
    const verdict = await test(folder);
    expect(verdict.ok).toBe(false);
  });
});
