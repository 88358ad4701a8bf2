import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConfigStore } from '../../../agent/config-file/config-store.ts';
import { createConfigDesk } from '../../../main/config-file/config-desk.ts';
import { type KeyStore, openTokenVault } from '../../../main/config-file/token-vault.ts';

const TOKEN = 'hunter22';
const FILE = `[main]\napp-id = a\nauth-token = ${TOKEN}\nstorage-gateway-id = g\n`;
const DONE = { problems: [], conflicts: [] };

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-desk-'));
  path = join(dir, 'config.ini');
  writeFileSync(path, FILE);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Stands for the operating system: what it sealed, only it opens. */
function keyStore(over: Partial<KeyStore> = {}): KeyStore {
  const mask = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0x5a));
  return {
    isEncryptionAvailable: () => true,
    getSelectedStorageBackend: () => 'gnome_libsecret',
    encryptString: (text) => mask(Buffer.from(`sealed ${text}`)),
    decryptString: (bytes) => {
      const text = mask(bytes).toString();
      if (!text.startsWith('sealed ')) throw new Error('not ours');
      return text.slice(7);
    },
    ...over,
  };
}

function open(keys = keyStore(), platform = 'linux') {
  const vault = openTokenVault(join(dir, 'token.sealed'), keys, platform);
  const store = createConfigStore(path, () => (vault.has() ? ['auth-token'] : []));
  return { vault, store, desk: createConfigDesk(store, vault) };
}
const everyByte = () =>
  readdirSync(dir)
    .map((name) => readFileSync(join(dir, name), 'latin1'))
    .join('\n');

describe('a token in the key store of the system', () => {
  it('stands in no file afterwards, not in the last good copy either, and is still there after a new start', async () => {
    const { desk, store } = open();
    await store.write({ 'log-level': 'debug' });
    expect(await desk.write({ changes: {}, tokenPlace: 'key-store' })).toEqual(DONE);
    expect(everyByte()).not.toContain(TOKEN);
    expect(statSync(join(dir, 'token.sealed')).mode & 0o777).toBe(0o600);
    const later = open();
    expect(later.vault.read()).toBe(TOKEN);
    expect(await later.store.check()).toMatchObject({ status: 'ok' });
    const read = await later.desk.read();
    expect(read.token).toEqual({ place: 'key-store', canUseKeyStore: true, why: '' });
    expect(read.entries.find(({ key }) => key === 'auth-token')).toMatchObject({ value: null, isSet: true });
    expect(JSON.stringify(read)).not.toContain(TOKEN);
  });

  it('is replaced there by a typed one, and goes back into the file when told', async () => {
    const { desk, vault } = open();
    await desk.write({ changes: {}, tokenPlace: 'key-store' });
    expect(await desk.write({ changes: { 'auth-token': 'hunter33', 'app-id': 'b' } })).toEqual(DONE);
    expect([vault.read(), everyByte().includes('hunter33')]).toEqual(['hunter33', false]);
    expect(await desk.write({ changes: {}, tokenPlace: 'file' })).toEqual(DONE);
    expect([vault.has(), readFileSync(path, 'utf8').includes('auth-token = hunter33')]).toEqual([false, true]);
  });

  it('stays where it is when the rest of the change is refused', async () => {
    const { desk, vault } = open();
    const { problems } = await desk.write({ changes: { 'log-level': 'loud' }, tokenPlace: 'key-store' });
    expect(problems).toHaveLength(1);
    expect([vault.has(), readFileSync(path, 'utf8')]).toEqual([false, FILE]);
  });

  it('counts less than one that somebody writes into the file', async () => {
    const { desk } = open();
    await desk.write({ changes: {}, tokenPlace: 'key-store' });
    writeFileSync(path, FILE);
    expect((await desk.read()).token.place).toBe('file');
  });

  it('that the system does not open any more is told in words, and a new one can be typed', async () => {
    await open().desk.write({ changes: {}, tokenPlace: 'key-store' });
    const throwing = () => {
      throw new Error('no');
    };
    const { desk } = open(keyStore({ decryptString: throwing }));
    expect((await desk.read()).token.why).toContain('Enter it again');
    await expect(desk.write({ changes: {}, tokenPlace: 'file' })).rejects.toMatchObject({ code: 'token-unreadable' });
    expect(await desk.write({ changes: { 'auth-token': 'hunter44' }, tokenPlace: 'file' })).toEqual(DONE);
  });
});

describe('a system without a key store', () => {
  it.each([
    ['linux', 'basic_text', true, 'GNOME Keyring or KWallet'],
    ['win32', 'unknown', false, 'cannot be used now'],
  ])('%s with %s is not trusted with the token, and words say why', async (platform, backend, isAvailable, words) => {
    const keys = keyStore({ isEncryptionAvailable: () => isAvailable, getSelectedStorageBackend: () => backend });
    const { desk } = open(keys, platform);
    expect((await desk.read()).token).toEqual({
      place: 'file',
      canUseKeyStore: false,
      why: expect.stringContaining(words),
    });
    await expect(desk.write({ changes: {}, tokenPlace: 'key-store' })).rejects.toMatchObject({
      code: 'key-store-unusable',
    });
    expect(readFileSync(path, 'utf8')).toBe(FILE);
  });
});

it('keys that need a restart wait for it, whoever changed them; those that count at once do not', async () => {
  const { desk } = open();
  expect((await desk.read()).waiting).toEqual([]);
  await desk.noteAgentStart();
  writeFileSync(path, `${FILE}stall-ms = 20000\nlog-level = debug\n`);
  expect((await desk.read()).waiting).toEqual(['stall-ms']);
  await desk.noteAgentStart();
  expect((await desk.read()).waiting).toEqual([]);
});
