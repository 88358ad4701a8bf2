import type { B2LargeFiles } from '../object-store/b2-large-files.ts';
import type { MultipartUploads } from '../object-store/multipart-uploads.ts';
import type { ObjectDisk } from '../object-store/object-disk.ts';
import type { SignedUrls } from '../object-store/signed-urls.ts';
import type { IconikState } from '../state/iconik-state.ts';
import type { Page } from '../state/paging.ts';
import type { Row } from '../state/table.ts';

/** One checked call on its way to a handler. */
export interface Call {
  state: IconikState;
  /** Path without query. */
  path: string;
  params: Record<string, string>;
  query: Record<string, string | number | boolean>;
  /** Checked against the published schema; empty object when the call has none. */
  body: Record<string, unknown>;
  urls: SignedUrls;
  uploads: MultipartUploads;
  /** The objects, for calls that remove them. */
  disk: Pick<ObjectDisk, 'remove'>;
  b2: B2LargeFiles;
  /** Age in ms below which search-backed lists do not show a record. */
  listLagMs: number;
}

/** What a handler answers. It is reduced to the published properties before it leaves. */
export interface Answer {
  status: number;
  body?: unknown;
  /** Schema to reduce to where the published one is plainly another thing. */
  schema?: string;
}

/** One operation of the imitation; throws `ApiError` to refuse. */
export type Handler = (call: Call) => Answer | Promise<Answer>;

/** Handlers by `METHOD /path/{x}/`. */
export type Handlers = Record<string, Handler>;

/** A refusal in one of iconik's two error shapes: a list of texts, or a text per field (reference C.1). */
export class ApiError extends Error {
  readonly status: number;
  readonly errors: string[] | Record<string, string>;

  constructor(status: number, errors: string | Record<string, string>) {
    super(JSON.stringify(errors));
    this.status = status;
    this.errors = typeof errors === 'string' ? [errors] : errors;
  }
}

/** The record, or a 404. */
export function found(row: Row | undefined, what: string): Row {
  if (!row) throw new ApiError(404, `${what} not found`);
  return row;
}

/** A list answer. */
export const listed = (page: Page): Answer => ({ status: 200, body: page });

/** What a search-backed list shows of these records under the current lag. */
export function searchable(call: Call, rows: Row[], ageMs: (row: Row) => number): Row[] {
  return call.listLagMs > 0 ? rows.filter((row) => ageMs(row) >= call.listLagMs) : rows;
}
