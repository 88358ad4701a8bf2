import { describe, expect, it } from 'vitest';
import { type NotificationMemory, nextNotifications } from '../../../main/tray/notifications-model.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { agentIn, appState, CASES, failing, NOW_MS, snapshot } from './app-states.ts';

/** Shows states one after the other, each for so many seconds, looked at every second; answers what was shown when. */
function shownDuring(...scenes: [state: AppState, seconds: number][]): string[] {
  let memory: NotificationMemory = {};
  let nowMs = NOW_MS;
  const shown: string[] = [];
  for (const [state, seconds] of scenes)
    for (let second = 0; second < seconds; second += 1) {
      const step = nextNotifications(memory, state, nowMs);
      memory = step.memory;
      shown.push(...step.show.map(({ key }) => `${(nowMs - NOW_MS) / 1_000} ${key}`));
      nowMs += 1_000;
    }
  return shown;
}

const calm = appState();
const nobody = appState({}, { leadership: { standing: 'nobody', term: 1, leaderName: null, sinceMs: null, why: '' } });
const storageLost = appState({}, { checks: [failing('storage:s1', 'The mount point is gone.')] });
const uncovered = appState({}, { cluster: { ...snapshot().cluster, uncoveredRoles: ['TRANSFER', 'TRANSCODE'] } });
const duplicate = CASES.duplicate ?? calm;
const gaveUp = agentIn('gave-up-for-now', 'The agent ended again and again.');

describe('notifications', () => {
  it('there are none while all is well, at a start, and at a short glitch', () => {
    const short: [AppState, number][] = [nobody, uncovered].map((state) => [state, 25]);
    expect(shownDuring([calm, 100], ...short, [storageLost, 8], [calm, 60])).toEqual([]);
  });

  it('leadership that nobody takes up is told after 30 s, once', () => {
    expect(shownDuring([calm, 5], [nobody, 600])).toEqual(['35 leadership-lost']);
  });

  it('a lost storage is told by its name with cause and remedy, once', () => {
    expect(shownDuring([storageLost, 600])).toEqual(['10 storage-lost:storage:s1']);
    const { memory } = nextNotifications({}, storageLost, NOW_MS);
    expect(nextNotifications(memory, storageLost, NOW_MS + 10_000).show[0]).toEqual({
      key: 'storage-lost:storage:s1',
      title: 'Storage NAS Post is not usable on this node',
      body: 'The mount point is gone. Mount it again.',
      screen: 'diagnostics',
    });
  });

  it('each uncovered role and a duplicate is told once', () => {
    expect(shownDuring([uncovered, 300])).toEqual(['30 role-uncovered:TRANSFER', '30 role-uncovered:TRANSCODE']);
    expect(shownDuring([duplicate, 300])).toEqual(['5 duplicate']);
  });

  it('an agent that keeps ending is told once, however often it is tried', () => {
    const tries: [AppState, number][] = Array.from({ length: 20 }, () => [
      [gaveUp, 60] as [AppState, number],
      [agentIn('starting', 'Again.'), 1] as [AppState, number],
      [calm, 30] as [AppState, number],
    ]).flat();
    expect(shownDuring(...tries)).toEqual(['0 agent-gave-up']);
  });

  it('an agent that its exit code stopped is told; one that a person stopped is not', () => {
    expect(shownDuring([CASES['config invalid'] ?? calm, 60])).toEqual(['0 agent-stopped']);
    expect(shownDuring([agentIn('stopped', 'The agent was stopped on request.'), 60])).toEqual([]);
  });

  it('a trouble that flickers is told once; one that comes back after it was resolved is told again', () => {
    const flicker: [AppState, number][] = Array.from({ length: 20 }, () => [
      [storageLost, 30] as [AppState, number],
      [calm, 30] as [AppState, number],
    ]).flat();
    expect(shownDuring(...flicker)).toHaveLength(1);
    expect(shownDuring([storageLost, 30], [calm, 200], [storageLost, 30])).toHaveLength(2);
  });

  it('what cannot be known while the agent is down neither ends nor begins', () => {
    expect(shownDuring([storageLost, 30], [agentIn('backing-off', 'It ended.'), 600], [storageLost, 60])).toHaveLength(
      1,
    );
  });

  it('what somebody wanted is not told: a paused node, a disabled cluster', () => {
    const paused = { ...nobody, snapshot: { ...snapshot(), ...nobody.snapshot, isPaused: true } };
    const disabled = appState({}, { ...nobody.snapshot, cluster: { ...snapshot().cluster, enabled: false } });
    expect(shownDuring([paused, 100], [disabled, 100])).toEqual([]);
  });

  it('an update is told once per version', () => {
    const one = appState({ updateReady: '0.2.0' });
    const two = appState({ updateReady: '0.3.0' });
    expect(shownDuring([one, 100], [two, 100])).toEqual(['0 update-0.2.0', '100 update-0.3.0']);
  });

  it('a version that did not work is told once, while it goes back or when the old one is back', () => {
    const { update } = appState();
    const last = { outcome: 'rolled-back', version: '0.2.0', from: '0.1.0', why: 'x', atMs: 0 } as const;
    const going = appState({ update: { ...update, state: 'rolling-back', version: '0.2.0' } });
    const back = appState({ update: { ...update, last } });
    expect(shownDuring([going, 100], [back, 100])).toEqual(['0 update-back-0.2.0']);
    expect(shownDuring([back, 100])).toEqual(['0 update-back-0.2.0']);
    expect(shownDuring([appState({ update: { ...update, last: { ...last, outcome: 'updated' } } }), 100])).toEqual([]);
  });

  it('a version that does not work and was not taken back is told, also after it was said that it would be', () => {
    const { update } = appState();
    const last = { outcome: 'failed', version: '0.1.0', from: '0.0.9', why: 'Install it by hand.', atMs: 0 } as const;
    const going = appState({ update: { ...update, state: 'rolling-back', version: '0.1.0' } });
    const stays = appState({ update: { ...update, last } });
    expect(shownDuring([going, 100], [stays, 100])).toEqual(['0 update-back-0.1.0', '100 update-stays-0.1.0']);
    const { show } = nextNotifications({}, stays, NOW_MS);
    expect(show).toMatchObject([{ title: 'ISG Pro 0.1.0 does not work', body: 'Install it by hand.' }]);
    expect(shownDuring([appState({ appVersion: '0.0.9', update: { ...update, last } }), 100])).toEqual([]);
  });
});
