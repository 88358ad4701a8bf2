import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Updates of an application whose agent and installer do as the test says; agent calls and the rest are noted in order. */
function begin(over: { install?: () => void; report?: () => void; hold?: () => void } = {}) {
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
    'update.hold-turn': () => {
      over.hold?.();
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
      install: () => {
        done.push('install');
        over.install?.();
      },
    },
    host: {
      call: call as unknown as UpdateParts['host']['call'],
      start: () => done.push('start'),
      stop: async () => void done.push('stop'),
    },
    store,
    readChoice: async () => ({ feed: 'https://f.test/', why: '', checkMs: 3_600_000, isInWindow: () => true }),
    memoryFile: join(dir, 'update.json'),
    begin: { kind: 'usual' },
    version: '0.1.0',
    old: { platform: 'linux', env: { APPIMAGE: place }, folder: join(dir, 'kept'), resourcesPath: '' },
    args: [],
    lock: { release: () => done.push('release'), take: () => done.push('take') },
    exit: () => done.push('exit'),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  };
  updates = createUpdates(parts);
  return { done, states, store, updates, parts, memory: () => readMemory(parts.memoryFile) };
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
      hold: () => {
        throw new Error('no answer');
      },
    });
    await untilReady(app);
    await expect.poll(() => app.store.get().update.why, { timeout: 20_000 }).toMatch(/could not be installed just now/);
    expect(app.done).toContain('update.end-turn 4 given-up 0.2.0');
    expect(app.done).not.toContain('install');
  });

  it('pauses, confirms the turn, keeps the old program and remembers before it stops the agent and installs', async () => {
    const app = begin();
    await untilReady(app);
    await expect.poll(() => app.done.at(-1), { timeout: 20_000 }).toBe('install');
    expect(app.done).toEqual([
      'update.claim-turn 0.2.0 false',
      'node.pause',
      'update.hold-turn 4 true',
      'stop',
      'install',
    ]);
    const { pending } = app.memory();
    expect(pending).toMatchObject({ from: '0.1.0', to: '0.2.0', turn: 4, starts: 0 });
    expect(readFileSync(pending?.old?.file ?? '', 'utf8')).toBe('old');
  });

  it('starts the agent again after an installer that failed, forgets the try, and tells the cluster until it has heard it', async () => {
    let refusals = 1;
    const app = begin({
      install: () => {
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
    expect(app.done.slice(-3)).toEqual(['install', 'start', 'update.end-turn 4 given-up 0.2.0']);
    expect(app.memory().pending).toBeNull();
    // the next claim tells it first
    app.updates.check();
    await expect
      .poll(() => app.done.slice(7, 9), { timeout: 20_000 })
      .toEqual(['update.end-turn 4 given-up 0.2.0', 'update.claim-turn 0.2.0 false']);
  });
});
