import { z } from 'zod';
import type { LogLook, StoredLogRecord } from '../../cache/log/log-cache.ts';
import type { LogFilter } from '../../cache/log/log-messages.ts';
import type { AgentCallHandlers, LogLine } from '../../contract/index.ts';
import { makeCursor, readCursor } from './cursor.ts';

const placeSchema = z.object({ beforeSeq: z.number().int() });

/** A stored record as it travels. */
export function toLogLine({ seq, atMs, level, message, fields }: StoredLogRecord): LogLine {
  const isEmpty = Object.keys(fields).length === 0;
  return { seq, atMs, level, message, fields: isEmpty ? '' : JSON.stringify(fields) };
}

/** The log of this node. `lookBack` is one bounded look, done by the log's thread. */
export function logCalls(
  lookBack: (beforeSeq: number | null, limit: number, filter: LogFilter) => Promise<LogLook>,
): Pick<AgentCallHandlers, 'logs.read'> {
  return {
    'logs.read': async ({ minLevel, text, storageId, fromMs, toMs, cursor, limit }) => {
      const filter: LogFilter = { minLevel, text, mention: storageId, fromMs, toMs };
      const place = readCursor(cursor, (value) => placeSchema.safeParse(value).data);
      let beforeSeq = place?.beforeSeq ?? null;
      let found: StoredLogRecord[] = [];
      do {
        const look = await lookBack(beforeSeq, limit - found.length, filter);
        found = [...look.records, ...found];
        beforeSeq = look.reachedSeq;
      } while (found.length < limit && beforeSeq !== null);
      return {
        lines: found.map(toLogLine),
        nextCursor: beforeSeq === null ? null : makeCursor({ beforeSeq }),
      };
    },
  };
}
