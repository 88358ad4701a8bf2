import type { Row, Table } from './table.ts';

/** The list envelope of reference C.1. */
export interface Page {
  objects: Row[];
  page?: number;
  pages?: number;
  per_page: number;
  total?: number;
  first_url?: string;
  next_url?: string | null;
  prev_url?: string | null;
  last_url?: string;
}

/** Unless the caller asks for another size (reference C.1). */
const DEFAULT_PER_PAGE = 10;

/** Where a list lives (path without query) and what was asked of it. */
export interface Listing {
  path: string;
  query: Record<string, unknown>;
}

const urlOf = (listing: Listing, changes: Record<string, string | number>): string => {
  const kept = Object.entries({ ...listing.query, ...changes }).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return `${listing.path}?${new URLSearchParams(kept).toString()}`;
};

/** Numbered pages, counted from 1, after sorting as `sort` says (`field,asc;other,desc`). */
export function numberedPage(rows: Row[], listing: Listing): Page {
  const perPage = Number(listing.query.per_page ?? DEFAULT_PER_PAGE);
  const page = Number(listing.query.page ?? 1);
  const sorted = typeof listing.query.sort === 'string' ? sortedBy(rows, listing.query.sort) : rows;
  const pages = Math.ceil(rows.length / perPage);
  return {
    objects: sorted.slice((page - 1) * perPage, page * perPage),
    page,
    pages,
    per_page: perPage,
    total: rows.length,
    first_url: urlOf(listing, { page: 1 }),
    next_url: page < pages ? urlOf(listing, { page: page + 1 }) : null,
    prev_url: page > 1 ? urlOf(listing, { page: page - 1 }) : null,
    last_url: urlOf(listing, { page: Math.max(1, pages) }),
  };
}

/** Keyset pages: what comes after the record `last_id` in the order of creation, also when that record is gone. */
export function keysetPage(rows: Row[], table: Table, listing: Listing): Page {
  const perPage = Number(listing.query.per_page ?? DEFAULT_PER_PAGE);
  const lastId = listing.query.last_id;
  const after = typeof lastId === 'string' ? table.position(lastId) : -1;
  const rest = rows.filter((row) => table.position(row.id) > after);
  const objects = rest.slice(0, perPage);
  const last = objects.at(-1);
  const hasMore = rest.length > objects.length && last !== undefined;
  return { objects, per_page: perPage, next_url: hasMore ? urlOf(listing, { last_id: last.id }) : null };
}

function sortedBy(rows: Row[], sort: string): Row[] {
  const keys = sort.split(';').map((part) => part.split(','));
  return [...rows].sort((a, b) => {
    for (const [field = '', direction] of keys) {
      const order = compare(a[field], b[field]);
      if (order !== 0) return direction === 'desc' ? -order : order;
    }
    return 0;
  });
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return sortText(a) < sortText(b) ? -1 : 1;
}

const sortText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null));
