import { describe, expect, it } from 'vitest';
import type { UpdateView } from '../../../preload/contract/app-state.ts';
import { updateWords } from '../../../renderer/features/overview/update-notice.ts';
import { appState } from '../tray/app-states.ts';

const words = (update: Partial<UpdateView>, nowMs = 0) =>
  updateWords(appState({ update: { ...appState().update, ...update } }), nowMs);

describe('what the overview says of updates', () => {
  it('is nothing while there is nothing to say', () => {
    for (const state of ['off', 'idle', 'checking', 'downloading'] as const)
      expect(words({ state, version: '0.2.0' })).toBeNull();
  });

  it('offers to install now or later what is ready, with the reason for the wait', () => {
    expect(words({ state: 'waiting', version: '0.2.0', why: 'It will be installed when …' })).toEqual({
      status: 'ok',
      cause: 'Version 0.2.0 is ready.',
      consequence: 'It will be installed when …',
      can: 'install-or-postpone',
    });
    expect(words({ state: 'waiting', version: '0.2.0', isAsked: true })).toMatchObject({ can: 'postpone' });
    expect(words({ state: 'draining', version: '0.2.0' })).toMatchObject({ can: 'install-or-postpone' });
  });

  it('tells of a version that did not stay for a week', () => {
    const last = { outcome: 'rolled-back', version: '0.2.0', from: '0.1.0', why: 'Its agent …', atMs: 0 } as const;
    expect(words({ state: 'idle', last })).toMatchObject({
      status: 'warning',
      cause: 'Version 0.2.0 did not work. Version 0.1.0 is back.',
    });
    expect(words({ state: 'idle', last }, 8 * 86_400_000)).toBeNull();
    expect(words({ state: 'idle', last: { ...last, outcome: 'updated' } })).toBeNull();
  });

  it('tells of a version that runs, does not work, and was not taken back, before anything else', () => {
    const last = { outcome: 'failed', version: '0.1.0', from: '0.0.9', why: 'Install it by hand.', atMs: 0 } as const;
    for (const why of ['', 'The feed is away.'])
      expect(words({ state: 'idle', why, last })).toMatchObject({
        status: 'warning',
        cause: 'Version 0.1.0 does not work, and version 0.0.9 was not put back.',
        consequence: 'Install it by hand.',
      });
    // somebody has installed another one by hand
    expect(words({ state: 'idle', last: { ...last, version: '0.2.0' } })).toBeNull();
  });

  it('names the version that could not be installed', () => {
    expect(words({ state: 'idle', version: '0.2.0', why: 'No space left.' })).toMatchObject({
      cause: 'Version 0.2.0 was not installed.',
      consequence: 'No space left.',
      can: 'check',
    });
  });

  it('says why there are no updates when some are wanted', () => {
    expect(words({ state: 'idle', why: 'The feed is away.' })).toMatchObject({ status: 'unknown', can: 'check' });
  });
});
