import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../agent/config/load-config.ts';
import { createConfigStore } from '../../../agent/config-file/config-store.ts';
import { watchConfig } from '../../../main/config-file/watch-config.ts';

const GOOD = '; ours\r\n[main]\r\napp-id = a\r\nauth-token = hunter22\r\nstorage-gateway-id=g\r\nvendor-thing = 1\r\n';

const WRITTEN = { problems: [], conflicts: [] };

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-config-'));
  path = join(dir, 'config.ini');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const text = (file = path) => readFileSync(file, 'utf8');

describe('reading', () => {
  it('tells an absent file from an invalid one', async () => {
    const store = createConfigStore(path);
    expect(await store.check()).toMatchObject({ status: 'absent', problems: [] });
    writeFileSync(path, '[main]\napp-id = a\nproxy-bitrate = 1\n');
    const { status, problems } = await store.check();
    expect(status).toBe('invalid');
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^line 3: proxy-bitrate/),
        expect.stringMatching(/^auth-token is missing/),
      ]),
    );
    writeFileSync(path, GOOD);
    expect(await store.check()).toMatchObject({ status: 'ok', problems: [] });
  });

  it('finds the same problems as the agent', async () => {
    writeFileSync(path, '[main]\nvisibility-timeout=3\napp-id = a b\nleader-ttl-ms=1000\nwhat\n');
    const loaded = loadConfig(['--config', path], {});
    const expected = loaded.kind === 'invalid' ? loaded.problems.map((problem) => problem.slice(path.length + 2)) : [];
    expect((await createConfigStore(path).check()).problems).toEqual(expected);
    expect(expected.length).toBeGreaterThan(1);
  });

  it('lists every key, and of secrets only whether they are set', async () => {
    writeFileSync(
      path,
      `${GOOD}db-connection-uri=postgresql://u:hunter22@h/d\nhttps-proxy=http://u:hunter22@proxy:1\n`,
    );
    const entries = await createConfigStore(path).readEntries();
    expect(JSON.stringify(entries)).not.toContain('hunter22');
    const byKey = new Map(entries.map((entry) => [entry.key, entry]));
    expect(byKey.get('auth-token')).toMatchObject({ value: null, isSecret: true, isSet: true });
    expect(byKey.get('https-proxy')).toMatchObject({ value: null, isSecret: true, isSet: true });
    expect(byKey.get('app-id')).toMatchObject({ value: 'a', isSecret: false, isSet: true });
    expect(byKey.get('log-level')).toMatchObject({ value: null, isSet: false, default: 'info' });
    for (const { explanation } of entries) expect(explanation).toMatch(/^\p{L}.*\.$/u);
  });

  it('calls a file in UTF-16 unreadable, says what to do, and does not touch it', async () => {
    const bytes = Buffer.from(`\uFEFF${GOOD}`, 'utf16le');
    writeFileSync(path, bytes);
    const store = createConfigStore(path);
    expect((await store.check()).problems).toEqual(['the file is UTF-16 ("Unicode") text; save it as UTF-8']);
    await expect(store.write({ 'app-id': 'x' })).rejects.toMatchObject({ code: 'config-unreadable' });
    expect(readFileSync(path)).toEqual(bytes);
  });

  it('keeps bytes of another code page in comments, and refuses them in a value', async () => {
    const comment = Buffer.from('; f\xfcr Schnittpl\xe4tze\n', 'latin1');
    writeFileSync(path, Buffer.concat([comment, Buffer.from(GOOD)]));
    const store = createConfigStore(path);
    expect(await store.write({ 'app-id': 'b' })).toEqual(WRITTEN);
    expect(readFileSync(path).subarray(0, comment.length)).toEqual(comment);
    writeFileSync(path, Buffer.concat([Buffer.from(GOOD), Buffer.from('ffmpeg-path = /b\xfccher\n', 'latin1')]));
    expect((await store.check()).problems).toEqual(['line 7: ffmpeg-path holds bytes that are no UTF-8 text']);
  });
});

