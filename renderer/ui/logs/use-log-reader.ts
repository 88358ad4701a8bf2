import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { LogLine, LogPlace } from '../../../agent/contract/index.ts';
import { callBridge } from '../../bridge/call.ts';
import { useBridgeEvent } from '../../bridge/use-bridge-event.ts';
import type { LogPage } from './log-buffer.ts';
import { isLive, type LogFilter, type LogQuery, queryOf } from './log-filter.ts';
import { createLogReader, type LogReader, type LogReaderState, type LogSource, type PagePlace } from './log-reader.ts';

/** Lines a page: the most the contract allows; a page is about ten screens. */
const PAGE_LINES = 500;
/** Live lines are drawn together at this pace: faster is not read, slower feels late. */
const LIVE_PACE_MS = 100;
/** Lines that do not arrive by themselves (of another node, for a pattern) are asked for at this pace. */
const ASK_PACE_MS = 1_000;
/** A page that could not be read is tried again after this long. */
const RETRY_MS = 3_000;

async function readAgent(query: LogQuery, at: LogPlace): Promise<LogPage> {
  const { lines, olderSeq, newerSeq, extent } = await callBridge('logs.read', { ...query, at, limit: PAGE_LINES });
  return { lines, older: olderSeq === null ? null : { kind: 'before', seq: olderSeq, atMs: 0 }, newerSeq, extent };
}

/** The files are read from their end or from an instant backwards. */
async function readFiles(query: LogQuery, at: PagePlace): Promise<LogPage> {
  const cursor = at.kind === 'cursor' ? at.cursor : null;
  const atMs = 'atMs' in at ? at.atMs : null;
  const toMs = atMs === null ? query.toMs : Math.min(atMs, query.toMs ?? atMs);
  const page = await callBridge('logs.read-files', { ...query, toMs, cursor, limit: PAGE_LINES });
  const older = page.nextCursor === null ? null : ({ kind: 'cursor', cursor: page.nextCursor } as const);
  const last = page.lines.at(-1)?.seq ?? 0;
  return { lines: page.lines, older, newerSeq: at.kind === 'time' ? last : null, extent: null };
}

function readPage(source: LogSource, query: LogQuery, at: PagePlace): Promise<LogPage> {
  if (source === 'files') return readFiles(query, at);
  if (at.kind === 'cursor') return Promise.reject(new Error('a cursor is a place of a file'));
  return readAgent(query, at.kind === 'before' ? { kind: 'before', seq: at.seq } : at);
}

function useLiveLines(reader: LogReader): void {
  const waiting = useRef<{ lines: LogLine[]; timer: ReturnType<typeof setTimeout> | undefined }>({
    lines: [],
    timer: undefined,
  });
  useBridgeEvent('log-lines', (lines) => {
    const { current } = waiting;
    for (const line of lines) current.lines.push(line);
    current.timer ??= setTimeout(() => {
      const arrived = current.lines;
      current.lines = [];
      current.timer = undefined;
      reader.take(arrived);
    }, LIVE_PACE_MS);
  });
  useEffect(() => () => clearTimeout(waiting.current.timer), []);
}

/** How a view is opened: narrowed so, at this place. */
export interface LogOpening {
  filter: LogFilter;
  at: LogPlace;
}

/** A reader of log lines for one view, with live lines joined to it. */
export function useLogReader(
  source: LogSource,
  { filter, at }: LogOpening,
): { reader: LogReader; state: LogReaderState } {
  const [reader] = useState(() => createLogReader(readPage));
  const state = useSyncExternalStore(reader.subscribe, reader.get);
  useEffect(() => reader.open(source, queryOf(filter, Date.now()), at), [reader, source, filter, at]);
  useLiveLines(reader);

  const isAsking = source === 'agent' && !isLive(queryOf(filter, 0));
  useEffect(() => {
    if (!isAsking) return;
    const timer = setInterval(() => {
      if (reader.get().buffer.newerSeq === null && reader.get().failure === null) reader.newer();
    }, ASK_PACE_MS);
    return () => clearInterval(timer);
  }, [reader, isAsking]);

  const { failure } = state;
  useEffect(() => {
    if (failure === null || failure.isFinal) return;
    const timer = setTimeout(() => reader.retry(), RETRY_MS);
    return () => clearTimeout(timer);
  }, [reader, failure]);
  return { reader, state };
}
