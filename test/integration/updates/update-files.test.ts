import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appImageOf } from '../../../main/updates/app-image.ts';
import { keepOldProgram, type OldProgramFacts, putBack, restoreProgram } from '../../../main/updates/old-program.ts';
import { copyWhole, digestOf } from '../../../main/updates/program-files.ts';
import { BLANK_MEMORY, readMemory, writeMemory } from '../../../main/updates/update-memory.ts';
import { isLong } from '../../support/long-version.ts';

const REPLACER = fileURLToPath(new URL('../../fixtures/program-replacer.mjs', import.meta.url));
const WRITER = fileURLToPath(new URL('../../fixtures/update-memory-writer.mjs', import.meta.url));

/** Each is a program that starts. */
const KILLS = isLong ? 40 : 3;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-update-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('what an update remembers', () => {
  it('is whole after its writer was killed, whenever that was', async () => {
    const file = join(dir, 'updates', 'update.json');
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = spawn(process.execPath, [WRITER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
      const gone = once(child, 'exit');
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await gone;
      const text = readFileSync(file, 'utf8');
      expect(readMemory(file)).toEqual(JSON.parse(text));
      expect(readMemory(file).pending).toMatchObject({ to: '0.2.0', turn: 7 });
    }
  });

  it('is nothing when the file is missing, cut off, of another shape or no text', () => {
    const file = join(dir, 'update.json');
    expect(readMemory(file)).toEqual(BLANK_MEMORY);
    writeMemory(file, { ...BLANK_MEMORY, failed: ['0.2.0'] });
    const whole = readFileSync(file, 'utf8');
    for (const damaged of [whole.slice(0, -3), '', 'null', '[]', '{"pending":{}}', '\u0000\u0001']) {
      writeFileSync(file, damaged);
      expect(readMemory(file), damaged).toEqual(BLANK_MEMORY);
    }
  });

  it('is only its owner’s to read', () => {
    const file = join(dir, 'update.json');
    writeMemory(file, BLANK_MEMORY);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('the old program', () => {
  const program = (name: string, word: string): string => {
    const file = join(dir, name);
    writeFileSync(file, `#!/bin/sh\necho "${word} $*" > "${join(dir, 'started')}"\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const facts = (env: Record<string, string>): OldProgramFacts => ({
    platform: 'linux',
    // as for a process of the AppImage: its executable lies where the AppImage is mounted
    env: { PATH: process.env.PATH, APPDIR: dirname(process.execPath), ...env },
    execPath: process.execPath,
    folder: join(dir, 'kept'),
    resourcesPath: '',
  });

  it('is kept, put back in its place and started with its arguments', async () => {
    const place = program('isg-pro-0.1.0.AppImage', 'old');
    const old = await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0');
    expect(old).toMatchObject({ place });
    if (old === null) return;
    program('isg-pro-0.1.0.AppImage', 'new');
    await putBack(facts({ APPIMAGE: place }), old, ['--hidden']);
    await expect.poll(() => existsSync(join(dir, 'started')), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => readFileSync(join(dir, 'started'), 'utf8'), { timeout: 30_000 }).toBe('old --hidden\n');
    expect(statSync(place).mode & 0o777).toBe(0o755);
  });

  it('that was changed where it is kept is not put back', async () => {
    const place = program('isg-pro.AppImage', 'old');
    const old = await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0');
    if (old === null) throw new Error('nothing was kept');
    writeFileSync(old.file, '#!/bin/sh\necho evil\n');
    const before = readFileSync(place, 'utf8');
    await expect(putBack(facts({ APPIMAGE: place }), old, [])).rejects.toThrow(/not the file that was kept/);
    expect(readFileSync(place, 'utf8')).toBe(before);
  });

  it('is the only one kept', async () => {
    const place = program('isg-pro.AppImage', 'old');
    for (const version of ['0.1.0', '0.2.0', '0.3.0']) await keepOldProgram(facts({ APPIMAGE: place }), version);
    expect(readdirSync(join(dir, 'kept'))).toEqual(['isg-pro-0.3.0.AppImage', 'isg-pro-0.3.0.AppImage.sha512']);
  });

  it('cannot be kept where the system installs packages, or where there is none', async () => {
    expect(await keepOldProgram(facts({}), '0.1.0')).toBeNull();
    expect(await keepOldProgram(facts({ APPIMAGE: join(dir, 'gone') }), '0.1.0')).toBeNull();
  });

  it('that is kept well is not overwritten by what lies in its place by now, and one that is damaged is kept anew', async () => {
    const place = program('isg-pro.AppImage', 'old');
    const first = await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0');
    const whole = readFileSync(place, 'utf8');
    writeFileSync(place, 'cut o');
    expect(await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0')).toEqual(first);
    expect(readFileSync(first?.file ?? '', 'utf8')).toBe(whole);
    writeFileSync(first?.file ?? '', 'damaged');
    writeFileSync(place, whole);
    expect(await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0')).toEqual(first);
    expect(readFileSync(first?.file ?? '', 'utf8')).toBe(whole);
  });

  it('is restored where its file is cut off or gone, and left alone where it is whole', async () => {
    const place = program('isg-pro.AppImage', 'old');
    const whole = readFileSync(place, 'utf8');
    const old = await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0');
    if (old === null) throw new Error('nothing was kept');
    const { ino } = statSync(place);
    await restoreProgram(old);
    expect(statSync(place).ino).toBe(ino);
    for (const spoil of [() => writeFileSync(place, 'cut o'), () => rmSync(place)]) {
      spoil();
      await restoreProgram(old);
      expect(readFileSync(place, 'utf8')).toBe(whole);
      expect(statSync(place).mode & 0o777).toBe(0o755);
    }
  });

  it('of another AppImage, from whose terminal this one was started, is neither kept nor taken for one’s own', async () => {
    const foreign = program('editor.AppImage', 'editor');
    const mounted = join(dir, 'mounted');
    mkdirSync(mounted);
    for (const env of [
      { APPIMAGE: foreign, APPDIR: mounted },
      { APPIMAGE: foreign, APPDIR: '' },
    ]) {
      expect(appImageOf(facts(env))).toBeNull();
      expect(await keepOldProgram(facts(env), '0.1.0')).toBeNull();
    }
    expect(appImageOf(facts({ APPIMAGE: foreign }))).toBe(foreign);
    expect(appImageOf({ ...facts({ APPIMAGE: foreign }), platform: 'darwin' })).toBeNull();
  });

  it('of Windows is kept only when the installer that lies there is of the version that runs', async () => {
    const windows: OldProgramFacts = { ...facts({ LOCALAPPDATA: dir }), platform: 'win32' };
    const installer = join(dir, 'isg-pro-updater', 'installer.exe');
    expect(await keepOldProgram(windows, '0.2.0')).toBeNull();
    mkdirSync(dirname(installer));
    writeFileSync(installer, 'MZ no version');
    expect(await keepOldProgram(windows, '0.2.0')).toBeNull();
    writeFileSync(installer, windowsProgram(0, 1, 0));
    expect(await keepOldProgram(windows, '0.2.0')).toBeNull();
    expect(await keepOldProgram(windows, '0.1.0')).toMatchObject({ place: '' });
    writeFileSync(installer, windowsProgram(10, 20, 30));
    expect((await keepOldProgram(windows, '10.20.30'))?.file).toMatch(/isg-pro-10\.20\.30\.exe$/);
  });
});

/** As much of a Windows program as tells its version: VS_FIXEDFILEINFO somewhere in it. */
function windowsProgram(major: number, minor: number, patch: number): Buffer {
  const info = Buffer.alloc(52);
  info.writeUInt32LE(0xfeef04bd, 0);
  info.writeUInt32LE(0x10000, 4);
  for (const offset of [8, 16]) {
    info.writeUInt32LE(major * 65_536 + minor, offset);
    info.writeUInt32LE(patch * 65_536, offset + 4);
  }
  return Buffer.concat([Buffer.from('MZ'), Buffer.alloc(5_000, 7), info, Buffer.alloc(500, 7)]);
}

describe('a program that replaces another', () => {
  it('takes its place as a whole, or leaves the old one and nothing beside it', async () => {
    const [from, to] = [join(dir, 'new'), join(dir, 'isg-pro.AppImage')];
    writeFileSync(from, 'new');
    writeFileSync(to, 'old');
    const sha512 = await digestOf(from);
    const refusals: [string, Parameters<typeof copyWhole>[2], RegExp][] = [
      [from, { mode: 0o755, sha512: await digestOf(to) }, /not what it should be/],
      [
        from,
        {
          mode: 0o755,
          sha512,
          commit: () => {
            throw new Error('the application quits');
          },
        },
        /quits/,
      ],
      [join(dir, 'gone'), { mode: 0o755, sha512 }, /ENOENT/],
    ];
    for (const [source, demands, words] of refusals) {
      await expect(copyWhole(source, to, demands)).rejects.toThrow(words);
      expect(readFileSync(to, 'utf8')).toBe('old');
      expect(readdirSync(dir).toSorted()).toEqual(['isg-pro.AppImage', 'new']);
    }
    await copyWhole(from, to, { mode: 0o755, sha512 });
    expect(readFileSync(to, 'utf8')).toBe('new');
    expect(statSync(to).mode & 0o777).toBe(0o755);
  });

  it('is whole in its place after a kill, whenever that was', async () => {
    const [place, one, two] = [join(dir, 'isg-pro.AppImage'), join(dir, 'one'), join(dir, 'two')];
    const versions = [Buffer.alloc(3_000_000, 1), Buffer.alloc(2_000_000, 2)] as const;
    writeFileSync(one, versions[0]);
    writeFileSync(two, versions[1]);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = spawn(process.execPath, [REPLACER, place, one, two], { stdio: ['ignore', 'pipe', 'inherit'] });
      const gone = once(child, 'exit');
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await gone;
      const now = readFileSync(place);
      expect(versions.some((version) => version.equals(now))).toBe(true);
    }
  });
});
