import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { LogLine } from '../../../agent/contract/index.ts';
import { callBridge } from '../../bridge/call.ts';
import { useBridgeEvent } from '../../bridge/use-bridge-event.ts';
import type { LogPage } from './log-buffer.ts';
import { type LogFilter, type LogQuery, passes, queryOf } from './log-filter.ts';
import { createLogReader, type LogReader, type LogReaderState, type LogSource } from './log-reader.ts';

/** Lines a page: the most the contract allows; a page is about ten screens. */
const PAGE_LINES = 500;
/** Live lines are drawn together at this pace: faster is not read, slower feels late. */
const LIVE_PACE_MS = 100;
/** A page that could not be read is tried again after this long. */
const RETRY_MS = 3_000;

async function readPage(source: LogSource, query: LogQuery, cursor: string | null): Promise<LogPage> {
  if (source === 'agent') return callBridge('logs.read', { ...query, cursor, limit: PAGE_LINES });
  const { minLevel, text } = query;
  const page = await callBridge('logs.read-files', { minLevel, text, cursor, limit: PAGE_LINES });
  // The files are narrowed by level and text only; time and storage are ours to look at.
  return { lines: page.lines.filter((line) => passes(line, query)), nextCursor: page.nextCursor };
}

/** A reader of log lines for one view, with live lines joined to it. */
export function useLogReader(source: LogSource, filter: LogFilter): { reader: LogReader; state: LogReaderState } {
  const [reader] = useState(() => createLogReader(readPage));
  const state = useSyncExternalStore(reader.subscribe, reader.get);
  useEffect(() => reader.open(source, queryOf(filter, Date.now())), [reader, source, filter]);

  const waiting = useRef<{ lines: LogLine[]; timer: ReturnType<typeof setTimeout> | undefined }>({
    lines: [],
    timer: undefined,
  });
  useBridgeEvent('log-lines', (lines) => {
    const { current } = waiting;
    current.lines.push(...lines);
    current.timer ??= setTimeout(() => {
      const arrived = current.lines;
      current.lines = [];
      current.timer = undefined;
      reader.take(arrived);
    }, LIVE_PACE_MS);
  });
  useEffect(() => () => clearTimeout(waiting.current.timer), []);

  useEffect(() => {
    if (state.error === null) return;
    const timer = setTimeout(() => reader.older(), RETRY_MS);
    return () => clearTimeout(timer);
  }, [reader, state.error]);
  return { reader, state };
}
