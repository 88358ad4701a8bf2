import { z } from 'zod';
import { LOG_LEVELS, type LogLine, type LogSeverity } from '../../contract/index.ts';
import type { LogDirection, LogKeeper } from '../../runtime/log-page.ts';
import type { Database } from '../../runtime/sql.ts';

// The log of another node, as its records came to the database. A node's outboxes follow each other (a new one begins when
// its file was lost); a number of the view names the outbox by its place and the record by its number in it.

/** Numbers of one outbox; 2^42 records are 1,000 years of 100 a second. */
const OUTBOX_SPAN = 2 ** 42;

const OUTBOXES =
  'SELECT outbox_id::text FROM log_outbox WHERE worker_id = $1 ORDER BY shipped_at, outbox_id LIMIT 1000';
const NEAREST_OLDER = 'SELECT max(seq)::float8 AS seq FROM node_log WHERE outbox_id = $1::uuid AND seq <= $2';
const NEAREST_NEWER = 'SELECT min(seq)::float8 AS seq FROM node_log WHERE outbox_id = $1::uuid AND seq >= $2';
const INSTANT = `SELECT (extract(epoch FROM at) * 1000)::float8 AS at_ms FROM node_log
WHERE outbox_id = $1::uuid AND seq = $2`;

const WHERE = `outbox_id = $1::uuid AND seq BETWEEN $2 AND $3 AND level >= $4
  AND ($5::float8 IS NULL OR at >= to_timestamp($5 / 1000)) AND ($6::float8 IS NULL OR at <= to_timestamp($6 / 1000))
  AND ($7 = '' OR strpos(lower(message), lower($7)) > 0 OR strpos(lower(fields::text), lower($7)) > 0
    OR strpos(lower(concat_ws(' ', 'role ' || role, 'jobId ' || job_id, 'storageId ' || storage_id, 'term ' || term)), lower($7)) > 0)
  AND ($8::text IS NULL OR storage_id = $8 OR strpos(message, $8) > 0 OR strpos(fields::text, $8) > 0)`;
const COLUMNS = `seq::float8, (extract(epoch FROM at) * 1000)::float8 AS at_ms, level, message, fields::text,
  role, job_id, storage_id, term::float8`;
const OLDER = `SELECT ${COLUMNS} FROM node_log WHERE ${WHERE} ORDER BY node_log.seq DESC LIMIT $9`;
const NEWER = `SELECT ${COLUMNS} FROM node_log WHERE ${WHERE} ORDER BY node_log.seq LIMIT $9`;

/** Rows judged at a time where nothing was sorted out before, and where most that is not wanted was. */
const JUDGED_ROWS = 2_000;
const SORTED_ROWS = 500;

const outboxRow = z.object({ outbox_id: z.string() });
const seqRow = z.object({ seq: z.number().nullable() });
const instantRow = z.object({ at_ms: z.number() });
const lineRow = z.object({
  seq: z.number(),
  at_ms: z.number(),
  level: z.number(),
  message: z.string(),
  fields: z.string(),
  role: z.string().nullable(),
  job_id: z.string().nullable(),
  storage_id: z.string().nullable(),
  term: z.number().nullable(),
});

/** How the log of a node is narrowed. */
export interface NodeLogFilter {
  minLevel: LogSeverity;
  /** Only lines that have this somewhere, whatever the case, are judged; empty = any. See `coarsely`. */
  text: string;
  /**
   * Judges lines further; null = all pass. Text and patterns are tried here: PostgreSQL keeps fields in another order with other
   * spaces, and its patterns mean other things in places (`.`, `\\b`), but a search is to find in each node's log what it finds
   * in the own one.
   */
  judge: ((lines: readonly LogLine[]) => Promise<boolean[]>) | null;
  storageId: string | null;
  fromMs: number | null;
  toMs: number | null;
}

/**
 * The longest piece of a text that is the same however fields are written: between two marks of JSON. A line that has the text
 * has the piece; for most texts it is all of it.
 */
