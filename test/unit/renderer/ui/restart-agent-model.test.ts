import { expect, it } from 'vitest';
import type { AppState } from '../../../../preload/contract/app-state.ts';
import { jobsAtStake } from '../../../../renderer/ui/restart-agent-model.ts';
import { sceneState } from '../../../support/fake-bridge-scenes.ts';

it('a restart is asked about while the agent may run jobs, also when it does not answer', () => {
  const calm = sceneState('calm', 1_800_000_000_000);
  if (!calm?.snapshot) throw new Error('the calm scene has a snapshot');
  const running = calm.snapshot.running.length;
  expect(running).toBeGreaterThan(0);
  const of = (state: AppState['agent']['state']) => jobsAtStake({ ...calm, agent: { ...calm.agent, state } });
  expect([of('running'), of('unresponsive')]).toEqual([running, running]);
  expect([of('stopped'), of('backing-off'), of('gave-up-for-now'), of('starting')]).toEqual([0, 0, 0, 0]);
  expect(jobsAtStake(null)).toBe(0);
});
