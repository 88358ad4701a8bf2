import type Database from 'better-sqlite3';
import { LOG_LEVELS } from '../../contract/index.ts';
import { asciiLower } from './ascii-lower.ts';
import type { LogFilter } from './log-messages.ts';
import { assertInOrder, type StoredRow, toStoredRow } from './outbox-file.ts';

/** Records looked at in one look back: about 10 ms. */
const STRETCH = 10_000;

// The stretch ends at the STRETCH-th record before @before; then only what fits is read.
const STRETCH_END = 'SELECT seq FROM log_record WHERE seq < @before ORDER BY seq DESC LIMIT 1 OFFSET @stretch';
const LOOK_BACK = `SELECT seq, at_ms, level, message, fields FROM log_record
WHERE seq < @before AND seq >= @from AND level >= @level AND at_ms >= @fromMs AND at_ms <= @toMs
  AND (@text = '' OR instr(lower(message), @text) > 0 OR instr(lower(fields), @text) > 0)
  AND (@mention = '' OR instr(fields, @mention) > 0 OR instr(message, @mention) > 0)
ORDER BY seq DESC LIMIT @limit`;

/**
 * Looks back from `beforeSeq` (null = the end) over a bounded stretch of the file, so that a rare filter never holds up what
 * is written: at most `limit` records that fit, oldest first. `reachedSeq`: every wanted record from here on is among them;
 * null when nothing lies before.
 */
export function lookBack(
  database: Database.Database,
  { beforeSeq, limit, filter }: { beforeSeq: number | null; limit: number; filter: LogFilter },
): { rows: StoredRow[]; reachedSeq: number | null } {
  const before = beforeSeq ?? Number.MAX_SAFE_INTEGER;
  const end = database
    .prepare(STRETCH_END)
    .pluck()
    .get({ before, stretch: STRETCH - 1 });
  const from = typeof end === 'number' ? end : 0;
  const found = database.prepare(LOOK_BACK).all({
    before,
    from,
    level: LOG_LEVELS.indexOf(filter.minLevel),
    fromMs: filter.fromMs ?? 0,
    toMs: filter.toMs ?? Number.MAX_SAFE_INTEGER,
    text: asciiLower(filter.text),
    mention: filter.mention ?? '',
    limit,
  });
  const rows = found.map(toStoredRow).reverse();
  for (const [n, { seq }] of rows.entries()) assertInOrder(seq, rows[n - 1]?.seq ?? 0, before);
  const isFull = rows.length === limit;
  return { rows, reachedSeq: isFull ? (rows[0]?.seq ?? null) : from > 0 ? from : null };
}
