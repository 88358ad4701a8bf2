import { z } from 'zod';
import type { LogLine } from '../../agent/contract/index.ts';
import { AppError } from '../support/app-error.ts';
import { LEVEL_RANK, type LogLevel, type ParsedLogLine } from './log-line.ts';
import { readLogSource, type SourcePosition, type SourceRecord } from './log-source.ts';

/** One page that is asked for. */
export interface LogFilesRequest {
  minLevel: LogLevel;
  /** Found anywhere in message or fields, whatever the case; empty = all. */
  text: string;
  cursor: string | null;
  limit: number;
}

/** One page, oldest line first. */
export interface LogFilesPage {
  lines: LogLine[];
  /** For the page before this one; null when there is none. */
  nextCursor: string | null;
}

const positionSchema = z.object({ file: z.string(), offset: z.number().int().nonnegative() });
/** What a cursor says: where each source goes on (null = it is at its end), and the last `seq` that was given out. */
const cursorSchema = z.object({ at: z.array(positionSchema.nullable()), seq: z.number() });

/** The files that are merged. */
const SOURCES = ['main', 'agent'] as const;
/** `seq` = milliseconds × this + a number that counts down within the millisecond; below 2^53 until the year 2255. */
const SEQ_PER_MS = 1_000;

/**
 * A page of main.log and agent.log together, in order of time. Only the page itself and one chunk per file are in memory.
 * `seq` falls strictly from newer to older lines of one reading, and so names a line within it.
 */
export async function readLogFiles(folder: string, request: LogFilesRequest): Promise<LogFilesPage> {
  const cursor = request.cursor === null ? null : parseCursor(request.cursor);
  const readers = SOURCES.map((name, index) => {
    const from = cursor?.at[index] ?? null;
    return cursor !== null && from === null ? null : readLogSource(folder, name, from);
  });
  try {
    return await mergePage(readers, request, cursor?.seq ?? Number.MAX_SAFE_INTEGER);
  } finally {
    for (const reader of readers) await reader?.return(undefined);
  }
}

type Reader = AsyncGenerator<SourceRecord> | null;

async function mergePage(readers: readonly Reader[], request: LogFilesRequest, before: number): Promise<LogFilesPage> {
  const heads = await Promise.all(readers.map(takeNext));
  const isWanted = createFilter(request);
  const lines: LogLine[] = [];
  let seq = before;
  while (lines.length < request.limit) {
    const newest = indexOfNewest(heads);
    const head = heads[newest];
    if (head === undefined || head === null) break;
    if (isWanted(head.line)) {
      seq = Math.min(head.line.atMs * SEQ_PER_MS + SEQ_PER_MS - 1, seq - 1);
      lines.push({ seq, ...head.line });
    }
    heads[newest] = await takeNext(readers[newest] ?? null);
  }
  const isMore = heads.some((head) => head !== null);
  const at = heads.map((head) => head?.from ?? null);
  return { lines: lines.reverse(), nextCursor: isMore ? writeCursor(at, seq) : null };
}

async function takeNext(reader: Reader): Promise<SourceRecord | null> {
  const next = await reader?.next();
  return next === undefined || next.done ? null : next.value;
}

function indexOfNewest(heads: readonly (SourceRecord | null)[]): number {
  let newest = -1;
  for (const [index, head] of heads.entries()) {
    if (head !== null && head.line.atMs > (heads[newest]?.line.atMs ?? Number.NEGATIVE_INFINITY)) newest = index;
  }
  return newest;
}

function createFilter({ minLevel, text }: LogFilesRequest): (line: ParsedLogLine) => boolean {
  const least = LEVEL_RANK[minLevel];
  const wanted = text.toLowerCase();
  return (line) =>
    LEVEL_RANK[line.level] >= least &&
    (wanted === '' || `${line.message} ${line.fields}`.toLowerCase().includes(wanted));
}

function writeCursor(at: readonly (SourcePosition | null)[], seq: number): string {
  return Buffer.from(JSON.stringify({ at, seq })).toString('base64url');
}

function parseCursor(cursor: string): z.infer<typeof cursorSchema> {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (thrown) {
    throw new AppError('cursor-invalid', 'This page of the log is not known. Open the log anew.', 'permanent', thrown);
  }
}
