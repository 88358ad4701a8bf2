import { describe, expect, it } from 'vitest';
import { TRAY_ICONS } from '../../../main/tray/tray-icon.ts';
import { type TrayModel, trayModel } from '../../../main/tray/tray-model.ts';
import { type AppState, appStateSchema } from '../../../preload/contract/app-state.ts';
import { agentIn, appState, CASES, NOW_MS, snapshot } from './app-states.ts';

/** The model as one reads it on screen. */
function drawn({ icon, tooltip, items }: TrayModel): string {
  const lines = items.map((item) =>
    item.kind === 'separator'
      ? '---'
      : `${item.label}${item.enabled ? '' : ' (grey)'}  [${Object.values(item.action).join(' ')}]`,
  );
  return [`icon: ${icon}`, ...tooltip.split('\n').map((line) => `tip: ${line}`), ...lines].join('\n');
}

describe('the tray', () => {
  it.each(Object.entries(CASES))('shows: %s', (_name, state) => {
    expect(appStateSchema.parse(state)).toEqual(state);
    expect(drawn(trayModel(state, NOW_MS))).toMatchSnapshot();
  });

  it('tells nine states apart by the icon', () => {
    const icons = new Set(Object.values(CASES).map((state) => trayModel(state, NOW_MS).icon));
    expect([...icons].toSorted()).toEqual([...TRAY_ICONS].toSorted());
  });

  it('keeps the tooltip within what Windows shows, in whole words', () => {
    const long = 'a storage with a very long name that nobody can remember ';
    const checks = [1, 2, 3].map((n) => ({ check: long + n, status: 'failing' as const, reason: long, remedy: '' }));
    const { tooltip } = trayModel(
      appState({ updateReady: '1.0.0' }, { checks, node: { ...snapshot().node, name: long } }),
      NOW_MS,
    );
    expect(tooltip.length).toBeLessThanOrEqual(127);
    expect(tooltip).toContain('Primary · term 42');
  });

  it('offers a full check whatever the agent does, and says when one runs', () => {
    const check = (state: AppState) => trayModel(state, NOW_MS).items.find(({ id }) => id === 'check');
    for (const state of Object.values(CASES)) {
      expect(check(state)).toMatchObject({ label: 'Run a check…', enabled: true, action: { do: 'check' } });
    }
    const running = appState({ check: { runningSinceMs: NOW_MS, last: null, failure: '' } });
    expect(check(running)).toMatchObject({ label: 'A check is running…' });
  });

  it('says nothing of leader and health while the agent is down, for it does not know', () => {
    const { items, tooltip } = trayModel(agentIn('backing-off', 'It ended.'), NOW_MS);
    expect(items.map(({ id }) => id)).not.toContain('leader');
    expect(tooltip).not.toMatch(/Primary|Healthy/);
  });

  it('a problem of the node shows before an update that waits', () => {
    const state = appState({ updateReady: '0.2.0' }, { cluster: { ...snapshot().cluster, uncoveredRoles: ['MAIN'] } });
    expect(trayModel(state, NOW_MS).icon).toBe('degraded');
  });

  it('names a lost storage before the role that is uncovered by it, and cuts its name last', () => {
    const [storage] = snapshot().storages;
    const lost = { check: `storage:${storage?.id}`, status: 'failing' as const, reason: 'It is away.', remedy: '' };
    const disk = { check: 'disk', status: 'warning' as const, reason: 'It is nearly full.', remedy: '' };
    const cluster = { ...snapshot().cluster, uncoveredRoles: ['MAIN' as const, 'TRANSCODE' as const] };
    const { tooltip, items } = trayModel(appState({}, { checks: [disk, lost], cluster }), NOW_MS);
    expect(tooltip.split('\n')).toContain(`3 problems: ${storage?.name} and 2 more`);
    expect(items.filter(({ id }) => id.startsWith('health-')).map((item) => 'label' in item && item.label)).toEqual([
      `${storage?.name}: It is away.`,
      'No node works on MAIN, TRANSCODE',
      'Disk: It is nearly full.',
    ]);
  });

  it('a warning alone leaves the icon calm, and is told in the menu', () => {
    const checks = [{ check: 'disk', status: 'warning' as const, reason: 'Less than 1 GB is free.', remedy: '' }];
    const model = trayModel(appState({}, { checks }), NOW_MS);
    expect(model.icon).toBe('leader');
    expect(drawn(model)).toContain('Disk: Less than 1 GB is free.');
  });

  it('offers the failover drill to the leading node only, and greys it while none can begin', () => {
    const drillOf = (over: Parameters<typeof snapshot>[0]) =>
      trayModel(appState({}, over), NOW_MS).items.find(({ id }) => id === 'drill');
    const { cluster, leadership } = snapshot();
    const blocked = { ...cluster, drill: { refusal: 'There is no other node.', last: null } };
    expect(drillOf({})).toMatchObject({ label: 'Run failover drill', enabled: true, action: { do: 'drill' } });
    expect(drillOf({ cluster: blocked })).toMatchObject({ enabled: false });
    expect(drillOf({ leadership: { ...leadership, standing: 'follower' } })).toBeUndefined();
  });

  it('has no item for what the agent does not offer, and quit comes last', () => {
    for (const state of Object.values(CASES)) {
      const { items } = trayModel(state, NOW_MS);
      expect(items.at(-1)?.id).toBe('quit');
      expect(items.map(({ id }) => id).join()).not.toMatch(/check-for-updates/);
      expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
    }
  });

  it('says of the last update that it was not installed, or that it runs and is to be replaced by hand', () => {
    const { update } = appState();
    const last = { outcome: 'failed', version: '0.1.0', from: '0.0.9', why: '', atMs: 0 } as const;
    const line = (over: Partial<AppState>) => {
      const found = trayModel(appState(over), NOW_MS).items.find(({ id }) => id === 'update');
      return found?.kind === 'item' ? found.label : null;
    };
    expect(line({ update: { ...update, last } })).toBe('Version 0.1.0 does not work: install 0.0.9 by hand');
    expect(line({ update: { ...update, last }, appVersion: '0.0.9' })).toBeNull();
    const back = { ...update, last: { ...last, outcome: 'rolled-back' as const, version: '0.2.0' } };
    expect(line({ update: back })).toBe('Version 0.2.0 was not installed: 0.1.0 runs');
  });

  it('does not change while nothing happens', () => {
    for (const state of Object.values(CASES))
      expect(trayModel(state, NOW_MS + 2_000)).toEqual(trayModel(state, NOW_MS));
  });
});
