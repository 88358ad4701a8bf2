import { z } from 'zod';

/** Reading a node's log: where to read, and what comes back. A place is a `seq`; what is read at one is the same for ever. */

const seq = z.number().int();

/** Where reading begins. */
export const logPlaceSchema = z.discriminatedUnion('kind', [
  /** The newest lines. */
  z.object({ kind: z.literal('end') }),
  /** Lines with smaller numbers, the nearest ones. */
  z.object({ kind: z.literal('before'), seq }),
  /** Lines with larger numbers, the nearest ones. */
  z.object({ kind: z.literal('after'), seq }),
  /** Lines on both sides of this number, and that line itself. */
  z.object({ kind: z.literal('around'), seq }),
  /** Lines on both sides of an instant, milliseconds since the epoch. Near it, where the node's clock jumped. */
  z.object({ kind: z.literal('time'), atMs: z.number() }),
  /** Lines on both sides of a share of the whole log: 0 its beginning, 1 its end. */
  z.object({ kind: z.literal('share'), share: z.number().min(0).max(1) }),
]);
/** Where reading begins. */
export type LogPlace = z.infer<typeof logPlaceSchema>;

/** How the log is narrowed and where it is read. */
export const logQueryShape = {
  minLevel: z.enum(['debug', 'info', 'warn', 'error']),
  /** Looked for in message and fields, whatever the case; empty = any. */
  text: z.string().max(200),
  /** Whether `text` is a regular expression. */
  isPattern: z.boolean().default(false),
  storageId: z.string().nullable(),
  fromMs: z.number().nullable(),
  toMs: z.number().nullable(),
  at: logPlaceSchema.default({ kind: 'end' }),
  limit: z.number().int().min(1).max(500),
};

/** What frames a page: where to go on at either side, and how much there is in all. */
export const logPageFrame = {
  /** Go on with `before` this; null = nothing lies before. Lines in between do not match, where fewer came than asked for. */
  olderSeq: z.number().nullable(),
  /** Go on with `after` this; null = the end as it was then. */
  newerSeq: z.number().nullable(),
  /** First and last number of the whole log, whatever matches; null when it is empty. */
  extent: z.object({ firstSeq: z.number(), lastSeq: z.number() }).nullable(),
};
