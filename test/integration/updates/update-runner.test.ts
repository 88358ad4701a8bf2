import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AgentCallName } from '../../../agent/contract/index.ts';
import { createAppStateStore } from '../../../main/lifecycle/app-state-store.ts';
import { keepOldProgram } from '../../../main/updates/old-program.ts';
import { BLANK_MEMORY, readMemory, writeMemory } from '../../../main/updates/update-memory.ts';
import { UPDATE_LIMITS } from '../../../main/updates/update-model.ts';
import { createUpdates, type UpdateParts, type Updates } from '../../../main/updates/updates.ts';
import { agentIn, appState } from '../../unit/tray/app-states.ts';

let dir = '';
let updates: Updates | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-update-runner-'));
});
afterEach(() => {
  vi.useRealTimers();
  updates?.stop();
  rmSync(dir, { recursive: true, force: true });
});

interface Scripted {
  install?: (signal: AbortSignal) => Promise<void>;
  isReplacing?: boolean;
  report?: () => void;
  hold?: () => Promise<void>;
  stopAgent?: () => Promise<void>;
  installLimitMs?: number;
}

/** Updates of an application whose agent and installer do as the test says; agent calls and the rest are noted in order. */
function begin(over: Scripted = {}) {
  const done: string[] = [];
  const place = join(dir, 'isg-pro.AppImage');
  writeFileSync(place, 'old');
  const leadership = { standing: 'follower', term: 42, leaderName: 'node-b', sinceMs: 0, why: '' } as const;
  const store = createAppStateStore(appState({}, { running: [], isPaused: false, leadership }));
  const states: string[] = [];
  store.subscribe(({ update }) => states.push(update.state));
  const setPaused = (isPaused: boolean) =>
    store.update({ snapshot: appState({}, { running: [], isPaused, leadership }).snapshot });
  const answers: Partial<Record<AgentCallName, () => unknown>> = {
    'update.claim-turn': () => ({ kind: 'yours', turn: 4 }),
    'update.hold-turn': async () => {
      await over.hold?.();
      return { isHeld: true };
    },
    'update.end-turn': () => over.report?.(),
    'node.pause': () => setPaused(true),
    'node.resume': () => setPaused(false),
  };
  const call = async (name: AgentCallName, params: object) => {
    done.push([name, ...Object.values(params)].join(' '));
    return answers[name]?.() ?? {};
  };
  const parts: UpdateParts = {
    installer: {
      check: async () => '0.2.0',
      download: async (onPercent) => onPercent(50),
      canInstallAlone: () => true,
      install: async (args, signal) => {
        done.push(['install', ...args].join(' '));
        await over.install?.(signal);
      },
      isReplacing: () => over.isReplacing === true,
    },
    host: {
      call: call as unknown as UpdateParts['host']['call'],
      start: () => done.push('start'),
      stop: async () => {
        done.push('stop');
        await over.stopAgent?.();
      },
    },
    store,
    readChoice: async () => ({ feed: 'https://f.test/', why: '', checkMs: 3_600_000, isInWindow: () => true }),
    memoryFile: join(dir, 'update.json'),
    begin: { kind: 'usual' },
    version: '0.1.0',
    old: {
      platform: 'linux',
      env: { APPIMAGE: place, APPDIR: dirname(process.execPath) },
      execPath: process.execPath,
      folder: join(dir, 'kept'),
      resourcesPath: '',
    },
    args: ['--data-dir', '/d', '--hidden'],
    lock: { release: () => done.push('release'), take: () => done.push('take') },
    exit: () => done.push('exit'),
    ...(over.installLimitMs === undefined ? {} : { installLimitMs: over.installLimitMs }),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  };
  updates = createUpdates(parts);
  return { done, states, store, updates, parts, place, memory: () => readMemory(parts.memoryFile) };
}

