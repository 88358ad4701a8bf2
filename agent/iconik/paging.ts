import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { CallLimits, Entity } from './api.ts';
import type { Query, ServiceRequests } from './service-requests.ts';
import { isNotFound, parseAnswer } from './service-requests.ts';

/** Records per request; more than 100 is refused by some lists (storage files, jobs). */
const PER_PAGE = 100;
/** iconik's own limit of page numbers (reference C.1); also the end of any loop. */
const MAX_PAGES = 10_000;

/** iconik's list envelope; only `objects` is always there. */
const pageSchema = z.looseObject({
  objects: z
    .array(z.unknown())
    .nullish()
    .transform((objects) => objects ?? []),
  pages: z.number().nullish().catch(null),
});

type Page = z.infer<typeof pageSchema>;

/** A list to read. */
export interface ListRequest<T extends Entity> {
  requests: ServiceRequests;
  path: string;
  schema: z.ZodType<T>;
  query?: Query;
  limits?: CallLimits | undefined;
  /**
   * What to do with a record that cannot be read: `throw` (look-ups, where a record unseen may become a twin) or `skip`
   * with a warning (queues, where one odd record must not block the others).
   */
  unreadable: 'throw' | 'skip';
  /** Records per request where it differs from 100; null where the published call knows no page size. */
  perPage?: number | null;
}

function readRecords<T extends Entity>(request: ListRequest<T>, page: Page, log: Logger): T[] {
  const records: T[] = [];
  for (const object of page.objects) {
    try {
      records.push(parseAnswer(request.schema, object, request.path));
    } catch (error) {
      if (request.unreadable === 'throw') throw error;
      log.warn('A record of iconik cannot be read and is left alone', { path: request.path, error });
    }
  }
  return records;
}

function endless(path: string): IsgError {
  return new IsgError('iconik-answer-unreadable', `The list ${path} does not end after ${MAX_PAGES} pages.`, {
    retry: 'permanent',
    fields: { path },
  });
}

function idOf(object: unknown): string | null {
  const parsed = z.looseObject({ id: z.string() }).safeParse(object);
  return parsed.success ? parsed.data.id : null;
}

/**
 * All records of a keyset list (`last_id`). Reads on until an empty page: a short page proves nothing, as the server may
 * cap `per_page`. A page that repeats only known records ends the list with a warning, since the server ignores `last_id`.
 * A 404 is the end too: some lists answer it instead of an empty page; `missing: 'throw'` lets it through on the first page.
 */
export async function keysetList<T extends Entity>(
  request: ListRequest<T> & { missing: 'empty' | 'throw'; startAfter?: string | null },
): Promise<T[]> {
  const { requests, path, query, limits } = request;
  const found = new Map<string, T>();
  const seen = new Set<string>();
  let lastId = request.startAfter ?? null;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const perPage = request.perPage === undefined ? PER_PAGE : request.perPage;
    const options = { query: { ...query, per_page: perPage, last_id: lastId }, limits };
    const page = await requests.read(path, pageSchema, options).catch((error: unknown) => {
      if (isNotFound(error) && (pages > 0 || request.missing === 'empty')) return null;
      throw error;
    });
    if (page === null || page.objects.length === 0) return [...found.values()];
    const ids = page.objects.map(idOf);
    const hasNew = ids.some((id) => id !== null && !seen.has(id));
    for (const record of readRecords(request, page, requests.log)) found.set(record.id, record);
    for (const id of ids) if (id !== null) seen.add(id);
    const next = ids.findLast((id) => id !== null) ?? null;
    if (!hasNew || next === null) {
      requests.log.warn('A list of iconik repeats itself; what follows is not seen', { path });
      return [...found.values()];
    }
    lastId = next;
  }
  throw endless(path);
}

/**
 * Records of a numbered list, page by page, each once. Ends at the last page that the server names, else at an empty one;
 * a page that repeats only known records ends it too.
 */
export async function* numberedList<T extends Entity>(request: ListRequest<T>): AsyncGenerator<T, void, undefined> {
  const { requests, path, query, limits } = request;
  const seen = new Set<string>();
  for (let page = 1; page <= MAX_PAGES; page++) {
    const options = { query: { ...query, page, per_page: request.perPage ?? PER_PAGE }, limits };
    const answer = await requests.read(path, pageSchema, options);
    const fresh = readRecords(request, answer, requests.log).filter((record) => !seen.has(record.id));
    for (const record of fresh) seen.add(record.id);
    yield* fresh;
    const isLast = typeof answer.pages === 'number' && answer.pages > 0 && page >= answer.pages;
    if (answer.objects.length === 0 || fresh.length === 0 || isLast) return;
  }
  throw endless(path);
}

/** All records of a numbered list. */
export async function wholeNumberedList<T extends Entity>(request: ListRequest<T>): Promise<T[]> {
  const records: T[] = [];
  for await (const record of numberedList(request)) records.push(record);
  return records;
}
