import { describe, expect, it } from 'vitest';
import { mayContinue, stillMissing } from '../../../../renderer/features/setup/setup-missing.ts';
import { mountOf, storagesToMount } from '../../../../renderer/features/setup/setup-state.ts';
import { CONTENTS, choose, connect, mount, type Opened, open, openable, Refusal } from './setup-bench.ts';

describe('the first step', () => {
  it('opens the second when iconik accepts the account; texts are trimmed', async () => {
    const opened = open();
    expect(openable(opened)).toEqual(['account']);
    await connect(opened);
    expect(opened.calls).toEqual([
      { name: 'setup.look', params: { iconikUrl: 'https://iconik.test/', appId: 'app', authToken: 'tok' } },
    ]);
    expect(opened.setup.get().step).toBe('gateway');
  });

  it('stays with the reason when iconik refuses', async () => {
    const opened = open({ 'setup.look': () => Promise.reject(new Refusal('iconik does not accept it.', 'permanent')) });
    await connect(opened);
    expect(opened.setup.get()).toMatchObject({ step: 'account', error: 'iconik does not accept it.', work: null });
    expect(openable(opened)).toEqual(['account']);
  });

  it.each([{ iconikUrl: 'iconik' }, { iconikUrl: 'ftp://iconik.test' }, { appId: '' }, { authToken: 'two words' }])(
    'asks nobody with %j',
    async (account) => {
      const opened = open();
      opened.setup.tell({ type: 'account-typed', account: { appId: 'app', authToken: 'tok', ...account } });
      await opened.setup.continue();
      expect(opened.calls).toEqual([]);
    },
  );

  it('a change of the account closes what was opened with the old one', async () => {
    const opened = open();
    await mount(opened);
    opened.setup.tell({ type: 'went', step: 'account' });
    opened.setup.tell({ type: 'account-typed', account: { appId: 'other' } });
    expect(openable(opened)).toEqual(['account']);
  });

  it('two presses of the button ask once', async () => {
    const opened = open();
    opened.setup.tell({ type: 'account-typed', account: { appId: 'app', authToken: 'tok' } });
    await Promise.all([opened.setup.continue(), opened.setup.continue()]);
    expect(opened.made()).toEqual(['setup.look']);
  });
});

describe('the second step', () => {
  it('a single gateway is chosen already; an account without any begins with a new one', async () => {
    const one = open({ 'setup.look': { ...CONTENTS, gateways: CONTENTS.gateways.slice(0, 1) } });
    await connect(one);
    expect(one.setup.get()).toMatchObject({ gatewayId: 'gw-1', mode: 'existing' });
    const none = open({ 'setup.look': { ...CONTENTS, gateways: [] } });
    await connect(none);
    expect(none.setup.get().mode).toBe('new');
  });

  it('says what a new gateway still needs, and then nothing', async () => {
    const opened = open();
    await connect(opened);
    expect(stillMissing(opened.setup.get())).toEqual(['Choose a storage gateway.']);
    opened.setup.tell({ type: 'mode-chosen', mode: 'new' });
    expect(stillMissing(opened.setup.get())).toEqual([
      'Name the storage gateway, for example after this machine.',
      'Choose at least one storage.',
    ]);
    opened.setup.tell({ type: 'new-gateway-typed', gateway: { gatewayName: 'node-c', storageIds: ['st-1'] } });
    expect(stillMissing(opened.setup.get())).toEqual([]);
    expect(mayContinue(opened.setup.get())).toBe(true);
  });

  it('does not go on without a choice', async () => {
    const opened = open();
    await connect(opened);
    await opened.setup.continue();
    expect(opened.setup.get().step).toBe('gateway');
  });

  const newGateway = { clusterId: null, clusterName: ' Two ', gatewayName: ' node-c ', storageIds: ['st-1'] };
  const afterCreation = {
    ...CONTENTS,
    gateways: [
      ...CONTENTS.gateways,
      { id: 'gw-3', name: 'node-c', clusterId: 'cl-2', storageIds: ['st-1'], mounts: {} },
    ],
  };
  async function create(opened: Opened) {
    await connect(opened);
    opened.setup.tell({ type: 'mode-chosen', mode: 'new' });
    opened.setup.tell({ type: 'new-gateway-typed', gateway: newGateway });
    await opened.setup.continue();
  }

  it('makes cluster and gateway, and goes on with it', async () => {
    const opened = open({ 'setup.create-gateway': { storageGatewayId: 'gw-3' } });
    await create(opened);
    expect(opened.calls.find(({ name }) => name === 'setup.create-gateway')?.params).toMatchObject({
      clusterId: null,
      clusterName: 'Two',
      gatewayName: 'node-c',
      storageIds: ['st-1'],
      authToken: 'tok',
    });
    expect(opened.setup.get()).toMatchObject({ step: 'mounts', gatewayId: 'gw-3', mode: 'existing' });
  });

  it('going back and on again does not make a second one', async () => {
    const opened = open({ 'setup.create-gateway': { storageGatewayId: 'gw-3' } });
    await create(opened);
    opened.setup.tell({ type: 'went', step: 'gateway' });
    await opened.setup.continue();
    expect(opened.made().filter((name) => name === 'setup.create-gateway')).toHaveLength(1);
    expect(opened.setup.get().step).toBe('mounts');
  });

  it('a creation whose answer was lost is found again instead of repeated', async () => {
    const opened = open();
    opened.table['setup.create-gateway'] = () => {
      opened.table['setup.look'] = afterCreation;
      throw new Refusal('No answer within 10 s.', 'transient');
    };
    await create(opened);
    expect(opened.setup.get()).toMatchObject({ step: 'mounts', gatewayId: 'gw-3', error: null });
  });

  it('a gateway of that name that was there before is not taken for the new one', async () => {
    const before = {
      ...CONTENTS,
      gateways: [{ id: 'gw-9', name: 'node-c', clusterId: null, storageIds: [], mounts: {} }],
    };
    const opened = open({
      'setup.look': before,
      'setup.create-gateway': () => Promise.reject(new Refusal('No answer within 10 s.', 'transient')),
    });
    await create(opened);
    expect(opened.setup.get()).toMatchObject({ step: 'gateway', error: 'No answer within 10 s.' });
  });

  it('a refusal is told and nothing is looked for', async () => {
    const opened = open({
      'setup.create-gateway': () => Promise.reject(new Refusal('The token may not do that.', 'permanent')),
    });
    await create(opened);
    expect(opened.setup.get().error).toBe('The token may not do that.');
    expect(opened.made()).toEqual(['setup.look', 'setup.create-gateway']);
  });
});

