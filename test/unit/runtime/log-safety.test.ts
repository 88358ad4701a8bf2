import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_MESSAGE_CHARS, safeFields, safeText } from '../../../agent/contract/index.ts';
import { createRedactor, createStormGuard, formatLogLine } from '../../../agent/runtime/log-sinks.ts';
import type { LogLevel, LogRecord } from '../../../agent/runtime/logger.ts';
import { createRepeatCounter, REPEAT_WINDOW_MS } from '../../../agent/runtime/repeat-counter.ts';
import { withoutUrlSecrets } from '../../../agent/runtime/url-secrets.ts';

const record = (message: string, level: LogLevel = 'info', fields = {}, atMs = 0): LogRecord => ({
  level,
  message,
  fields,
  atMs,
});

describe('the text of a record', () => {
  it('shows controls as pictures and halves of surrogate pairs as the replacement character', () => {
    expect(safeText('a\u001b[31mred\u0000\u007f\u0085\ud800 z\u202eexe.\tok\n')).toBe(
      'a␛[31mred␀␡\ufffd\ufffd z\ufffdexe.\tok\n',
    );
  });

  it('of 10 MB keeps the beginning and says how long it was', () => {
    const text = safeText('x'.repeat(10_000_000));
    expect(text.length).toBeLessThan(MOST_MESSAGE_CHARS + 64);
    expect(text).toContain('10000000 characters');
  });

  it('is well formed and without controls whatever it was, and one line in a file', () => {
    fc.assert(
      // by UTF-16 unit: halves of surrogate pairs come, too
      fc.property(fc.array(fc.nat(0xffff)), (units) => {
        const text = String.fromCharCode(...units);
        expect(safeText(text).isWellFormed()).toBe(true);
        expect(formatLogLine(record(text))).not.toMatch(/[^\P{Cc}\t]/u);
      }),
    );
  });
});

describe('the fields of a record', () => {
  it('end whatever they hold: cycles, getters that throw, endless lists, cyclic errors', () => {
    const cyclic = new Error('one', { cause: new Error('two') });
    if (cyclic.cause instanceof Error) cyclic.cause.cause = cyclic;
    const trap = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    const shown = JSON.stringify(
      safeFields({ cyclic, trap, bytes: Buffer.alloc(1_000_000), list: Array.from({ length: 100_000 }, (_, n) => n) }),
    );
    expect(shown).toContain('[cycle]');
    expect(shown).toContain('[unreadable]');
    expect(shown).toContain('[1000000 bytes]');
    expect(shown.length).toBeLessThan(10_000);
  });

  it('are plain data for anything at all', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }), (value) => {
        const fields = safeFields({ value });
        expect(safeFields(fields)).toEqual(fields);
        JSON.stringify(fields);
      }),
    );
  });
});

describe('URLs in the log', () => {
  it.each([
    ['postgresql://isg:s3cret@db:5432/isg', 'postgresql://isg:***@db:5432/isg'],
    ['GET https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=abc123&x=1', /Date=1&X-Amz-Signature=\*\*\*&x=1$/],
    [
      'https://a.blob.core.windows.net/c/b?sv=2020&sig=aB%2Bc%3D',
      'https://a.blob.core.windows.net/c/b?sv=2020&sig=***',
    ],
    ['at 10:02:11 a user@host said: design=good', 'at 10:02:11 a user@host said: design=good'],
    ['see https://app.iconik.io/asset/1?q=2', 'see https://app.iconik.io/asset/1?q=2'],
  ])('%s grants nothing', (text, expected) => {
    if (typeof expected === 'string') expect(withoutUrlSecrets(text)).toBe(expected);
    else expect(withoutUrlSecrets(text)).toMatch(expected);
  });

  it('are struck out of fields too, before a long one is cut', () => {
    const seen: LogRecord[] = [];
    const url = `https://h/${'p'.repeat(8_150)}?sig=verysecret`;
    createRedactor(() => [])((each) => seen.push(each))(record('x', 'info', { error: new Error(`PUT ${url}`) }));
    expect(JSON.stringify(seen)).not.toContain('verysecret');
  });
});

