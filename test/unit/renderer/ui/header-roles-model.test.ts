import { expect, test } from 'vitest';
import { rolesSummary } from '../../../../renderer/ui/frame/header-roles-model.ts';

const working = { state: 'working' as const };
const paused = { state: 'paused' as const };

test('roles that all work are counted', () => {
  expect(rolesSummary([working, working, working, working])).toMatchObject({ words: '4 roles', isHollow: false });
  expect(rolesSummary([working])?.words).toBe('1 role');
});

test('a role that rests is not counted among the working ones, and shows', () => {
  expect(rolesSummary([working, paused, working])).toEqual({
    words: '2 of 3 roles',
    spoken: '2 of 3 roles working',
    isHollow: true,
  });
});

test('of a silent agent no role is called working', () => {
  expect(rolesSummary([{ state: 'unknown' }, { state: 'unknown' }])).toEqual({
    words: '2 roles',
    spoken: '2 roles, not known now',
    isHollow: true,
  });
});

test('a node without roles shows nothing', () => {
  expect(rolesSummary([])).toBeNull();
});
