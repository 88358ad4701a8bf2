import { describe, expect, it } from 'vitest';
import { connections } from '../../../../renderer/ui/frame/connections-model.ts';
import { gravest } from '../../../../renderer/ui/gravest.ts';
import { type Scene, sceneState } from '../../../support/fake-bridge-scenes.ts';

const NOW = 1_800_000_000_000;
const snapshotOf = (scene: Scene) => sceneState(scene, NOW)?.snapshot ?? null;
const statuses = (scene: Scene) =>
  connections(snapshotOf(scene), { kind: 'live' }).map(({ id, status }) => `${id} ${status}`);

describe('the connection lights', () => {
  it('are database, iconik and storages, each as grave as its gravest part', () => {
    expect(statuses('calm')).toEqual(['database ok', 'iconik ok', 'storages ok']);
    expect(statuses('problems')).toEqual(['database ok', 'iconik failing', 'storages failing']);
  });

  it('are unknown before the first check and without storages', () => {
    expect(statuses('waiting')).toEqual(['database unknown', 'iconik failing', 'storages unknown']);
    expect(connections(null, { kind: 'none' }).map(({ status }) => status)).toEqual(['unknown', 'unknown', 'unknown']);
  });

  it('are unknown while the agent is down, and say what was last known', () => {
    const lights = connections(snapshotOf('problems'), { kind: 'down', ageMs: 60_000 });
    expect(lights.map(({ status }) => status)).toEqual(['unknown', 'unknown', 'unknown']);
    expect(lights[1]?.details[0]?.reason).toContain('Last known: failing.');
  });

  it('name each storage with reason and remedy', () => {
    const storages = connections(snapshotOf('problems'), { kind: 'live' })[2];
    expect(storages?.details.map(({ name }) => name)).toEqual(['NAS Post', 'Archive SAN', 'Camera cards']);
    expect(storages?.details[0]).toMatchObject({ status: 'failing', reason: 'Storage NAS Post is mounted read-only.' });
    expect(storages?.details[0]?.remedy).not.toBe('');
  });
});

describe('the gravest of several', () => {
  it('is failing before warning before unknown before ok; of none it is unknown', () => {
    expect(gravest(['ok', 'unknown', 'warning', 'failing'])).toBe('failing');
    expect(gravest(['ok', 'unknown', 'warning'])).toBe('warning');
    expect(gravest(['ok', 'unknown'])).toBe('unknown');
    expect(gravest(['ok', 'ok'])).toBe('ok');
    expect(gravest([])).toBe('unknown');
  });
});
