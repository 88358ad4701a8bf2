import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, newestVersion } from '../../../../../renderer/features/cluster/upgrade/versions.ts';

const number = fc.nat({ max: 12 });
const pre = fc.constantFrom('', '-alpha', '-beta', '-beta.2', '-beta.11', '-rc.1', '-1');
const version = fc.tuple(number, number, number, pre).map(([a, b, c, tail]) => `${a}.${b}.${c}${tail}`);
const anyText = fc.oneof(version, version, fc.constantFrom('', 'dev', 'v1.2', '1', 'unknown'));

describe('versions', () => {
  it('are ordered by number and not by letter, a pre-release before its release', () => {
    const rising = ['dev', '0.9.0', '0.10.0-alpha', '0.10.0-beta.2', '0.10.0-beta.11', '0.10.0', '0.10.1', '1.0.0'];
    for (const [at, older] of rising.entries())
      for (const newer of rising.slice(at + 1)) expect(compareVersions(older, newer)).toBeLessThan(0);
    expect(compareVersions('1.2.0', 'v1.2.0')).toBe(0);
  });

  it('have one order, whatever they are: reversible, transitive', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('the newest is as new as any', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1 }), (all) => {
        const newest = newestVersion(all);
        expect(all.every((each) => compareVersions(each, newest) <= 0)).toBe(true);
      }),
    );
    expect(newestVersion([])).toBe('');
  });
});