/** An application whose version is on trial, and whose agent is stopped. */
async function onTrial(isKept: boolean) {
  const app = begin();
  app.updates.stop();
  const { parts } = app;
  const old = isKept ? await keepOldProgram(parts.old, '0.0.9') : null;
  const pending = { phase: 'installing' as const, from: '0.0.9', to: '0.1.0', turn: 4, starts: 1, why: '', old };
  writeMemory(parts.memoryFile, { ...BLANK_MEMORY, pending });
  app.store.update({ agent: agentIn('stopped', '').agent });
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  updates = createUpdates({ ...parts, begin: { kind: 'confirming', version: '0.1.0', turn: 4, canGoBack: isKept } });
  await vi.advanceTimersByTimeAsync(UPDATE_LIMITS.confirmMs + 60_000);
  vi.useRealTimers();
  return app;
}

/** Up to a version that waits. */
async function untilReady({ updates: running, store }: ReturnType<typeof begin>): Promise<void> {
  await running.follow();
  running.check();
  await expect.poll(() => store.get().updateReady, { timeout: 20_000 }).toBe('0.2.0');
}

/** Up to a version that a person asked to install: so it needs no look of the clock. */
async function untilAsked(app: ReturnType<typeof begin>): Promise<void> {
  await untilReady(app);
  await expect.poll(() => app.store.get().update.state, { timeout: 20_000 }).toBe('waiting');
  app.updates.install();
}

/** Up to something that was done. */
async function untilDone(app: ReturnType<typeof begin>, what: string): Promise<void> {
  await expect.poll(() => app.done, { timeout: 20_000 }).toContain(what);
}

const INSTALL = 'install --data-dir /d --hidden';

