import type { LogRecord } from './logger.ts';

/** How long the same failure is only counted before it is told how often it came. */
export const REPEAT_WINDOW_MS = 60_000;
/** Different failures that are watched at a time; the one that began first is told of and let go. */
const MOST_WATCHED = 500;

/** A failure that was written and is watched since. */
interface Watched {
  /** As it came last. */
  record: LogRecord;
  /** Monotonic, of the window. */
  sinceMs: number;
  /** Wall clock of the first one that was not written. */
  firstAtMs: number;
  count: number;
}

/** Counts failures that are the same again; the first is written at once, the others are told of together. */
export interface RepeatCounter {
  /** Takes a record and answers what to write now. `nowMs` is monotonic: no jump of the wall clock ends a window. */
  take(record: LogRecord, nowMs: number): LogRecord[];
  /** Tells of failures whose window is over; those that did not come again are forgotten. */
  tell(nowMs: number): LogRecord[];
  /** Tells of all; for the end. */
  end(): LogRecord[];
}

const clockTime = (atMs: number): string => new Date(atMs).toISOString().slice(11, 16);

/** The sentence about failures that were only counted; nothing when there were none. */
function summary({ record, count, firstAtMs }: Watched): LogRecord[] {
  if (count === 0) return [];
  const times = count === 1 ? 'once more' : `${count} times`;
  return [{ ...record, message: `${record.message} (the same ${times} since ${clockTime(firstAtMs)} UTC)` }];
}

/** Warnings and errors are the same when all but their time is equal. No timers: whoever owns it calls `tell`. */
export function createRepeatCounter(): RepeatCounter {
  const watching = new Map<string, Watched>();
  const letGoOfOldest = (): LogRecord[] => {
    const [oldest] = watching;
    if (watching.size <= MOST_WATCHED || !oldest) return [];
    watching.delete(oldest[0]);
    return summary(oldest[1]);
  };
  return {
    take: (record, nowMs) => {
      if (record.level !== 'warn' && record.level !== 'error') return [record];
      const key = `${record.level} ${record.message} ${JSON.stringify(record.fields)}`;
      const watched = watching.get(key);
      if (!watched) {
        watching.set(key, { record, sinceMs: nowMs, firstAtMs: 0, count: 0 });
        return [...letGoOfOldest(), record];
      }
      watched.record = record;
      if (watched.count === 0) watched.firstAtMs = record.atMs;
      watched.count += 1;
      if (nowMs - watched.sinceMs < REPEAT_WINDOW_MS) return [];
      const said = summary(watched);
      Object.assign(watched, { sinceMs: nowMs, count: 0 });
      return said;
    },
    tell: (nowMs) => {
      const said: LogRecord[] = [];
      for (const [key, watched] of watching) {
        if (nowMs - watched.sinceMs < REPEAT_WINDOW_MS) continue;
        if (watched.count === 0) watching.delete(key);
        said.push(...summary(watched));
        Object.assign(watched, { sinceMs: nowMs, count: 0 });
      }
      return said;
    },
    end: () => {
      const said = [...watching.values()].flatMap(summary);
      watching.clear();
      return said;
    },
  };
}
