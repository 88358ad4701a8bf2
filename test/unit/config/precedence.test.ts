import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  resolveTunable,
  resolveTunables,
  resolveVisibilityTimeout,
  TIERS,
  TUNABLE_NAMES,
} from '../../../agent/config/precedence.ts';

const said = (value: unknown) => ({ checksum_max_workers: value });

describe('precedence', () => {
  it('is config.ini, then node, then cluster, then the default, and tells the beaten ones in that order', () => {
    const tiers = { configIni: said(7), node: said(8), cluster: said(9) };
    expect(resolveTunable('checksum_max_workers', tiers)).toEqual({
      value: 7,
      wonBy: 'config.ini',
      beaten: [
        { tier: 'node', value: 8 },
        { tier: 'cluster', value: 9 },
        { tier: 'default', value: 2 },
      ],
      ignored: [],
    });
    expect(resolveTunable('checksum_max_workers', { cluster: said(9) })).toMatchObject({ value: 9, wonBy: 'cluster' });
    expect(resolveTunable('checksum_max_workers', {})).toMatchObject({ value: 2, wonBy: 'default', beaten: [] });
  });

  it('passes over what is no whole number in range, and says so', () => {
    const resolved = resolveTunable('checksum_max_workers', { node: said(0), cluster: said('4') });
    expect(resolved).toMatchObject({ value: 2, wonBy: 'default' });
    expect(resolved.ignored).toHaveLength(2);
    expect(resolveTunable('checksum_max_workers', { node: said(null) }).ignored).toEqual([]);
  });

  it('always yields a value in range from the strongest tier with a valid one', () => {
    const value = fc.oneof(
      fc.integer({ min: -5, max: 100 }),
      fc.constant(undefined),
      fc.constant(null),
      fc.double(),
      fc.string(),
    );
    fc.assert(
      fc.property(value, value, value, fc.constantFrom(...TUNABLE_NAMES), (a, b, c, name) => {
        const resolved = resolveTunable(name, {
          configIni: { [name]: a },
          node: { [name]: b },
          cluster: { [name]: c },
        });
        expect(resolved.value).toBeGreaterThanOrEqual(1);
        expect(resolved.value).toBeLessThanOrEqual(64);
        const tiers = [resolved.wonBy, ...resolved.beaten.map(({ tier }) => tier)];
        expect(tiers).toEqual(TIERS.filter((tier) => tiers.includes(tier)));
      }),
    );
  });

  it('resolves every tunable', () => {
    expect(Object.keys(resolveTunables({}))).toEqual(TUNABLE_NAMES);
  });

  it('takes visibility_timeout from the cluster only', () => {
    expect(resolveVisibilityTimeout({ visibility_timeout: 120 })).toMatchObject({ value: 120, wonBy: 'cluster' });
    expect(resolveVisibilityTimeout({ visibility_timeout: 5 })).toMatchObject({ value: 3600, wonBy: 'default' });
    expect(resolveVisibilityTimeout(null)).toMatchObject({ value: 3600 });
  });
});
