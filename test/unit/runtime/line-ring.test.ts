import { describe, expect, it } from 'vitest';
import { createLineRing } from '../../../agent/runtime/log-sinks.ts';
import type { LogRecord } from '../../../agent/runtime/logger.ts';

const record = (message: string, level: LogRecord['level'] = 'info'): LogRecord => ({
  level,
  message,
  fields: {},
  atMs: 0,
});
const messages = (lines: readonly string[]) => lines.map((line) => line.split(' ').at(-1));

describe('the last lines', () => {
  it('are preceded by those of an earlier run, as far as there is room', () => {
    const ring = createLineRing({ lines: 4, errorLines: 2, maxChars: 100 });
    ring.sink(record('now-1'));
    ring.sink(record('now-2', 'error'));
    ring.precede([record('old-1', 'error'), record('old-2', 'error'), record('old-3')]);
    expect(messages(ring.lines())).toEqual(['old-2', 'old-3', 'now-1', 'now-2']);
    expect(messages(ring.errorLines())).toEqual(['old-2', 'now-2']);
    ring.sink(record('now-3'));
    ring.precede([record('older')]);
    expect(messages(ring.lines())).toEqual(['old-3', 'now-1', 'now-2', 'now-3']);
  });
});
