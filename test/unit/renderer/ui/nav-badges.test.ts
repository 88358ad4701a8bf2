import { describe, expect, it } from 'vitest';
import { navBadges } from '../../../../renderer/ui/frame/nav-badges.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
function badgesOf(scene: Scene) {
  const state = sceneState(scene, NOW);
  if (state === null) throw new Error('this scene has no state');
  return navBadges(state, NOW);
}

describe('the badges of the navigation', () => {
  it('are absent when all is well, however much there is', () => {
    expect(badgesOf('calm')).toEqual({});
    expect(badgesOf('large')).toEqual({});
  });

  it('count problems per screen', () => {
    const badges = badgesOf('problems');
    // degraded, dead, duplicate; MAIN and TRANSCODE uncovered; nobody leads
    expect(badges.cluster).toBe(6);
    expect(badges.storages).toBe(2);
    expect(badges.diagnostics).toBeGreaterThan(0);
    expect(badges.jobs).toBe(10);
  });

  it('count nothing of the cluster while the agent is down: an old state proves nothing', () => {
    expect(badgesOf('offline').cluster).toBeUndefined();
    expect(badgesOf('offline').storages).toBeUndefined();
    expect(badgesOf('offline').jobs).toBeUndefined();
  });

  it('count the problems of config.ini at the settings', () => {
    expect(badgesOf('invalid-config').settings).toBe(2);
  });

  it('do not count what a disabled cluster was ordered to stop', () => {
    expect(badgesOf('disabled').cluster).toBeUndefined();
  });
});
