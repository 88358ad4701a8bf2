import { expect, test } from 'vitest';
import { AGENT_CALLS } from '../../../../agent/contract/index.ts';
import {
  ALL_JOBS,
  effectiveStates,
  filterFromRoute,
  filterKey,
  isNarrowed,
  listParams,
  toggled,
} from '../../../../renderer/features/jobs/job-filter.ts';
import { rowForKey } from '../../../../renderer/ui/grid-keys.ts';

test('what is sent is what the contract takes, however long the search text is', () => {
  const params = listParams({ ...ALL_JOBS, text: ` ${'x'.repeat(500)} ` }, null, 200);
  expect(AGENT_CALLS['jobs.list'].params.safeParse(params).success).toBe(true);
});

test('a node narrows to running jobs, for only those are on a node', () => {
  const filter = { ...ALL_JOBS, states: ['failed' as const], nodeName: 'node-a' };
  expect(effectiveStates(filter)).toEqual(['leased']);
  expect(listParams(filter, null, 200)).toMatchObject({ states: ['leased'], nodeName: 'node-a' });
});

test('filters that ask for the same jobs have the same key', () => {
  const one = filterKey({ ...ALL_JOBS, roles: ['MAIN', 'TRANSFER'], text: 'a ' });
  expect(filterKey({ ...ALL_JOBS, roles: ['TRANSFER', 'MAIN'], text: 'a' })).toBe(one);
  expect(filterKey({ ...ALL_JOBS, roles: ['TRANSFER'], text: 'a' })).not.toBe(one);
});

test('nothing is narrowed by default, and a toggle comes and goes', () => {
  expect(isNarrowed(ALL_JOBS)).toBe(false);
  expect(isNarrowed({ ...ALL_JOBS, states: toggled([], 'failed') })).toBe(true);
  expect(toggled(['failed'], 'failed')).toEqual([]);
});

test('another screen can open it narrowed; unknown words are left out', () => {
  expect(filterFromRoute({ states: 'failed,odd', role: 'TRANSCODE', storage: 'st-1' })).toEqual({
    ...ALL_JOBS,
    states: ['failed'],
    roles: ['TRANSCODE'],
    storageId: 'st-1',
  });
  expect(filterFromRoute({})).toEqual(ALL_JOBS);
});

test('keys move through the rows and stop at both ends', () => {
  const at = (active: number | null) => ({ active, count: 100, pageRows: 11 });
  expect(rowForKey('ArrowDown', at(null))).toBe(0);
  expect(rowForKey('ArrowDown', at(99))).toBe(99);
  expect(rowForKey('ArrowUp', at(0))).toBe(0);
  expect(rowForKey('PageDown', at(5))).toBe(15);
  expect(rowForKey('PageUp', at(5))).toBe(0);
  expect(rowForKey('End', at(5))).toBe(99);
  expect(rowForKey('Home', at(5))).toBe(0);
  expect(rowForKey('x', at(5))).toBeNull();
  expect(rowForKey('ArrowDown', { active: null, count: 0, pageRows: 11 })).toBeNull();
});
