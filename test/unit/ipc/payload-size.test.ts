import { describe, expect, it } from 'vitest';
import { isPayloadWithin } from '../../../main/ipc/payload-size.ts';

describe('isPayloadWithin', () => {
  it('lets plain data within the limit through', () => {
    expect(isPayloadWithin({ name: 'x', params: { list: [1, 'a', null, true, { b: undefined }] } }, 1_000)).toBe(true);
  });

  it('counts text as UTF-8', () => {
    expect(isPayloadWithin('a'.repeat(90), 100)).toBe(true);
    expect(isPayloadWithin('é'.repeat(90), 100)).toBe(false);
  });

  it('refuses many small things that are large together', () => {
    expect(
      isPayloadWithin(
        Array.from({ length: 100 }, () => 'abc'),
        500,
      ),
    ).toBe(false);
    expect(isPayloadWithin(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key ${i}`, 1])), 500)).toBe(
      false,
    );
  });

  it('refuses cycles, deep nests and what is no plain data', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    let deep: unknown = 1;
    for (let i = 0; i < 1_000; i += 1) deep = [deep];
    for (const value of [cycle, deep, new Map(), new Uint8Array(3), new Date(), [/x/]]) {
      expect(isPayloadWithin(value, 1_000_000)).toBe(false);
    }
  });

  it('is not slow on a small value that unfolds to a huge one', () => {
    let shared: unknown = 'x';
    for (let i = 0; i < 22; i += 1) shared = [shared, shared, shared];
    const startedAt = performance.now();
    expect(isPayloadWithin(shared, 1_000_000)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