export function coarsely(text: string): string {
  const pieces = text.split(/["\\{}[\]:,]+/);
  return pieces.reduce((longest, piece) => (piece.length > longest.length ? piece : longest), '');
}

/** Fields with what the record is about put back among them, as the node itself shows it, and as compact. */
function fieldsOf({ fields, role, job_id: jobId, storage_id: storageId, term }: z.infer<typeof lineRow>): string {
  const about = Object.entries({ role, jobId, storageId, term }).filter(([, value]) => value !== null);
  if (about.length === 0 && fields === '{}') return '';
  const parsed: unknown = JSON.parse(fields);
  return JSON.stringify({ ...Object.fromEntries(about), ...(typeof parsed === 'object' ? parsed : {}) });
}

/** The log of a worker as `node_log` has it, for `readLogPage`. Throws what `Database` throws. */
export async function nodeLog(
  database: Database,
  workerId: string,
  filter: NodeLogFilter,
): Promise<LogKeeper<LogLine>> {
  const outboxes = await database.query(OUTBOXES, [workerId], outboxRow);
  const idAt = (place: number) => outboxes[place]?.outbox_id ?? '';
  const placeOf = (seq: number) => Math.min(outboxes.length - 1, Math.max(0, Math.floor(seq / OUTBOX_SPAN)));
  const within = (seq: number, place: number) => Math.min(OUTBOX_SPAN - 1, Math.max(0, seq - place * OUTBOX_SPAN));
  const limits = [filter.fromMs, filter.toMs, filter.text, filter.storageId];
  return {
    nearest: async (seq, direction) => {
      const step = direction === 'older' ? -1 : 1;
      const text = direction === 'older' ? NEAREST_OLDER : NEAREST_NEWER;
      for (let place = placeOf(seq); place >= 0 && place < outboxes.length; place += step) {
        const [row] = await database.query(text, [idAt(place), within(seq, place)], seqRow);
        if (row?.seq != null) return place * OUTBOX_SPAN + row.seq;
      }
      return null;
    },
    instantOf: async (seq) => {
      const place = placeOf(seq);
      const [row] = await database.query(INSTANT, [idAt(place), within(seq, place)], instantRow);
      return row?.at_ms ?? 0;
    },
    matching: async ({ from, to, direction, limit }) => {
      // a stretch that ends beyond its outbox is looked at up to there; the next begins with the next outbox
      const place = placeOf(direction === 'older' ? to : from);
      const read = async (first: number, last: number, most: number) => {
        const values = [idAt(place), first, last, LOG_LEVELS.indexOf(filter.minLevel), ...limits, most];
        const rows = await database.query(direction === 'older' ? OLDER : NEWER, values, lineRow);
        return rows.map((row) => lineOf(row, place));
      };
      const { judge } = filter;
      if (!judge) return read(within(from, place), within(to, place), limit);
      const most = filter.text === '' ? JUDGED_ROWS : Math.max(SORTED_ROWS, limit);
      return readJudged({ from, to, direction, limit, most }, judge, (range) =>
        read(within(range.from, place), within(range.to, place), most),
      );
    },
  };
}

function lineOf(row: z.infer<typeof lineRow>, place: number): LogLine {
  return {
    seq: place * OUTBOX_SPAN + row.seq,
    atMs: row.at_ms,
    level: LOG_LEVELS[row.level] ?? 'info',
    message: row.message,
    fields: fieldsOf(row),
  };
}

interface Range {
  from: number;
  to: number;
}

/** Lines of a range that pass, up to `limit` of them; `read` gives at most `most` of a range at a time. */
async function readJudged(
  { from, to, direction, limit, most }: Range & { direction: LogDirection; limit: number; most: number },
  judge: NonNullable<NodeLogFilter['judge']>,
  read: (range: Range) => Promise<LogLine[]>,
): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for (let range = { from, to }; found.length < limit; ) {
    const lines = await read(range);
    const passes = await judge(lines);
    for (const [n, line] of lines.entries()) if (passes[n] === true && found.length < limit) found.push(line);
    const last = lines.at(-1);
    if (!last || lines.length < most) break;
    range = direction === 'older' ? { from, to: last.seq - 1 } : { from: last.seq + 1, to };
  }
  return found;
}