describe('the same failure again', () => {
  it('is written once, counted for a minute, and told of with its number and since when', () => {
    const repeats = createRepeatCounter();
    const at = Date.parse('2026-01-01T10:02:00Z');
    const fail = (n: number) => record('Health of NAS: not mounted', 'warn', { storageId: 's' }, at + n * 1_000);
    const written = Array.from({ length: 38 }, (_, n) => repeats.take(fail(n), n * 1_000)).flat();
    expect(written).toHaveLength(1);
    expect(repeats.tell(REPEAT_WINDOW_MS - 1)).toEqual([]);
    const [told] = repeats.tell(REPEAT_WINDOW_MS);
    expect(told?.message).toBe('Health of NAS: not mounted (the same 37 times since 10:02 UTC)');
    expect(told?.fields).toEqual({ storageId: 's' });
    expect(repeats.tell(REPEAT_WINDOW_MS * 2)).toEqual([]);
    expect(repeats.take(fail(99), REPEAT_WINDOW_MS * 2 + 1)).toHaveLength(1);
  });

  it('is another failure when a field differs, and what is no failure is never held back', () => {
    const repeats = createRepeatCounter();
    expect(repeats.take(record('a', 'error', { n: 1 }), 0)).toHaveLength(1);
    expect(repeats.take(record('a', 'error', { n: 2 }), 0)).toHaveLength(1);
    for (let n = 0; n < 3; n += 1) expect(repeats.take(record('a'), 0)).toHaveLength(1);
  });

  it('loses no failure: what was written and what was told of add up, whatever comes', () => {
    const step = fc.record({ what: fc.integer({ min: 0, max: 700 }), afterMs: fc.integer({ min: 0, max: 40_000 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const repeats = createRepeatCounter();
        let nowMs = 0;
        let counted = 0;
        const add = (records: LogRecord[]) => {
          for (const { message } of records) {
            const times = /the same (\d+) times/.exec(message)?.[1];
            counted += times === undefined ? 1 : Number(times);
          }
        };
        for (const { what, afterMs } of steps) {
          nowMs += afterMs;
          add(repeats.take(record(`failure ${what}`, 'error'), nowMs));
          add(repeats.tell(nowMs));
        }
        add(repeats.end());
        expect(counted).toBe(steps.length);
      }),
    );
  });
});

describe('a storm of lines', () => {
  const limits = { burst: 100, perSecond: 10 };
  const flood = (count: number, seconds: number) => {
    let nowMs = 0;
    const seen: LogRecord[] = [];
    const sink = createStormGuard(
      (each) => seen.push(each),
      limits,
      () => nowMs,
    );
    for (let n = 0; n < count; n += 1) {
      nowMs = (n * seconds * 1_000) / count;
      sink(record(`line ${n}`));
    }
    nowMs += 60_000;
    sink(record('after it'));
    return seen;
  };

  it('of a million lines in a minute writes what the pace allows, and says exactly how many were left out', () => {
    const seen = flood(1_000_000, 60);
    expect(seen.length).toBeLessThan(100 + 60 * 10 + 20);
    const told = seen.reduce((sum, { fields }) => sum + Number(fields.leftOut ?? 0), 0);
    const written = seen.filter(({ fields }) => fields.leftOut === undefined).length;
    expect(told + written).toBe(1_000_001);
  });

  it('lets everything pass that stays within the pace', () => {
    expect(flood(500, 60)).toHaveLength(501);
  });

  it('leaves errors the last of the room', () => {
    const seen: string[] = [];
    const sink = createStormGuard(
      ({ message }) => seen.push(message),
      limits,
      () => 0,
    );
    for (let n = 0; n < 1_000; n += 1) sink(record('noise'));
    sink(record('the cause', 'error'));
    expect(seen.at(-1)).toBe('the cause');
  });
});
