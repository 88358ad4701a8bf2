import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatLogLine as formatAgentLine } from '../../../agent/runtime/log-sinks.ts';
import { formatLogLine, parseLogLine } from '../../../main/logging/log-line.ts';

const level = fc.constantFrom('debug' as const, 'info' as const, 'warn' as const, 'error' as const);
const message = fc.stringMatching(/^[a-zA-Z{}":,.%⏎é-][a-zA-Z{}":,.% ⏎é-]{0,30}[a-zA-Z.]$/);
const fields = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.oneof(fc.string(), fc.integer(), fc.boolean()));
const atMs = fc.integer({ min: 0, max: 4_000_000_000_000 });

describe('a log line', () => {
  it('reads back as it was written, by main as by the agent', () => {
    fc.assert(
      fc.property(level, message, fields, atMs, (severity, words, facts, at) => {
        const expected = {
          atMs: at,
          level: severity,
          message: words,
          fields: Object.keys(facts).length === 0 ? '' : JSON.stringify(facts),
        };
        // a message that itself ends in an object cannot be told from fields
        fc.pre(!words.endsWith('}'));
        expect(parseLogLine(formatLogLine(severity, words, facts, at))).toEqual(expected);
        const record = { level: severity, message: words, fields: facts, atMs: at };
        expect(parseLogLine(formatAgentLine(record))).toEqual(expected);
      }),
    );
  });

  it.each(['', '    at run (main.js:1:2)', '2026-01-01 INFO  x', '2026-01-01T00:00:00.000Z NOISE x'])(
    'is not begun by %j',
    (text) => {
      expect(parseLogLine(text)).toBeNull();
    },
  );

  it('never holds a line break', () => {
    expect(formatLogLine('warn', 'one\r\ntwo\nthree', { at: 'four\nfive' }, 0)).not.toMatch(/[\r\n]/);
  });

  it('shows an error object with its words and its place', () => {
    expect(formatLogLine('error', 'Failed', { error: new TypeError('no such thing') }, 0)).toContain('no such thing');
  });
});
