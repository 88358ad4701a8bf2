import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLine, LineReader } from '../../../agent/contract/index.ts';

describe('lines of the link', () => {
  it('come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        (messages, cuts) => {
          const whole = Buffer.concat(messages.map(encodeLine));
          const reader = new LineReader(10_000_000);
          const got: unknown[] = [];
          const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)).toSorted((a, b) => a - b), whole.length];
          for (let i = 1; i < at.length; i += 1)
            expect(reader.push(whole.subarray(at[i - 1], at[i]), (message) => got.push(message) > 0)).toBeNull();
          expect(got).toEqual(messages.map((message) => JSON.parse(JSON.stringify(message))));
        },
      ),
    );
  });

  it.each([
    ['a line that is too long, before its end has come', 'x'.repeat(101), 'too-long'],
    ['what is no JSON', '{"a":\n', 'no-json'],
    ['an empty line', '\n', 'no-json'],
  ])('are not read on after %s', (_, text, problem) => {
    const reader = new LineReader(100);
    const got: unknown[] = [];
    const push = (bytes: Uint8Array) => reader.push(bytes, (message) => got.push(message) > 0);
    expect(push(Buffer.from(text))).toBe(problem);
    expect(push(encodeLine(1))).toBe(problem);
    expect(got).toEqual([]);
  });

  it('are not read on after bytes that are no UTF-8', () => {
    expect(new LineReader(100).push(Uint8Array.of(0x22, 0xff, 0x22, 10), () => true)).toBe('no-json');
  });
});
