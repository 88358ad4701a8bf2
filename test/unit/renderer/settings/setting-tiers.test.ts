import { describe, expect, it } from 'vitest';
import type { SettingRow } from '../../../../agent/contract/index.ts';
import {
  configKeyOf,
  editOf,
  effectiveAfter,
  parseTierText,
  savedValue,
  tierCells,
  whyNotAllowed,
} from '../../../../renderer/features/settings/setting-tiers.ts';

const row: SettingRow = {
  name: 'checksum_max_workers',
  explanation: 'Files hashed at a time.',
  value: 4,
  wonBy: 'config.ini',
  beaten: [
    { tier: 'cluster', value: 6 },
    { tier: 'default', value: 2 },
  ],
  min: 1,
  max: 64,
  unit: '',
  tiers: ['config.ini', 'node', 'cluster', 'default'],
  remarks: [],
};
const clusterOnly: SettingRow = {
  ...row,
  name: 'visibility_timeout',
  value: 3600,
  wonBy: 'default',
  beaten: [],
  min: 30,
  max: 86_400,
  unit: 's',
  tiers: ['cluster', 'default'],
};
const cell = (tier: string, edits = {}) => tierCells(row, edits).find((one) => one.tier === tier);

describe('the tiers of a setting', () => {
  it('a setting lives in config.ini under the kebab-case form of its name', () => {
    expect(configKeyOf('file_download_parallel_downloads_num')).toBe('file-download-parallel-downloads-num');
  });

  it('the saved value of a tier is the winning one, a beaten one, or none', () => {
    expect(['config.ini', 'node', 'cluster', 'default'].map((tier) => savedValue(row, tier as 'node'))).toEqual([
      4,
      null,
      6,
      2,
    ]);
  });

  it.each([
    ['1', 1],
    [' 64 ', 64],
    ['+7', 7],
  ])('%j is a value in range', (text, value) => {
    expect(parseTierText(row, text)).toEqual({ kind: 'value', value });
  });

  it.each(['0', '65', '1.5', '-3', 'many', '1e1', '0x10'])('%j is refused with the range in words', (text) => {
    expect(parseTierText(row, text)).toEqual({ kind: 'wrong', problem: 'Must be a whole number from 1 to 64.' });
  });

  it('the unit stands with the range', () => {
    expect(parseTierText(clusterOnly, '29')).toMatchObject({ problem: 'Must be a whole number from 30 to 86400 s.' });
  });

  it('an empty text removes the value', () => {
    expect(parseTierText(row, '  ')).toEqual({ kind: 'removed' });
  });

  it('typing what is saved is no edit, also when written differently', () => {
    expect(editOf(row, 'config.ini', '4')).toBeUndefined();
    expect(editOf(row, 'config.ini', ' 4')).toBeUndefined();
    expect(editOf(row, 'node', '')).toBeUndefined();
    expect(editOf(row, 'config.ini', '')).toBe('');
    expect(editOf(row, 'config.ini', 'x')).toBe('x');
  });
});

describe('precedence while typing', () => {
  it('the strongest tier that says something counts', () => {
    expect(effectiveAfter(row, {})).toEqual({ value: 4, wonBy: 'config.ini' });
    expect(effectiveAfter(row, { 'config.ini': '' })).toEqual({ value: 6, wonBy: 'cluster' });
    expect(effectiveAfter(row, { 'config.ini': '', node: '9' })).toEqual({ value: 9, wonBy: 'node' });
    expect(effectiveAfter(row, { 'config.ini': '', cluster: '' })).toEqual({ value: 2, wonBy: 'default' });
  });

  it('a beaten tier may be changed without changing what counts', () => {
    expect(effectiveAfter(row, { cluster: '20' })).toEqual({ value: 4, wonBy: 'config.ini' });
  });

  it('a refused text counts as not typed', () => {
    expect(effectiveAfter(row, { 'config.ini': '900' })).toEqual({ value: 4, wonBy: 'config.ini' });
  });

  it('the columns stand strongest first', () => {
    expect(tierCells(row, {}).map(({ tier }) => tier)).toEqual(['config.ini', 'node', 'cluster', 'default']);
  });

  it('a beaten column names what beats it, a silent one nothing', () => {
    expect(cell('cluster')).toMatchObject({ text: '6', wins: false, beatenBy: 'config.ini' });
    expect(cell('node')).toMatchObject({ text: '', wins: false, beatenBy: null });
    expect(cell('config.ini')).toMatchObject({ wins: true, beatenBy: null });
  });

  it('a typed column is marked as changed, with its problem', () => {
    expect(cell('node', { node: '0' })).toMatchObject({
      text: '0',
      isChanged: true,
      problem: expect.stringContaining('whole number'),
    });
  });

  it('visibility_timeout is not allowed outside the cluster, and the reason is said', () => {
    const allowed = tierCells(clusterOnly, {}).map(({ tier, isAllowed }) => [tier, isAllowed]);
    expect(allowed).toEqual([
      ['config.ini', false],
      ['node', false],
      ['cluster', true],
      ['default', true],
    ]);
    expect(whyNotAllowed(clusterOnly)).toContain('all nodes must use one value');
  });
});