describe('the third step', () => {
  it('begins with what iconik knows, and waits for a folder for each storage', async () => {
    const opened = open();
    await choose(opened);
    await opened.setup.continue();
    expect(opened.setup.get().step).toBe('mounts');
    expect(opened.made()).not.toContain('setup.set-mounts');
  });

  it('tests every folder before iconik is told', async () => {
    const opened = open();
    await mount(opened);
    expect(opened.made().slice(-3)).toEqual(['setup.test-mount', 'setup.test-mount', 'setup.set-mounts']);
    expect(opened.calls.at(-1)?.params).toMatchObject({
      storageGatewayId: 'gw-1',
      mounts: { 'st-1': '/mnt/nas', 'st-2': '/mnt/san' },
    });
    expect(opened.setup.get().step).toBe('review');
  });

  it('a folder that fails its test says why and keeps iconik from being told', async () => {
    const opened = open({ 'setup.test-mount': { ok: false, reason: 'It is empty.', remedy: 'Mount it.' } });
    await mount(opened);
    expect(opened.setup.get().step).toBe('mounts');
    expect(opened.setup.get().work).toBeNull();
    expect(opened.setup.get().mounts['st-2']?.test).toEqual({ ok: false, reason: 'It is empty.', remedy: 'Mount it.' });
    expect(opened.made()).not.toContain('setup.set-mounts');
  });

  it('a verdict about a path that was changed meanwhile is dropped', async () => {
    const opened = open();
    await choose(opened);
    opened.setup.tell({ type: 'mount-typed', storageId: 'st-2', path: '/one' });
    const test = opened.setup.testMount('st-2');
    opened.setup.tell({ type: 'mount-typed', storageId: 'st-2', path: '/two' });
    await test;
    expect(opened.setup.get().mounts['st-2']).toEqual({ path: '/two', test: null });
  });

  it('a test that cannot be made counts as failed, in words', async () => {
    const opened = open({ 'setup.test-mount': () => Promise.reject(new Error('The agent is down.')) });
    await mount(opened);
    expect(opened.setup.get().mounts['st-2']?.test).toMatchObject({ ok: false });
  });

  it('a chosen folder is taken and tested; a cancelled choice changes nothing', async () => {
    const opened = open({ 'app.choose-folder': { path: '/picked' } });
    await choose(opened);
    await opened.setup.chooseFolder('st-2', 'SAN');
    expect(opened.setup.get().mounts['st-2']).toMatchObject({ path: '/picked', test: { ok: true } });
    opened.table['app.choose-folder'] = { path: null };
    await opened.setup.chooseFolder('st-2', 'SAN');
    expect(opened.setup.get().mounts['st-2']?.path).toBe('/picked');
  });

  it('a changed folder closes the steps after it', async () => {
    const opened = open();
    await mount(opened);
    expect(openable(opened)).toContain('review');
    opened.setup.tell({ type: 'mount-typed', storageId: 'st-2', path: '/other' });
    expect(openable(opened)).not.toContain('review');
  });

  it('begins with where the gateway has its storages, not with the address of the storage', async () => {
    const [first, second] = CONTENTS.gateways;
    const gateways = [
      { ...first, mounts: { 'st-1': '/own/nas' } },
      { ...second, storageIds: ['st-1', 'st-9'], mounts: { 'st-9': '/b/unlisted' } },
    ];
    const opened = open({ 'setup.look': { ...CONTENTS, gateways } });
    await choose(opened);
    const paths = () => storagesToMount(opened.setup.get()).map((storage) => mountOf(opened.setup.get(), storage).path);
    expect(paths()).toEqual(['/own/nas', '']);
    await opened.setup.testMounts();
    expect(opened.calls.at(-1)?.params).toEqual({ mountPoint: '/own/nas', storageId: 'st-1' });
    opened.setup.tell({ type: 'gateway-chosen', gatewayId: 'gw-2' });
    expect(paths()).toEqual(['/mnt/nas', '/b/unlisted']);
  });

  it('keeps a typed folder when another gateway is chosen', async () => {
    const opened = open();
    await choose(opened);
    opened.setup.tell({ type: 'mount-typed', storageId: 'st-1', path: '/typed' });
    opened.setup.tell({ type: 'gateway-chosen', gatewayId: 'gw-2' });
    expect(opened.setup.get().mounts['st-1']?.path).toBe('/typed');
  });

  it('names the storage whose folder is missing', async () => {
    const opened = open();
    await choose(opened);
    expect(stillMissing(opened.setup.get())).toEqual(['Choose the folder of SAN.']);
  });

  it('a gateway without storages goes on', async () => {
    const opened = open();
    await choose(opened, 'gw-2');
    await opened.setup.continue();
    expect(opened.setup.get().step).toBe('review');
  });
});
