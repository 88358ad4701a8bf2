import type { NodeSnapshot } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import { calmSnapshot, HOUR, MINUTE, SECOND } from './scenes/calm-studio.ts';
import { checkClean, checkFailed, checkFound, checkFull, checkRunning, neverChecked } from './scenes/check-scenes.ts';
import { emptySnapshot, followerSnapshot, largeSnapshot } from './scenes/healthy-scenes.ts';
import { choosingSnapshot, disabledSnapshot, problemsSnapshot, waitingSnapshot } from './scenes/troubled-scenes.ts';
import {
  primaryLeftSnapshot,
  stoppedUpgradeSnapshot,
  upgradedSnapshot,
  upgradeStuckSnapshot,
  upgradeUnsureSnapshot,
  upgradingSnapshot,
} from './scenes/upgrade-scenes.ts';

/** What the fake bridge can play: five situations every screen is designed for, and the ways an agent can be away. */
export const SCENES = [
  'calm',
  'problems',
  'empty',
  'offline',
  'large',
  'follower',
  'disabled',
  'choosing',
  'upgrading',
  'primary-left',
  'upgrade-stuck',
  'upgrade-unsure',
  'upgraded',
  'upgrade-stopped',
  'starting',
  'unresponsive',
  'waiting',
  'invalid-config',
  'set-up',
  'loading',
] as const;
/** A situation. */
export type Scene = (typeof SCENES)[number];

/** Main's part of the state around a snapshot, with a running agent. */
function around(snapshot: NodeSnapshot | null, nowMs: number): AppState {
  return {
    appVersion: '0.1.0',
    platform: 'linux',
    agent: {
      state: 'running',
      reason: '',
      sinceMs: nowMs - 26 * HOUR,
      nextStartMs: null,
      lastExitCode: null,
      lastWords: [],
    },
    snapshot,
    config: { path: '/home/post/.config/isg-pro/config.ini', status: 'ok', problems: [] },
    logFolder: '/home/post/.local/share/isg-pro/logs',
    check: neverChecked,
    bundle: null,
    updateReady: null,
    update: { state: 'off', version: null, percent: 0, why: '', isAsked: false, last: null },
  };
}

function withAgent(state: AppState, agent: Partial<AppState['agent']>): AppState {
  return { ...state, agent: { ...state.agent, ...agent } };
}

const BUILD: Record<Scene, (nowMs: number) => AppState | null> = {
  calm: (nowMs) => around(calmSnapshot(nowMs), nowMs),
  problems: (nowMs) => ({ ...around(problemsSnapshot(nowMs), nowMs), check: checkFound(nowMs) }),
  empty: (nowMs) => around(emptySnapshot(nowMs), nowMs),
  large: (nowMs) => ({ ...around(largeSnapshot(nowMs), nowMs), check: checkFull(nowMs) }),
  follower: (nowMs) => ({
    ...around(followerSnapshot(nowMs), nowMs),
    check: checkClean(nowMs),
    updateReady: '0.2.0',
    update: {
      state: 'waiting',
      version: '0.2.0',
      percent: 0,
      why: 'It will be installed when no job runs on this node, or when the running ones have ended.',
      isAsked: false,
      last: null,
    },
  }),
  disabled: (nowMs) => ({
    ...around(disabledSnapshot(nowMs), nowMs),
    bundle: { doing: 'Packing logs/agent.2.log', share: 0.72 },
  }),
  choosing: (nowMs) => around(choosingSnapshot(nowMs), nowMs),
  waiting: (nowMs) => ({ ...around(waitingSnapshot(nowMs), nowMs), check: checkRunning(nowMs) }),
  upgrading: (nowMs) => around(upgradingSnapshot(nowMs), nowMs),
  'primary-left': (nowMs) => around(primaryLeftSnapshot(nowMs), nowMs),
  'upgrade-stuck': (nowMs) => around(upgradeStuckSnapshot(nowMs), nowMs),
  'upgrade-unsure': (nowMs) => around(upgradeUnsureSnapshot(nowMs), nowMs),
  upgraded: (nowMs) => around(upgradedSnapshot(nowMs), nowMs),
  'upgrade-stopped': (nowMs) => around(stoppedUpgradeSnapshot(nowMs), nowMs),
  offline: (nowMs) =>
    withAgent(around(calmSnapshot(nowMs - 4 * MINUTE), nowMs), {
      state: 'backing-off',
      reason: 'The agent ended by itself with an internal error (exit code 70), the fifth time in 4 min.',
      sinceMs: nowMs - 9 * SECOND,
      nextStartMs: nowMs + 21 * SECOND,
      lastExitCode: 70,
      lastWords: [
        "TypeError: Cannot read properties of undefined (reading 'path_key')",
        '    at placeFile (agent/roles/main/scan/scan-pass.js:118:22)',
        '    at async scanStorage (agent/roles/main/scan/scanner.js:64:5)',
      ],
    }),
  starting: (nowMs) =>
    withAgent(around(null, nowMs), {
      state: 'starting',
      reason: 'First start after the application was opened.',
      sinceMs: nowMs - 600,
    }),
  unresponsive: (nowMs) => ({
    ...withAgent(around(calmSnapshot(nowMs - 7 * SECOND), nowMs), {
      state: 'unresponsive',
      reason: 'No beat of its main loop for 7 s. It is replaced after 15 s of silence.',
      sinceMs: nowMs - 4 * SECOND,
    }),
    check: checkFailed,
  }),
  'invalid-config': (nowMs) => ({
    ...withAgent(around(null, nowMs), { state: 'stopped', reason: 'config.ini is wrong.', lastExitCode: 2 }),
    config: {
      path: '/home/post/.config/isg-pro/config.ini',
      status: 'invalid',
      problems: ['line 4: iconik-url: not a web address', 'line 9: uploads: must be between 1 and 64'],
    },
  }),
  'set-up': (nowMs) => ({
    ...withAgent(around(null, nowMs), { state: 'stopped', reason: 'Not set up yet.' }),
    config: { path: '/home/post/.config/isg-pro/config.ini', status: 'absent', problems: [] },
  }),
  loading: () => null,
};

/** The state of a scene; null = none has come yet (loading). */
export function sceneState(scene: Scene, nowMs: number): AppState | null {
  return BUILD[scene](nowMs);
}