describe('the runner of updates', () => {
  it('stops the agent, lets the lock go and ends when a new version does not get its agent up, and starts nothing of it', async () => {
    const app = await onTrial(true);
    await expect.poll(() => app.done, { timeout: 20_000 }).toEqual(['stop', 'release', 'exit']);
    expect(app.memory().pending).toMatchObject({ phase: 'rolling-back', to: '0.1.0' });
  });

  it('goes on with a new version that does not get its agent up where the old one was not kept, and never says that it goes back', async () => {
    const app = await onTrial(false);
    await expect.poll(() => app.store.get().update.last?.outcome, { timeout: 20_000 }).toBe('failed');
    expect(app.done).toEqual(['start']);
    expect(app.states).toContain('confirming');
    expect(app.states).not.toContain('rolling-back');
    expect(app.memory()).toMatchObject({ pending: null, report: { turn: 4, outcome: 'failed', version: '0.1.0' } });
  });

  it('tells that a turn could not be confirmed, gives it back and installs nothing', async () => {
    const app = begin({
      hold: () => Promise.reject(new Error('no answer')),
    });
    await untilAsked(app);
    await expect.poll(() => app.store.get().update.why, { timeout: 20_000 }).toMatch(/could not be installed just now/);
    expect(app.done).toContain('update.end-turn 4 given-up 0.2.0');
    expect(app.done).not.toContain(INSTALL);
  });

  it('pauses, confirms the turn, keeps the old program and remembers before it stops the agent and installs', async () => {
    const app = begin();
    await untilReady(app);
    await untilDone(app, 'exit');
    expect(app.done).toEqual([
      'update.claim-turn 0.2.0 false',
      'node.pause',
      'update.hold-turn 4 true',
      'stop',
      INSTALL,
      'exit',
    ]);
    const { pending } = app.memory();
    expect(pending).toMatchObject({ from: '0.1.0', to: '0.2.0', turn: 4, starts: 0 });
    expect(readFileSync(pending?.old?.file ?? '', 'utf8')).toBe('old');
  });

  it('has kept the old program before the cluster is told that it is being replaced', async () => {
    const kept = () => join(dir, 'kept', 'isg-pro-0.1.0.AppImage');
    let wasKept = false;
    const app = begin({
      hold: async () => {
        wasKept = existsSync(kept());
      },
    });
    await untilAsked(app);
    await untilDone(app, 'exit');
    expect(wasKept).toBe(true);
  });

  it('brings the program back after an installer that cut it off, and does not try by itself again', async () => {
    let refusals = 1;
    const app = begin({
      install: async () => {
        writeFileSync(app.place, 'cut o');
        throw new Error('no space left');
      },
      report: () => {
        refusals -= 1;
        if (refusals >= 0) throw new Error('the agent is still starting');
      },
    });
    await untilReady(app);
    await expect.poll(() => app.store.get().update.state, { timeout: 20_000 }).toBe('idle');
    expect(app.store.get().update.why).toMatch(/0\.2\.0 could not be installed: no space left/);
    await expect.poll(() => app.memory().report, { timeout: 20_000 }).toMatchObject({ turn: 4, outcome: 'given-up' });
    expect(app.done.slice(-3)).toEqual([INSTALL, 'start', 'update.end-turn 4 given-up 0.2.0']);
    expect(readFileSync(app.place, 'utf8')).toBe('old');
    expect(readFileSync(join(dir, 'kept', 'isg-pro-0.1.0.AppImage'), 'utf8')).toBe('old');
    expect(app.memory()).toMatchObject({ pending: null, failed: ['0.2.0'] });
    app.updates.check();
    await expect.poll(() => app.store.get().update.why, { timeout: 20_000 }).toMatch(/not installed by itself/);
    expect(app.done.filter((one) => one.startsWith('update.claim-turn'))).toHaveLength(1);
    // a person may, and the cluster hears first how it went
    app.updates.install();
    await untilDone(app, 'update.claim-turn 0.2.0 true');
    expect(app.done.filter((one) => /end-turn|claim/.test(one))).toEqual([
      'update.claim-turn 0.2.0 false',
      'update.end-turn 4 given-up 0.2.0',
      'update.end-turn 4 given-up 0.2.0',
      'update.claim-turn 0.2.0 true',
    ]);
  });

  it('starts the agent again when nothing comes of the installer, and says so to it', async () => {
    let reason = '';
    const app = begin({
      install: (signal) => new Promise(() => signal.addEventListener('abort', () => (reason = String(signal.reason)))),
      installLimitMs: 60,
    });
    await untilAsked(app);
    await untilDone(app, 'start');
    expect(app.store.get().update).toMatchObject({ state: 'idle' });
    expect(app.store.get().update.why).toMatch(/nothing came of it/);
    expect(reason).toMatch(/nothing came of it/);
    expect(app.memory()).toMatchObject({ pending: null, failed: ['0.2.0'] });
    expect(app.done).not.toContain('exit');
  });

  it('starts the agent again also when the memory cannot be written', async () => {
    const app = begin({ stopAgent: async () => rmSync(join(dir, 'update.json')) });
    await untilAsked(app);
    // a folder in its place: no rename replaces it
    mkdirSync(join(dir, 'update.json', 'full'), { recursive: true });
    await untilDone(app, 'start');
    expect(app.done).not.toContain(INSTALL);
    expect(app.store.get().update.state).toBe('idle');
  });

  it('installs nothing after a quit, be it while it keeps, stops the agent or waits for the turn, and frees the turn', async () => {
    for (const at of ['hold', 'stopAgent'] as const) {
      let goOn = () => {};
      const gate = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const app = begin({ [at]: () => gate });
      await untilAsked(app);
      await untilDone(app, at === 'hold' ? 'update.hold-turn 4 true' : 'stop');
      app.updates.stop();
      expect(app.memory().pending, at).toBeNull();
      expect(app.memory().report ?? { outcome: 'given-up' }, at).toMatchObject({ outcome: 'given-up' });
      await untilDone(app, 'update.end-turn 4 given-up 0.2.0');
      goOn();
      await expect.poll(() => app.memory().report, { timeout: 20_000 }).toBeNull();
      expect(app.memory().failed, at).toEqual([]);
      expect(app.done, at).not.toContain(INSTALL);
      expect(app.done, at).not.toContain('start');
    }
  });

  it('leaves it to the next start to judge when the quit is the installer’s own', async () => {
    const app = begin({ install: () => new Promise(() => {}), isReplacing: true });
    await untilAsked(app);
    await untilDone(app, INSTALL);
    app.updates.stop();
    expect(app.memory()).toMatchObject({ pending: { to: '0.2.0', turn: 4 }, report: null, failed: [] });
  });
});
