import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../../agent/db/migrate.ts';

describe('compareVersions', () => {
  it.each([
    ['1.2.3', '1.2.3', 0],
    ['1.2.10', '1.2.9', 1],
    ['1.2', '1.2.1', -1],
    ['2.0.0-beta', '2.0.0', 0],
    ['0.9.9', '1.0.0', -1],
  ])('%s against %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});
