import { useEffect, useState, useSyncExternalStore } from 'react';
import { callBridge } from '../../bridge/call.ts';
import { type JobFilter, listParams } from './job-filter.ts';
import { createJobReader, type JobReader, type JobReaderState } from './job-reader.ts';

/** How often the rows in view are read again. */
const REFRESH_MS = 2_000;

const readPage = (filter: JobFilter, cursor: string | null, limit: number) =>
  callBridge('jobs.list', listParams(filter, cursor, limit));

/** A reader of `jobs.list` for one table, kept fresh while the window is seen. `isPaused`: nobody would answer now. */
export function useJobReader(filter: JobFilter, isPaused: boolean): { reader: JobReader; state: JobReaderState } {
  const [reader] = useState(() => createJobReader(readPage));
  const state = useSyncExternalStore(reader.subscribe, reader.get);
  useEffect(() => reader.setFilter(filter), [reader, filter]);
  useEffect(() => {
    if (isPaused) return;
    reader.refresh();
    const timer = setInterval(() => {
      if (!document.hidden) reader.refresh();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [reader, isPaused]);
  return { reader, state };
}
