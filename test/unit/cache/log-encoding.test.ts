import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../agent/cache/log/admission.ts';
import { CapPlan } from '../../../agent/cache/log/cap-plan.ts';
import { encodeRecord, MOST_CHARACTERS, packBatch, unpackBatch } from '../../../agent/cache/log/log-encoding.ts';

const encode = (message: string, fields: Record<string, unknown> = {}, atMs = 1) =>
  encodeRecord({ level: 'info', message, fields, atMs });

describe('a record made storable', () => {
  it('has neither NUL nor half a surrogate, in message, fields and their names', () => {
    const odd = 'a\0b\ud800c\u0007\u001b[31m<b>';
    const { message, fields } = encode(odd, { [odd]: odd, deep: { list: [odd] } });
    expect(message).toBe('a␀b\ufffdc\u0007\u001b[31m<b>');
    expect(fields).not.toMatch(/\\u0000|\\ud/i);
    expect(JSON.parse(fields)).toEqual({ [message]: message, deep: { list: [message] } });
  });

  it('is of bounded length, also for 10 MB, and says how long it was; what it is about stays', () => {
    const long = '😀'.repeat(5_000_000);
    const { message, fields } = encode(long, { storageId: 's-1', text: long, more: [long, long] });
    expect(message.length).toBeLessThanOrEqual(MOST_CHARACTERS);
    expect(message.isWellFormed()).toBe(true);
    expect(message).toContain('10000000 characters');
    expect(fields.length).toBeLessThanOrEqual(MOST_CHARACTERS);
    expect(JSON.parse(fields)).toMatchObject({ storageId: 's-1' });
  });

  it('keeps the facts of errors, also of those that hold themselves', () => {
    const error: Error & { self?: unknown } = new TypeError('it broke', { cause: new Error('below') });
    error.self = error;
    const parsed: unknown = JSON.parse(encode('x', { error }).fields);
    expect(parsed).toMatchObject({ error: { name: 'TypeError', message: 'it broke', cause: { message: 'below' } } });
  });

  it('survives fields that throw, big numbers and what JSON does not know', () => {
    const bad = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    expect(JSON.parse(encode('x', { bad }).fields)).toHaveProperty('unreadable');
    const fields = { big: 2n ** 80n, call: () => 1, sign: Symbol('s'), none: undefined, map: new Map([['k', 1]]) };
    expect(JSON.parse(encode('x', fields).fields)).toEqual({ big: String(2n ** 80n), map: { k: 1 } });
  });

  it.each([
    [Number.NaN, 0],
    [-5, 0],
    [Number.POSITIVE_INFINITY, 0],
    [9e15, 253_402_300_799_999],
    [12.7, 12],
  ])('has an instant of the calendar: %d becomes %d', (atMs, expected) => {
    expect(encode('x', {}, atMs).atMs).toBe(expected);
  });

  it('comes out of a batch as it went in', () => {
    const unit = fc.constantFrom('a', '\0', '\ud800', '😀', '"', '\\', '\n');
    const record = fc.record({
      level: fc.constantFrom('debug' as const, 'info' as const, 'warn' as const, 'error' as const),
      message: fc.string({ unit, maxLength: 8 }),
      fields: fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ unit, maxLength: 8 }), { maxKeys: 3 }),
      atMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
    });
    const roundTrip = fc.property(fc.array(record, { maxLength: 3 }), (records) => {
      const encoded = records.map(encodeRecord);
      expect(unpackBatch(packBatch(1, encoded, [0, 0, 0, 0]))).toEqual(encoded);
    });
    fc.assert(roundTrip, { numRuns: 25 });
  });
});

describe('the room in memory', () => {
  it('keeps some for the more severe, counts what has no room, and is there again once it is on disk', () => {
    const room = new Admission(1_000);
    const admitted = [0, 1, 2, 3].map((level) => {
      let count = 0;
      while (room.admits(level, 10)) count += 1;
      return count;
    });
    expect(admitted).toEqual([50, 20, 20, 10]);
    expect(room.counts()).toEqual({ bytes: 1_000, dropped: [1, 1, 1, 1] });
    expect(room.takeUnreported()).toEqual([1, 1, 1, 1]);
    expect(room.hasUnreported()).toBe(false);
    room.release(1_000);
    expect(room.admits(0, 500)).toBe(true);
  });
});

describe('the plan of a cap', () => {
  it('leaves room for the journal at its largest: what was there, one commit and one deletion', () => {
    for (const cap of [1_000_000, 16_000_000, 512_000_000, 60_000_000_000]) {
      const plan = new CapPlan(cap);
      const journal = plan.autocheckpointPages * 4_096 + 3 * plan.largestCommitBytes;
      expect(plan.filePages * 4_096 + journal).toBeLessThanOrEqual(cap);
    }
  });
});
