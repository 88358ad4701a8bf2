import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepOldProgram, type OldProgramFacts, putBack } from '../../../main/updates/old-program.ts';
import { BLANK_MEMORY, readMemory, writeMemory } from '../../../main/updates/update-memory.ts';
import { isLong } from '../../support/long-version.ts';

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
    env: { PATH: process.env.PATH, ...env },
    folder: join(dir, 'kept'),
    resourcesPath: '',
  });

  it('is kept, put back in its place and started with its arguments, and the new one goes', async () => {
    const place = program('isg-pro-0.1.0.AppImage', 'old');
    const old = await keepOldProgram(facts({ APPIMAGE: place }), '0.1.0');
    expect(old).toMatchObject({ place });
    if (old === null) return;
    rmSync(place);
    const next = program('isg-pro-0.2.0.AppImage', 'new');
    await putBack(facts({ APPIMAGE: next }), old, ['--hidden']);
    await expect.poll(() => existsSync(join(dir, 'started')), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => readFileSync(join(dir, 'started'), 'utf8'), { timeout: 30_000 }).toBe('old --hidden\n');
    expect(existsSync(next)).toBe(false);
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
    expect(readdirSync(join(dir, 'kept'))).toEqual(['isg-pro-0.3.0.AppImage']);
  });

  it('cannot be kept where the system installs packages, or where there is none', async () => {
    expect(await keepOldProgram(facts({}), '0.1.0')).toBeNull();
    expect(await keepOldProgram(facts({ APPIMAGE: join(dir, 'gone') }), '0.1.0')).toBeNull();
  });
});
