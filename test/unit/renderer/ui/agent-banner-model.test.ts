import { describe, expect, it } from 'vitest';
import { agentBanner, isBannerAFinding } from '../../../../renderer/ui/frame/agent-banner-model.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
function bannerOf(scene: Scene, laterMs = 0) {
  const state = sceneState(scene, NOW);
  if (state === null) throw new Error('this scene has no state');
  return agentBanner(state, NOW + laterMs);
}

describe('the banner above every screen', () => {
  it('is absent while the agent runs and its data are fresh', () => {
    expect(bannerOf('calm')).toBeNull();
    expect(bannerOf('problems')).toBeNull();
    expect(bannerOf('calm', 5_000)).toBeNull();
  });

  it('says how old data are that are older than 5 s', () => {
    expect(bannerOf('calm', 12_000)?.cause).toBe('The newest data are 12 s old.');
  });

  it('tells of an agent that is down: reason, next start, last words, age of what is shown', () => {
    const banner = bannerOf('offline');
    expect(banner).toMatchObject({ status: 'failing', action: 'restart-agent' });
    expect(banner?.consequence).toContain('exit code 70');
    expect(banner?.consequence).toContain('Next start in 21 s.');
    expect(banner?.remedy).toContain('4 min ago');
    expect(banner?.lines[0]).toContain('TypeError');
  });

  it('does not promise a start whose time has passed', () => {
    expect(bannerOf('offline', 60_000)?.consequence).not.toContain('Next start');
  });

  it('does not call a starting agent failed, and offers no restart', () => {
    expect(bannerOf('starting')).toMatchObject({ status: 'unknown', cause: 'The agent is starting.', action: null });
  });

  it('does not claim that work of a silent agent has stopped', () => {
    expect(bannerOf('unresponsive')?.consequence).not.toContain('transfers nothing');
  });

  it('lists what is wrong in config.ini and leads to the settings', () => {
    expect(bannerOf('invalid-config')).toMatchObject({
      cause: 'config.ini has 2 problems.',
      action: 'open-settings',
      lines: ['line 4: iconik-url: not a web address', 'line 9: uploads: must be between 1 and 64'],
    });
  });

  it('is a finding of the diagnostics too, save a start of a moment', () => {
    const isFinding = (scene: Scene, laterMs = 0) => {
      const state = sceneState(scene, NOW);
      return state !== null && isBannerAFinding(state, NOW + laterMs);
    };
    for (const scene of ['offline', 'unresponsive', 'waiting', 'invalid-config'] as const)
      expect(isFinding(scene), scene).toBe(true);
    expect(isFinding('calm', 12_000)).toBe(true);
    expect(isFinding('starting')).toBe(false);
    expect(isFinding('problems')).toBe(false);
  });

  it('says what a waiting node waits for', () => {
    expect(bannerOf('waiting')).toMatchObject({ cause: 'This node waits for iconik.', status: 'warning' });
  });
});
