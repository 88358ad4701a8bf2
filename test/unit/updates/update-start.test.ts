import { describe, expect, it } from 'vitest';
import { nodeFacts } from '../../../main/updates/node-facts.ts';
import { MOST_STARTS, planStart } from '../../../main/updates/start-plan.ts';
import { BLANK_MEMORY, type UpdateMemory } from '../../../main/updates/update-memory.ts';
import { updateChoice } from '../../../main/updates/update-settings.ts';
import { agentIn, appState } from '../tray/app-states.ts';

const old = { file: '/d/old', sha512: 'x', place: '/p' };
const pending = (over: Partial<NonNullable<UpdateMemory['pending']>> = {}): UpdateMemory => ({
  ...BLANK_MEMORY,
  pending: { phase: 'installing', from: '0.1.0', to: '0.2.0', turn: 7, starts: 0, why: '', old, ...over },
});

describe('a start of the program', () => {
  it('without an update before it is as usual', () => {
    expect(planStart(BLANK_MEMORY, '0.1.0', 5)).toEqual({ memory: BLANK_MEMORY, start: { kind: 'usual' } });
  });

  it('of a new version is counted, and the one after the last allowed goes back', () => {
    let memory = pending();
    for (let start = 1; start <= MOST_STARTS; start += 1) {
      const next = planStart(memory, '0.2.0', 5);
      expect(next.start).toEqual({ kind: 'confirming', version: '0.2.0', turn: 7 });
      expect(next.memory.pending?.starts).toBe(start);
      memory = next.memory;
    }
    expect(planStart(memory, '0.2.0', 5).start).toMatchObject({ kind: 'rolling-back', version: '0.2.0', turn: 7 });
  });

  it('of the old version after an installation says that nothing was replaced, and frees the turn', () => {
    const { memory, start } = planStart(pending(), '0.1.0', 5);
    expect(start).toEqual({ kind: 'usual' });
    expect(memory).toMatchObject({
      pending: null,
      failed: ['0.2.0'],
      last: { outcome: 'not-installed', version: '0.2.0', from: '0.1.0', atMs: 5 },
      report: { turn: 7, outcome: 'given-up', version: '0.2.0' },
    });
  });

  it('of the old version after going back says so, and tells the cluster that the version failed', () => {
    const { memory } = planStart(pending({ phase: 'rolling-back', why: 'Its agent was not ready.' }), '0.1.0', 5);
    expect(memory).toMatchObject({
      pending: null,
      failed: ['0.2.0'],
      last: { outcome: 'rolled-back', why: 'Its agent was not ready.' },
      report: { turn: 7, outcome: 'failed', version: '0.2.0' },
    });
  });

  it('of the new version while going back does not go round for ever', () => {
    const { memory, start } = planStart(pending({ phase: 'rolling-back' }), '0.2.0', 5);
    expect(start).toEqual({ kind: 'usual' });
    expect(memory.last).toMatchObject({ outcome: 'failed' });
  });
});

describe('config.ini on updates', () => {
  const choice = (values: Record<string, string>, mayUseLoopback = false) =>
    updateChoice(new Map(Object.entries(values)), mayUseLoopback);

  it('without update-url means none', () => {
    expect(choice({})).toMatchObject({ feed: null, why: '' });
  });

  it('takes https only, and this machine itself in test builds', () => {
    expect(choice({ 'update-url': 'https://updates.test/isg' }).feed).toBe('https://updates.test/isg/');
    for (const url of ['http://updates.test/', 'file:///x', 'ftp://h/', 'https://user:word@h/', 'nothing']) {
      expect(choice({ 'update-url': url }, true), url).toMatchObject({
        feed: null,
        why: expect.stringMatching(/wrong/),
      });
    }
    for (const url of ['http://127.0.0.1:8080/', 'http://localhost/', 'http://[::1]:1/']) {
      expect(choice({ 'update-url': url }).feed, url).toBeNull();
      expect(choice({ 'update-url': url }, true).feed, url).not.toBeNull();
    }
    expect(choice({ 'update-url': 'http://127.0.0.1.evil.test/' }, true).feed).toBeNull();
  });

  it('with a wrong hour or interval turns updates off instead of taking a default', () => {
    const url = { 'update-url': 'https://updates.test/' };
    for (const window of ['25:00-03:00', '22-05', '10:00-10:00', '10:60-11:00'])
      expect(choice({ ...url, 'update-window': window }).feed, window).toBeNull();
    expect(choice({ ...url, 'update-check-hours': '0' }).feed).toBeNull();
    expect(choice({ ...url, 'update-check-hours': '2' }).checkMs).toBe(7_200_000);
  });

  it('allows the hours of the window, also past midnight, and all hours without one', () => {
    const url = { 'update-url': 'https://updates.test/' };
    const isIn = (window: string | null, hour: number, minute: number) =>
      choice(window === null ? url : { ...url, 'update-window': window }).isInWindow(
        new Date(2026, 0, 1, hour, minute),
      );
    expect([isIn('22:00-05:30', 22, 0), isIn('22:00-05:30', 5, 29), isIn('22:00-05:30', 0, 0)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([isIn('22:00-05:30', 21, 59), isIn('22:00-05:30', 5, 30)]).toEqual([false, false]);
    expect([isIn('01:00-02:00', 1, 0), isIn('01:00-02:00', 2, 0)]).toEqual([true, false]);
    expect(isIn(null, 12, 0)).toBe(true);
  });
});

describe('what is known of the node', () => {
  const rest = { nowMs: 1, isInWindow: true, canInstallAlone: true };

  it('is its jobs, lead and pause while it runs', () => {
    const state = appState({}, { isPaused: true });
    expect(nodeFacts(state, rest)).toMatchObject({ agent: 'up', jobs: 3, isPaused: true });
  });

  it('is nothing while no agent answers, however good its last snapshot was', () => {
    for (const agent of ['starting', 'unresponsive', 'backing-off', 'stopped'] as const)
      expect(nodeFacts(agentIn(agent, ''), rest)).toMatchObject({ agent: 'down' });
    expect(nodeFacts(appState({ snapshot: null }), rest)).toMatchObject({ agent: 'down' });
    expect(nodeFacts(appState({}, { phase: 'waiting-for-database' }), rest)).toMatchObject({ agent: 'waiting' });
    expect(nodeFacts(appState({}, { phase: 'set-up' }), rest)).toMatchObject({ agent: 'set-up' });
  });
});
