import { z } from 'zod';
import type { LogLine } from '../../agent/contract/index.ts';
import { AppError } from '../support/app-error.ts';
import { createLineFilter, type LineFilter } from './line-filter.ts';
import type { ParsedLogLine } from './log-line.ts';
import { readLogSource, type SourcePosition, type SourceRecord } from './log-source.ts';

/** One page that is asked for. */
export interface LogFilesRequest extends LineFilter {
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
 * A range of time is found by halving at its end and left at its beginning. Lines that lie so far beyond it by their place,
 * because the clock was set meanwhile, are found all the same.
 */
const SLACK_MS = 60_000;

/**
 * A page of main.log and agent.log together, in order of time. Only the page itself and one chunk per file are in memory.
 * `seq` falls strictly from newer to older lines of one reading, and so names a line within it.
 */
export async function readLogFiles(folder: string, request: LogFilesRequest): Promise<LogFilesPage> {
  const cursor = request.cursor === null ? null : parseCursor(request.cursor);
  const readers = SOURCES.map((name, index) => {
    const from = cursor?.at[index] ?? null;
    const toMs = request.toMs === null ? null : request.toMs + SLACK_MS;
    return cursor !== null && from === null ? null : readLogSource(folder, name, from, toMs);
  });
  try {
    return await mergePage(readers, request, cursor?.seq ?? Number.MAX_SAFE_INTEGER);
  } finally {
    for (const reader of readers) await reader?.return(undefined);
  }
}

type Reader = AsyncGenerator<SourceRecord> | null;

/** Lines judged together: a pattern is given its time for all of them. */
const BATCH_LINES = 500;
/** A page of rare matches is handed over with what it has after this long. */
const PAGE_MS = 500;

interface Candidate {
  line: ParsedLogLine;
  /** Where each source goes on after it. */
  at: (SourcePosition | null)[];
}

async function mergePage(readers: readonly Reader[], request: LogFilesRequest, before: number): Promise<LogFilesPage> {
  const startedMs = performance.now();
  const heads = await Promise.all(readers.map(takeNext));
  const select = createLineFilter(request);
  const lines: LogLine[] = [];
  const stopMs = request.fromMs === null ? Number.NEGATIVE_INFINITY : request.fromMs - SLACK_MS;
  let at = placesOf(heads, stopMs);
  let seq = before;
  do {
    const batch = await takeBatch(readers, heads, stopMs);
    const passes = select(batch.map(({ line }) => line));
    for (const [index, candidate] of batch.entries()) {
      if (lines.length >= request.limit) break;
      at = candidate.at;
      if (passes[index] !== true) continue;
      seq = Math.min(candidate.line.atMs * SEQ_PER_MS + SEQ_PER_MS - 1, seq - 1);
      lines.push({ seq, ...candidate.line });
    }
    if (batch.length < BATCH_LINES) break;
  } while (lines.length < request.limit && performance.now() - startedMs < PAGE_MS);
  const isMore = at.some((place) => place !== null);
  return { lines: lines.reverse(), nextCursor: isMore ? writeCursor(at, seq) : null };
}

/** Where each source goes on; one that has nothing left from `stopMs` on is at its end. */
const placesOf = (heads: readonly (SourceRecord | null)[], stopMs: number) =>
  heads.map((head) => (head && head.line.atMs >= stopMs ? head.from : null));

/** The next lines of all sources, newest first; fewer than `BATCH_LINES` at their end. */
async function takeBatch(
  readers: readonly Reader[],
  heads: (SourceRecord | null)[],
  stopMs: number,
): Promise<Candidate[]> {
  const batch: Candidate[] = [];
  while (batch.length < BATCH_LINES) {
    const newest = indexOfNewest(heads);
    const head = heads[newest];
    if (head === undefined || head === null || head.line.atMs < stopMs) break;
    heads[newest] = await takeNext(readers[newest] ?? null);
    batch.push({ line: head.line, at: placesOf(heads, stopMs) });
  }
  return batch;
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
