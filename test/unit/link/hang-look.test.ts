import { describe, expect, it } from 'vitest';
import { HANG_LIMIT_MS, type HangLook, hasHung, LOOK_MS, nextLook } from '../../../agent/link/hang-look.ts';

const seen = (values: readonly number[]): HangLook =>
  values.reduce<HangLook | null>(nextLook, null) ?? { value: 0, looks: 0 };
const LOOKS = HANG_LIMIT_MS / LOOK_MS;

describe('the hang guard', () => {
  it('finds a loop hung that has stood for the whole limit, and not one look sooner', () => {
    const standing = (looks: number) => hasHung(seen(Array.from({ length: looks + 1 }, () => 7)), HANG_LIMIT_MS);
    expect([standing(LOOKS - 1), standing(LOOKS)]).toEqual([false, true]);
  });

  it('begins anew at each turn of the loop, also when its number has run over', () => {
    const nearly = Array.from({ length: LOOKS }, () => 2_147_483_647);
    expect(hasHung(seen([...nearly, -2_147_483_648, ...nearly]), HANG_LIMIT_MS)).toBe(false);
  });
});
