import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnosis } from '../../../agent/contract/index.ts';
import type { ErrandStart } from '../../../main/agent-host/agent-errand.ts';
import { nodeAdapter } from '../../../main/agent-host/node-adapter.ts';
import { type AppStateStore, createAppStateStore } from '../../../main/lifecycle/app-state-store.ts';
import { createFullCheck } from '../../../main/lifecycle/full-check.ts';
import { bundleName, createSupportBundle } from '../../../main/lifecycle/support-bundle.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { sceneState } from '../../support/fake-bridge-scenes.ts';

// What the desktop application has the agent's program do beside the node: the real program in a real process.

const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let dir = '';
let store: AppStateStore;
let seen: AppState[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-errand-'));
  mkdirSync(join(dir, 'temp'));
  const state = sceneState('offline', Date.now());
  if (state === null) throw new Error('this scene has a state');
  seen = [];
  store = createAppStateStore(state);
  store.subscribe((next) => seen.push(next));
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const errand = (over: Partial<ErrandStart> = {}): ErrandStart => ({
  spawn: nodeAdapter(process.execPath),
  entry: AGENT,
  configPath: join(dir, 'config.ini'),
  dataDir: join(dir, 'data'),
  environment: process.env,
  ...over,
});
/** A program in the agent's place. */
function program(source: string): string {
  const path = join(dir, 'program.mjs');
  writeFileSync(path, source);
  return path;
}
const HEALTHY: Diagnosis = { ok: true, findings: [], checked: ['iconik'] };
const running = (call: () => Promise<Diagnosis>) => ({
  state: () => ({ ...store.get().agent, state: 'running' as const }),
  call: call as never,
});
const down = { state: () => store.get().agent, call: () => Promise.reject(new Error('not to be asked')) };

describe('a full check', () => {
  it('is made by the agent’s program while no agent runs, also without config.ini', async () => {
    const check = createFullCheck({ store, host: down, errand: errand(), log: silent });
    const both = [check.run(), check.run()];
    expect(store.get().check.runningSinceMs).not.toBeNull();
    await Promise.all(both);
    const { runningSinceMs, last, failure } = store.get().check;
    expect({ runningSinceMs, failure }).toEqual({ runningSinceMs: null, failure: '' });
    expect(last?.diagnosis.findings.map(({ code }) => code)).toEqual(['config-invalid']);
  });

  it('is made by the running agent, without a second process', async () => {
    const spawn = () => {
      throw new Error('no process is needed');
    };
    const host = running(() => Promise.resolve(HEALTHY));
    await createFullCheck({ store, host, errand: errand({ spawn }), log: silent }).run();
    expect(store.get().check.last?.diagnosis).toEqual(HEALTHY);
  });

  it('goes to the program when the running agent does not answer', async () => {
    const entry = program(`process.stdout.write('a warning\\n' + JSON.stringify(${JSON.stringify(HEALTHY)}) + '\\n')`);
    const host = running(() => Promise.reject(new Error('no answer')));
    await createFullCheck({ store, host, errand: errand({ entry }), log: silent }).run();
    expect(store.get().check.last?.diagnosis).toEqual(HEALTHY);
  });

  it('that fails says so, keeps what an earlier one found, and can be tried again', async () => {
    const good = program(`process.stdout.write(JSON.stringify(${JSON.stringify(HEALTHY)}) + '\\n')`);
    await createFullCheck({ store, host: down, errand: errand({ entry: good }), log: silent }).run();
    const entry = program('process.exit(9)');
    await createFullCheck({ store, host: down, errand: errand({ entry }), log: silent }).run();
    expect(store.get().check.failure).toMatch(/ended without an answer \(exit code 9\)/);
    expect(store.get().check.last?.diagnosis).toEqual(HEALTHY);
  });
});

describe('a support bundle', () => {
  const bundles = (over: Partial<ErrandStart> = {}) =>
    createSupportBundle({
      store,
      errand: errand(over),
      temporaryFolder: join(dir, 'temp'),
      versions: { electron: '45.4.1' },
    });
  const left = () => readdirSync(dir).filter((name) => name.startsWith('out.zip'));

  it('is made while no agent runs, tells how far it is, and holds what only this process knows', async () => {
    expect(await bundles().make(join(dir, 'out.zip'))).toBe(true);
    const state = execFileSync('unzip', ['-p', join(dir, 'out.zip'), 'app-state.json'], { encoding: 'utf8' });
    expect(JSON.parse(state)).toMatchObject({ agent: { state: 'backing-off' }, versions: { electron: '45.4.1' } });
    expect(seen.some(({ bundle }) => bundle !== null)).toBe(true);
    expect(store.get().bundle).toBeNull();
    expect(readdirSync(join(dir, 'temp'))).toEqual([]);
  });

  it('that is cancelled leaves nothing, and another one can be made', async () => {
    const part = JSON.stringify(join(dir, 'out.zip.part'));
    const entry = program(`
      import { writeFileSync } from 'node:fs';
      process.on('message', ({ type }) => type === 'stop' && process.exit(0));
      writeFileSync(${part}, 'PK');
      process.stdout.write('{"doing":"Packing","share":0.5}\\n');
      setInterval(() => {}, 1000);`);
    const bundle = bundles({ entry });
    store.subscribe(({ bundle: now }) => now?.doing === 'Packing' && bundle.cancel());
    const made = bundle.make(join(dir, 'out.zip'));
    await expect(bundle.make(join(dir, 'other.zip'))).rejects.toThrow(/Another one is being made/);
    expect(await made).toBe(false);
    expect(left()).toEqual([]);
    expect(store.get().bundle).toBeNull();
  });

  it('that cannot be written says why', async () => {
    const words = 'The support bundle /x was not written: there is no such folder.';
    const entry = program(`console.error('(node) a warning\\n${words}'); process.exitCode = 70;`);
    await expect(bundles({ entry }).make(join(dir, 'out.zip'))).rejects.toThrow(words);
  });

  it('has the name of host and day, fit for every file system', () => {
    const day = new Date('2026-07-01T10:00:00Z');
    expect(bundleName('post-01', day)).toBe('isg-pro-support-post-01-2026-07-01.zip');
    expect(bundleName('Müllers MacBook.local', day)).toBe('isg-pro-support-M-llers-MacBook-local-2026-07-01.zip');
    expect(bundleName('../..', day)).toBe('isg-pro-support-node-2026-07-01.zip');
  });
});
