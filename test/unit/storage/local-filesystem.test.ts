import { type BigIntStats, lstatSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { factsOf, isAsExpected } from '../../../agent/storage/process/local-filesystem.ts';

/** The look at some file, with other facts. */
function stats(facts: Partial<BigIntStats>): BigIntStats {
  return Object.assign(lstatSync(import.meta.filename, { bigint: true }), facts);
}

describe('facts of files', () => {
  it('times stay within 64 bits, and what was recorded is recognised again', () => {
    for (const [mtimeNs, kept] of [
      [-1n, '-1'],
      [2n ** 63n - 1n, '9223372036854775807'],
      [2n ** 64n, '9223372036854775807'],
      [-(2n ** 64n), '-9223372036854775807'],
    ] as const) {
      const facts = factsOf(stats({ mtimeNs }), 'a');
      expect(facts.mtimeNs).toBe(kept);
      expect(isAsExpected(stats({ mtimeNs }), facts)).toBe(true);
    }
  });

  it('sizes that a double cannot count are refused, and the largest countable one is not', () => {
    expect(factsOf(stats({ size: 2n ** 53n - 1n }), 'a').sizeBytes).toBe(Number.MAX_SAFE_INTEGER);
    const refused = expect.objectContaining({ code: 'file-unreadable', retry: 'permanent' });
    expect(() => factsOf(stats({ size: 2n ** 53n }), 'a')).toThrow(refused);
    expect(() => factsOf(stats({ size: 2n ** 63n - 1n }), 'a')).toThrow(refused);
  });
});
