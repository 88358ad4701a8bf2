import { IsgError } from '../../runtime/errors.ts';

/** A cursor is opaque to its reader: where a list goes on, as JSON in base64url. */
export function makeCursor(place: unknown): string {
  return Buffer.from(JSON.stringify(place), 'utf8').toString('base64url');
}

/** The place in a cursor; null for the beginning. Throws `unexpected` (permanent) for what is no cursor of ours. */
export function readCursor<T>(cursor: string | null, parse: (place: unknown) => T | undefined): T | null {
  if (cursor === null) return null;
  try {
    const place = parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (place !== undefined) return place;
  } catch {
    // ignored because whatever cannot be read is refused in the same words below
  }
  throw new IsgError('unexpected', 'The place in the list is not known any more. Read the list from its beginning.', {
    retry: 'permanent',
  });
}
