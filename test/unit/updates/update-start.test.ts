import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../agent/contract/index.ts';
import { lostArgument } from '../../../main/updates/lost-arguments.ts';
import { nodeFacts } from '../../../main/updates/node-facts.ts';
import { MOST_BACKS, MOST_STARTS, planStart } from '../../../main/updates/start-plan.ts';
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
      expect(next.start).toEqual({ kind: 'confirming', version: '0.2.0', turn: 7, canGoBack: true });
      expect(next.memory.pending?.starts).toBe(start);
      memory = next.memory;
    }
    const last = planStart(memory, '0.2.0', 5);
    expect(last.start).toMatchObject({ kind: 'rolling-back', version: '0.2.0', turn: 7 });
    // on disk before it begins: whatever is killed then, the old version knows that it is back
    expect(planStart(last.memory, '0.1.0', 5).memory.last).toMatchObject({ outcome: 'rolled-back', version: '0.2.0' });
  });

  it('of a new version that cannot be taken back goes on with it, and says so', () => {
    expect(planStart(pending({ old: null }), '0.2.0', 5).start).toMatchObject({ kind: 'confirming', canGoBack: false });
    const { memory, start } = planStart(pending({ old: null, starts: MOST_STARTS }), '0.2.0', 5);
    expect(start).toEqual({ kind: 'usual' });
    expect(memory).toMatchObject({
      pending: null,
      failed: ['0.2.0'],
      last: { outcome: 'failed', why: expect.stringMatching(/could not be kept on this computer. Install it by hand/) },
      report: { turn: 7, outcome: 'failed', version: '0.2.0' },
    });
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

  it('of the new version after going back was interrupted goes back again, but not for ever', () => {
    let memory = pending({ phase: 'rolling-back', why: 'Its agent was not ready.' });
    for (let back = 1; back <= MOST_BACKS; back += 1) {
      const next = planStart(memory, '0.2.0', 5);
      expect(next.start).toMatchObject({ kind: 'rolling-back', version: '0.2.0', why: 'Its agent was not ready.' });
      memory = next.memory;
    }
    const { start, memory: ended } = planStart(memory, '0.2.0', 5);
    expect(start).toEqual({ kind: 'usual' });
    expect(ended).toMatchObject({ pending: null, last: { outcome: 'failed' }, report: { outcome: 'failed' } });
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

type AgentName = Parameters<typeof agentIn>[0];

describe('what is known of the node', () => {
  const rest = { nowMs: 1, isInWindow: true, canInstallAlone: true };

  it('is its jobs, lead and pause while it runs', () => {
    const state = appState({}, { isPaused: true });
    expect(nodeFacts(state, rest)).toMatchObject({ agent: 'up', jobs: 3, isPaused: true });
  });

  it('is nothing while no agent runs, however good its last snapshot was', () => {
    for (const agent of ['backing-off', 'gave-up-for-now', 'stopped'] as const)
      expect(nodeFacts(agentIn(agent, ''), rest)).toMatchObject({ agent: 'down', jobs: 0 });
    expect(nodeFacts(appState({}, { phase: 'waiting-for-database' }), rest)).toMatchObject({ agent: 'waiting' });
    expect(nodeFacts(appState({}, { phase: 'set-up' }), rest)).toMatchObject({ agent: 'set-up' });
  });

  it('is unclear while there is an agent that is not heard: it may lead and run jobs', () => {
    for (const agent of ['starting', 'unresponsive', 'stopping'] as const)
      expect(nodeFacts(agentIn(agent, ''), rest)).toMatchObject({ agent: 'unclear' });
    expect(nodeFacts(appState({ snapshot: null }), rest)).toMatchObject({ agent: 'unclear' });
    expect(nodeFacts(appState({}, { phase: 'stopping' }), rest)).toMatchObject({ agent: 'unclear' });
  });

  it('is that the database refused its tables when its agent ended for that, until an agent runs again', () => {
    const isRefused = (state: AgentName, lastExitCode: number | null) =>
      nodeFacts(agentIn(state, '', { lastExitCode }), rest).isRefused;
    expect(isRefused('backing-off', EXIT.schemaFailed)).toBe(true);
    expect(isRefused('running', EXIT.schemaFailed)).toBe(false);
    expect([isRefused('backing-off', EXIT.crash), isRefused('stopped', null)]).toEqual([false, false]);
  });

  it('is that it is outdated when its agent ended because the database asks for a newer version', () => {
    const ended = (lastExitCode: number | null) => nodeFacts(agentIn('stopped', '', { lastExitCode }), rest).agent;
    expect([ended(EXIT.schemaTooNew), ended(EXIT.configInvalid), ended(null)]).toEqual(['outdated', 'down', 'down']);
    // one that is being tried again may run by now
    expect(nodeFacts(agentIn('starting', '', { lastExitCode: EXIT.schemaTooNew }), rest).agent).toBe('unclear');
  });
});

describe('arguments of a run', () => {
  it('that the next version needs are missed only where the system’s installer starts it', () => {
    for (const platform of ['win32', 'darwin'] as const) {
      expect(lostArgument(platform, ['app', '--data-dir', 'D:\\node'])).toBe('--data-dir');
      expect(lostArgument(platform, ['app', '--config=/c.ini'])).toBe('--config');
      expect(lostArgument(platform, ['app', '--hidden', '--updated', '--data-directory=/x'])).toBeNull();
    }
    expect(lostArgument('linux', ['app', '--data-dir', '/d'])).toBeNull();
  });
});
