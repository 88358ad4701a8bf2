import { describe, expect, it } from 'vitest';
import { IsgError } from '../../../agent/runtime/errors.ts';
import {
  createConsoleSink,
  createLevelFilter,
  createLineRing,
  createRedactor,
  formatLogLine,
} from '../../../agent/runtime/log-sinks.ts';
import { createLogger, type LogRecord } from '../../../agent/runtime/logger.ts';

const record = (fields: Record<string, unknown> = {}, message = 'hello'): LogRecord => ({
  level: 'info',
  message,
  fields,
  atMs: 0,
});

describe('createRedactor', () => {
  it('lets no known secret out of message or fields, at any depth, plain or percent-encoded', () => {
    const seen: LogRecord[] = [];
    const sink = createRedactor(() => ['s3cr+t/1', ''])((each) => seen.push(each));
    const error = new IsgError('unexpected', 'failed with s3cr+t/1', {
      retry: 'transient',
      cause: new Error('s3cr+t/1'),
    });
    const cyclic: Record<string, unknown> = { token: 's3cr+t/1' };
    cyclic.self = cyclic;
    sink(
      record(
        { error, cyclic, list: [{ url: new URL('http://h/?k=s3cr%2Bt%2F1') }], map: new Map([['s3cr+t/1', 1]]) },
        'uses s3cr+t/1',
      ),
    );
    const shown = JSON.stringify(seen);
    expect(shown).not.toContain('s3cr');
    expect(shown).toContain('***');
    expect(seen[0]?.message).toBe('uses ***');
  });

  it('asks for the secrets at each record', () => {
    const seen: string[] = [];
    let secrets: string[] = [];
    const sink = createRedactor(() => secrets)(({ message }) => seen.push(message));
    sink(record({}, 'token-1'));
    secrets = ['token-1'];
    sink(record({}, 'token-1'));
    expect(seen).toEqual(['token-1', '***']);
  });
});

describe('createLineRing', () => {
  it('keeps the last lines and the last errors, cut to length', () => {
    const ring = createLineRing({ lines: 3, errorLines: 1, maxChars: 40 });
    const log = createLogger([ring.sink], () => 0);
    log.error('first error');
    for (let n = 1; n <= 3; n += 1) log.info(`line ${n} ${'x'.repeat(100)}`);
    expect(ring.lines()).toHaveLength(3);
    expect(ring.lines().every((line) => line.length === 40)).toBe(true);
    expect(ring.errorLines()).toEqual(['1970-01-01T00:00:00.000Z ERROR first err']);
  });
});

describe('formatLogLine', () => {
  it('is one line whatever the message holds, with readable errors', () => {
    const line = formatLogLine(record({ error: new Error('why'), big: 5n, at: new Date(0) }, 'a\nb %s'));
    expect(line).toBe(
      '1970-01-01T00:00:00.000Z INFO  a ⏎ b %s {"error":{"name":"Error","message":"why"},"big":"5","at":"1970-01-01T00:00:00.000Z"}',
    );
  });
});

describe('sinks', () => {
  it('pass on only records of the wanted level, which may change', () => {
    const seen: string[] = [];
    let least: 'debug' | 'warn' = 'warn';
    const log = createLogger(
      [
        createLevelFilter(
          () => least,
          ({ message }) => seen.push(message),
        ),
      ],
      () => 0,
    );
    log.info('no');
    log.error('yes');
    least = 'debug';
    log.debug('now');
    expect(seen).toEqual(['yes', 'now']);
  });

  it('never throw, even when the stream does', () => {
    const sink = createConsoleSink({
      write: () => {
        throw new Error('EPIPE');
      },
    });
    expect(() => sink(record())).not.toThrow();
  });
});