describe('writing', () => {
  it('changes the value alone, keeps the mode of the file, and the last good one beside it for its owner only', async () => {
    writeFileSync(path, GOOD, { mode: 0o640 });
    expect(await createConfigStore(path).write({ 'app-id': 'b' })).toEqual(WRITTEN);
    expect(text()).toBe(GOOD.replace('app-id = a', 'app-id = b'));
    expect(text(`${path}.bak`)).toBe(GOOD);
    expect([statSync(path).mode & 0o777, statSync(`${path}.bak`).mode & 0o777]).toEqual([0o640, 0o600]);
    expect(readdirSync(dir).sort()).toEqual(['config.ini', 'config.ini.bak']);
  });

  it('makes file and folder from nothing', async () => {
    const store = createConfigStore(join(dir, 'a/b/config.ini'));
    const changes = { 'app-id': 'a', 'auth-token': 't', 'storage-gateway-id': 'g' };
    expect(await store.write(changes)).toEqual(WRITTEN);
    expect(text(store.path)).toBe('[main]\napp-id = a\nauth-token = t\nstorage-gateway-id = g\n');
  });

  it('refuses with all problems what would not run, and writes nothing', async () => {
    writeFileSync(path, GOOD);
    const store = createConfigStore(path);
    const { problems } = await store.write({ 'proxy-bitrate': '7', 'log-level': 'loud', 'auth-token': null });
    expect(problems).toHaveLength(3);
    const unknown = await store.write({ 'app-idd': 'x', 'app-id': 'two\nlines', 'visibility-timeout': '60' });
    expect(unknown.problems).toHaveLength(3);
    expect(text()).toBe(GOOD);
    expect(readdirSync(dir)).toEqual(['config.ini']);
  });

  it('keeps the last good file when the present one is not good', async () => {
    writeFileSync(path, GOOD);
    const store = createConfigStore(path);
    await store.write({ 'log-level': 'debug' });
    writeFileSync(path, GOOD.replace('app-id = a', 'app-id ='));
    expect(await store.write({ 'app-id': 'c' })).toEqual(WRITTEN);
    expect(text(`${path}.bak`)).toBe(GOOD);
  });

  it('loses none of many changes at a time', async () => {
    writeFileSync(path, GOOD);
    const store = createConfigStore(path);
    const keys = ['ffmpeg-path', 'ffprobe-path', 'data-dir', 'app-id'];
    await Promise.all(keys.map((key) => store.write({ [key]: `/${key}` })));
    const values = await store.readValues();
    for (const key of keys) expect(values.get(key)).toBe(`/${key}`);
  });

  it('writes through a symbolic link', async () => {
    mkdirSync(join(dir, 'real'));
    const target = join(dir, 'real', 'config.ini');
    writeFileSync(target, GOOD);
    symlinkSync(target, path);
    await createConfigStore(path).write({ 'app-id': 'b' });
    expect(text(target)).toContain('app-id = b');
  });

  it('says so when the place cannot be written, and leaves nothing behind', async () => {
    writeFileSync(join(dir, 'file'), '');
    const store = createConfigStore(join(dir, 'file', 'config.ini'));
    const changes = { 'app-id': 'a', 'auth-token': 't', 'storage-gateway-id': 'g' };
    await expect(store.write(changes)).rejects.toMatchObject({ code: 'config-not-written', retry: 'transient' });
    expect(readdirSync(dir)).toEqual(['file']);
  });
});

describe('a file that others use, too', () => {
  const revisionOf = async (key: string) =>
    (await createdStore.readEntries()).find((entry) => entry.key === key)?.revision ?? '';
  let createdStore: ReturnType<typeof createConfigStore>;
  beforeEach(() => {
    writeFileSync(path, GOOD);
    createdStore = createConfigStore(path);
  });

  it('keeps what they changed at other keys', async () => {
    const seen = { 'app-id': await revisionOf('app-id') };
    writeFileSync(path, `${GOOD}log-level = warn\r\n`);
    expect(await createdStore.write({ 'app-id': 'b' }, seen)).toEqual(WRITTEN);
    expect(text()).toBe(`${GOOD}log-level = warn\r\n`.replace('app-id = a', 'app-id = b'));
  });

  it('reports a key that they changed instead of overwriting it, and overwrites it when told again', async () => {
    const seen = { 'app-id': await revisionOf('app-id'), 'auth-token': await revisionOf('auth-token') };
    writeFileSync(path, GOOD.replace('app-id = a', 'app-id = theirs').replace('hunter22', 'hunter33'));
    const { conflicts } = await createdStore.write({ 'app-id': 'mine', 'auth-token': 'mine2' }, seen);
    expect(conflicts).toMatchObject([
      { key: 'app-id', value: 'theirs', isSet: true },
      { key: 'auth-token', value: null, isSet: true },
    ]);
    expect(JSON.stringify(conflicts)).not.toContain('hunter');
    expect(text()).toContain('theirs');
    const again = Object.fromEntries(conflicts.map(({ key, revision }) => [key, revision]));
    expect(await createdStore.write({ 'app-id': 'mine', 'auth-token': 'mine2' }, again)).toEqual(WRITTEN);
    expect(text()).toContain('app-id = mine');
  });

  it('that they broke can be put back as it was last good, also when that was no save of ours', async () => {
    const good = `${GOOD}log-level = warn\r\n`;
    writeFileSync(path, good);
    await createdStore.check();
    writeFileSync(path, 'app-id =');
    expect((await createdStore.check()).status).toBe('invalid');
    expect(await createdStore.lastGoodMs()).toEqual(expect.any(Number));
    await createdStore.restore();
    expect([text(), text(`${path}.broken`)]).toEqual([good, 'app-id =']);
  });

  it.skipIf(process.platform === 'win32')('marked read-only is not replaced, and words say so', async () => {
    chmodSync(path, 0o444);
    await expect(createdStore.write({ 'app-id': 'b' })).rejects.toMatchObject({
      code: 'config-not-written',
      message: expect.stringContaining('marked read-only'),
    });
    expect(text()).toBe(GOOD);
  });
});

describe('watching', () => {
  it('hears of appearance, replacement and disappearance, once each, and of nothing else', async () => {
    const seen: (string | null)[] = [];
    let wake = () => {};
    const stop = watchConfig(path, () => {
      seen.push(readdirSync(dir).includes('config.ini') ? text() : null);
      wake();
    });
    const change = async (act: () => unknown) => {
      const heard = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await act();
      await heard;
    };
    try {
      await change(() => writeFileSync(path, GOOD));
      writeFileSync(join(dir, 'other.txt'), 'x');
      await change(() => createConfigStore(path).write({ 'app-id': 'b' }));
      await change(() => rmSync(path));
      expect(seen).toEqual([GOOD, GOOD.replace('app-id = a', 'app-id = b'), null]);
    } finally {
      stop();
    }
  });

  it('waits for a folder that is not there yet', async () => {
    const late = join(dir, 'late', 'config.ini');
    const heard = new Promise<void>((resolve) => {
      const stop = watchConfig(late, () => {
        stop();
        resolve();
      });
    });
    mkdirSync(join(dir, 'late'));
    writeFileSync(late, GOOD);
    await heard;
  });
});
