import { describe, expect, it } from 'vitest';
import { freshness, isBelievable } from '../../../../renderer/state/freshness.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
function freshnessOf(scene: Scene, laterMs = 0) {
  const state = sceneState(scene, NOW);
  if (state === null) throw new Error('this scene has no state');
  return freshness(state, NOW + laterMs);
}

describe('the freshness of data', () => {
  it('is live up to 5 s, then old with its age', () => {
    expect(freshnessOf('calm')).toEqual({ kind: 'live' });
    expect(freshnessOf('calm', 5_000)).toEqual({ kind: 'live' });
    expect(freshnessOf('calm', 5_001)).toEqual({ kind: 'old', ageMs: 5_001 });
  });

  it('is live when the clocks of the two processes differ a little', () => {
    expect(freshnessOf('calm', -800)).toEqual({ kind: 'live' });
  });

  it('is down whenever the agent does not run or answer, however new the snapshot', () => {
    expect(freshnessOf('unresponsive').kind).toBe('down');
    expect(freshnessOf('offline')).toEqual({ kind: 'down', ageMs: 240_000 });
    expect(freshnessOf('starting')).toEqual({ kind: 'down', ageMs: null });
  });

  it('is believed while live or old only', () => {
    expect(isBelievable({ kind: 'live' })).toBe(true);
    expect(isBelievable({ kind: 'old', ageMs: 60_000 })).toBe(true);
    expect(isBelievable({ kind: 'none' })).toBe(false);
    expect(isBelievable({ kind: 'down', ageMs: 0 })).toBe(false);
  });
});
