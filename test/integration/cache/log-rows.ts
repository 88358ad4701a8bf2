import type { EncodedRecord } from '../../../agent/cache/log/log-encoding.ts';
import { packBatch } from '../../../agent/cache/log/log-encoding.ts';
import { LogKeeper } from '../../../agent/cache/log/log-keeper.ts';
import type { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { LOG_LEVELS, type LogSeverity } from '../../../agent/contract/index.ts';

/** A record as a file takes it, of about 200 bytes. */
export function row(message: string, level: LogSeverity = 'info'): EncodedRecord {
  const fields = JSON.stringify({ role: 'MAIN', path: 'x'.repeat(100) });
  return { level: LOG_LEVELS.indexOf(level), atMs: 1_700_000_000_000, message, fields };
}

/** A keeper in the test's own thread, with what it told. */
export function openKeeper(path: string, options: { runId?: string; capBytes?: number } = {}) {
  const told: string[] = [];
  let storedUpTo = 0;
  const keeper = new LogKeeper({
    path,
    runId: options.runId ?? crypto.randomUUID(),
    capBytes: options.capBytes ?? 64_000_000,
    retentionMs: Number.MAX_SAFE_INTEGER,
    wallMs: () => Date.now(),
    onStored: (_, upTo) => {
      storedUpTo = upTo;
    },
    onTold: (_, message) => told.push(message),
  });
  let batchNo = 0;
  return {
    keeper,
    told,
    storedUpTo: () => storedUpTo,
    /** Hands a batch over; it is written at the next look, or by itself a moment later. */
    put: (records: readonly EncodedRecord[]) => {
      batchNo += 1;
      keeper.take(packBatch(batchNo, records, [0, 0, 0, 0]));
      return batchNo;
    },
    /** All records that can be read, oldest first. */
    read: () => keeper.look(null, 10_000, EVERYTHING).rows,
  };
}

const EVERYTHING = { minLevel: 'debug', text: '', mention: null, fromMs: null, toMs: null } as const;

/** Numbers and messages of all records of a file. */
export const contents = (file: OutboxFile): [number, string][] =>
  file.readAfter(0, 1_000_000, Number.POSITIVE_INFINITY).map(({ seq, message }) => [seq, message]);
