import { describe, expect, it } from 'vitest';
import { isBeyondNeighbour } from '../../../agent/contract/index.ts';

describe('releases', () => {
  it.each([
    ['1.2.0', '1.3.7', false],
    ['1.2.0', '1.4.0', true],
    ['1.9.0', '2.0.3', false],
    ['1.9.0', '2.1.0', true],
    ['1.9.0', '3.0.0', true],
    ['1.2.0', '1.2.9', false],
    ['1.3.0', '1.1.0', false],
    ['1.1.0', '1.3.0-beta.2', true],
    ['1.2', '1.4', true],
    ['dev', '4.0.0', false],
    ['1.2.0', '', false],
  ])('from %s to %s: a release lies between: %s', (older, newer, isBeyond) => {
    expect(isBeyondNeighbour(older, newer)).toBe(isBeyond);
  });
});
