import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDataFolder } from '../../../agent/cache/data-folder-lock.ts';
import { loadInstallation, renewWorkerId } from '../../../agent/cache/installation.ts';
import { createFileSink } from '../../../agent/runtime/log-sinks.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'isg-pro-data-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

async function startHolder() {
  const program = fileURLToPath(new URL('./hold-lock.ts', import.meta.url));
  const child = spawn(process.execPath, [program, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [word] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, word: word.toString().trim() };
}

describe('lockDataFolder', () => {
  it('lets one holder at a time have the folder, in this process and across processes', async () => {
    const lock = lockDataFolder(dataDir);
    expect(lock).not.toBeNull();
    expect(lockDataFolder(dataDir)).toBeNull();
    expect((await startHolder()).word).toBe('refused');
    lock?.release();
    lock?.release();
    const again = lockDataFolder(dataDir);
    expect(again).not.toBeNull();
    again?.release();
  });

  it('is free again at once when its holder is killed', async () => {
    const { child, word } = await startHolder();
    expect(word).toBe('held');
    expect(lockDataFolder(dataDir)).toBeNull();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = lockDataFolder(dataDir);
    expect(lock).not.toBeNull();
    lock?.release();
  });

  it('makes the folder', () => {
    const lock = lockDataFolder(join(dataDir, 'a', 'b'));
    expect(lock).not.toBeNull();
    lock?.release();
  });
});

describe('loadInstallation', () => {
  it('keeps the worker id over starts, and tells machine and boot', async () => {
    const first = await loadInstallation(join(dataDir, 'new'));
    expect(first.workerId).toMatch(/^[0-9a-f-]{36}$/);
    expect(first.machineId).not.toBe('');
    expect(first.bootId).not.toBe('');
    expect(await loadInstallation(join(dataDir, 'new'))).toEqual(first);
  });

  it('gives a copy of the folder a worker id of its own, whichever starts first, and tells which one it was copied with', async () => {
    const [original, copy] = [join(dataDir, 'original'), join(dataDir, 'copy')];
    const first = await loadInstallation(original);
    expect(first.copiedFrom).toBeNull();
    await cp(original, copy, { recursive: true });
    const copied = await loadInstallation(copy);
    expect(copied.workerId).not.toBe(first.workerId);
    expect(copied.copiedFrom).toBe(first.workerId);
    expect(await loadInstallation(copy)).toEqual({ ...copied, copiedFrom: null });
    expect(await loadInstallation(original)).toEqual(first);
  });

  it('takes a folder that stands in the place of another, as after a restore, for a copy', async () => {
    const [place, aside] = [join(dataDir, 'place'), join(dataDir, 'aside')];
    const first = await loadInstallation(place);
    await rename(place, aside);
    await cp(aside, place, { recursive: true });
    expect((await loadInstallation(place)).workerId).not.toBe(first.workerId);
  });

  it('keeps the worker id of a folder that does not tell its place yet', async () => {
    const first = await loadInstallation(dataDir);
    await rm(join(dataDir, 'worker-place'));
    expect(await loadInstallation(dataDir)).toEqual(first);
  });

  it('makes a new worker id when asked, and when the kept one is unreadable', async () => {
    const first = await loadInstallation(dataDir);
    const renewed = await renewWorkerId(dataDir);
    expect(renewed).not.toBe(first.workerId);
    expect((await loadInstallation(dataDir)).workerId).toBe(renewed);
    await writeFile(join(dataDir, 'worker-id'), 'garbage');
    const made = (await loadInstallation(dataDir)).workerId;
    expect(made).toMatch(/^[0-9a-f-]{36}$/);
    expect((await loadInstallation(dataDir)).workerId).toBe(made);
  });
});

describe('createFileSink', () => {
  it('begins a new file at the size limit and keeps only so many old ones', async () => {
    const folder = join(dataDir, 'logs');
    const sink = createFileSink({ folder, maxBytes: 2_000, keep: 2 });
    for (let n = 1; n <= 100; n += 1) sink({ level: 'info', message: `number ${n} 100%d`, fields: { n }, atMs: 0 });
    expect((await readdir(folder)).sort()).toEqual(['agent.1.log', 'agent.2.log', 'agent.log']);
    const last = (await readFile(join(folder, 'agent.log'), 'utf8')).trimEnd().split('\n').at(-1);
    expect(last).toBe('1970-01-01T00:00:00.000Z INFO  number 100 100%d {"n":100}');
    const lines = (
      await Promise.all(['agent.2.log', 'agent.1.log', 'agent.log'].map((file) => readFile(join(folder, file), 'utf8')))
    ).join('');
    const numbers = [...lines.matchAll(/number (\d+)/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => 101 - numbers.length + n));
  });

  it('does not throw when its folder cannot be made', async () => {
    await writeFile(join(dataDir, 'file'), '');
    const sink = createFileSink({ folder: join(dataDir, 'file', 'logs') });
    expect(() => sink({ level: 'info', message: 'x', fields: {}, atMs: 0 })).not.toThrow();
  });
});

describe.skipIf(process.platform === 'win32')('the data folder', () => {
  it('shows nobody else what is in it, also when it was made for everybody', () => {
    const dir = join(dataDir, 'open');
    const inner = ['cache', 'logs', 'temp'];
    mkdirSync(join(dir, 'logs'), { recursive: true });
    for (const folder of [dir, join(dir, 'logs')]) chmodSync(folder, 0o777);
    lockDataFolder(dir)?.release();
    expect(statSync(dir).mode & 0o006).toBe(0);
    expect(inner.map((name) => statSync(join(dir, name)).mode & 0o007)).toEqual([0, 0, 0]);
  });
});
