import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settleStart } from '../../../main/updates/go-back.ts';
import { noteStart } from '../../../main/updates/note-start.ts';
import { MOST_STARTS } from '../../../main/updates/start-plan.ts';
import { BLANK_MEMORY, readMemory, writeMemory } from '../../../main/updates/update-memory.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-go-back-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** An application after an update whose new version has been started often enough; the old one says when it is started. */
function afterUpdate() {
  const [place, kept, memoryFile] = ['now.AppImage', 'kept.AppImage', 'update.json'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const program = `#!/bin/sh\necho "$*" > "${join(dir, 'started')}"\n`;
  writeFileSync(place, 'new');
  writeFileSync(kept, program);
  chmodSync(kept, 0o755);
  const old = { file: kept, sha512: createHash('sha512').update(program).digest('base64'), place };
  const pending = {
    phase: 'installing' as const,
    from: '0.1.0',
    to: '0.2.0',
    turn: 4,
    starts: MOST_STARTS,
    why: '',
    old,
  };
  writeMemory(memoryFile, { ...BLANK_MEMORY, pending });
  const done: string[] = [];
  const isThere = () => (readFileSync(place, 'utf8') === program ? 'there' : 'missing');
  const parts = {
    old: { platform: 'linux' as const, env: { PATH: process.env.PATH }, execPath: '', folder: dir, resourcesPath: '' },
    args: ['--hidden'],
    lock: {
      release: () =>
        done.push(`release: old ${isThere()}, ${existsSync(join(dir, 'started')) ? 'started' : 'not started'}`),
      take: () => done.push('take'),
    },
    exit: () => done.push('exit'),
    memoryFile,
    log,
  };
  /** A start of `version`; null: nothing more of it is begun. */
  const start = async (version: string) =>
    (await settleStart(noteStart(memoryFile, version, log).start, parts))?.kind ?? null;
  return { start, done, place, kept, memoryFile, memory: () => readMemory(memoryFile) };
}

describe('a start of a version on trial', () => {
  it('may begin anew after a failure only when it was counted, or it would for ever', () => {
    const app = afterUpdate();
    const { pending } = app.memory();
    if (pending !== null) writeMemory(app.memoryFile, { ...BLANK_MEMORY, pending: { ...pending, starts: 0 } });
    expect(noteStart(app.memoryFile, '0.2.0', log)).toMatchObject({ start: { kind: 'confirming' }, isCounted: true });
    // stands for a full disk
    mkdirSync(`${app.memoryFile}.new`);
    expect(noteStart(app.memoryFile, '0.2.0', log)).toMatchObject({ start: { kind: 'confirming' }, isCounted: false });
    expect(noteStart(join(dir, 'none.json'), '0.2.0', log)).toEqual({ start: { kind: 'usual' }, isCounted: false });
  });
});

describe('a start that goes back', () => {
  it('puts the old file back, lets the lock go only then, starts the old program and ends', async () => {
    const app = afterUpdate();
    expect(await app.start('0.2.0')).toBeNull();
    expect(app.done).toEqual(['release: old there, not started', 'exit']);
    await expect.poll(() => existsSync(join(dir, 'started')), { timeout: 20_000 }).toBe(true);
    await expect.poll(() => readFileSync(join(dir, 'started'), 'utf8'), { timeout: 20_000 }).toBe('--hidden\n');
    expect(await app.start('0.1.0')).toBe('usual');
    expect(app.memory().last).toMatchObject({ outcome: 'rolled-back', version: '0.2.0', from: '0.1.0' });
  });

  it('goes on with the new program when the kept one is damaged, holds the lock, and tells the cluster', async () => {
    const app = afterUpdate();
    writeFileSync(app.kept, 'cut off');
    expect(await app.start('0.2.0')).toBe('usual');
    expect(app.done).toEqual(['take']);
    expect(readFileSync(app.place, 'utf8')).toBe('new');
    expect(app.memory()).toMatchObject({
      pending: null,
      failed: ['0.2.0'],
      last: { outcome: 'failed', why: expect.stringMatching(/is not the file that was kept. Install it by hand/) },
      report: { turn: 4, outcome: 'failed' },
    });
  });
});
