import { z } from 'zod';
import type { LogBatch } from './log-encoding.ts';

/** What the node and the thread that keeps its log say to each other. */

const counts = z.array(z.number().int().nonnegative());

/** What a reader of the file wants to see. */
const filterSchema = z.object({
  minLevel: z.enum(['debug', 'info', 'warn', 'error']),
  text: z.string(),
  mention: z.string().nullable(),
  fromMs: z.number().nullable(),
  toMs: z.number().nullable(),
});

/** How a thread is begun. */
export const logThreadDataSchema = z.object({
  path: z.string(),
  runId: z.string(),
  capBytes: z.number().positive(),
  retentionMs: z.number().positive(),
  /** Int32: the last batch on disk. */
  memory: z.instanceof(SharedArrayBuffer),
});
/** How a thread is begun. */
export type LogThreadData = z.infer<typeof logThreadDataSchema>;

/** To the thread. */
export const toLogThreadSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('batch'),
    no: z.number(),
    texts: z.string(),
    atMs: z.instanceof(Float64Array),
    levels: z.instanceof(Uint8Array),
    dropped: counts,
  }),
  z.object({
    kind: z.literal('look-back'),
    callId: z.number(),
    beforeSeq: z.number().nullable(),
    limit: z.number().int().positive(),
    filter: filterSchema,
  }),
  /** Ship to this database (a secret) until told otherwise; null = ship no more. */
  z.object({
    kind: z.literal('ship'),
    target: z.object({ uri: z.string(), workerId: z.string(), node: z.string() }).nullable(),
  }),
  /** Whether jobs run: shipping then steps back. */
  z.object({ kind: z.literal('busy'), isBusy: z.boolean() }),
  z.object({ kind: z.literal('close') }),
]);
/** To the thread. */
export type ToLogThread =
  | ({ kind: 'batch' } & LogBatch)
  | Exclude<z.infer<typeof toLogThreadSchema>, { kind: 'batch' }>;

const stored = z.object({
  seq: z.number(),
  atMs: z.number(),
  level: z.number(),
  message: z.string(),
  fields: z.string(),
});

/** How shipping stands. */
const shippingSchema = z.object({
  /** `waiting`: the database does not answer; tried again by itself. */
  state: z.enum(['off', 'shipping', 'caught-up', 'waiting']),
  outboxId: z.string(),
  shippedSeq: z.number(),
  lastSeq: z.number(),
  /** Records shipped by this run. */
  shipped: z.number(),
});
/** How shipping stands. */
export type ShippingStatus = z.infer<typeof shippingSchema>;

const keeperSchema = z.object({
  /** `memory`: the file cannot be written; records wait in memory. */
  store: z.enum(['file', 'memory']),
  bytes: z.number(),
  drops: z.object({ cap: counts, memory: counts }),
});
/** How the file stands. */
export type KeeperStatus = z.infer<typeof keeperSchema>;

/** From the thread. */
export const fromLogThreadSchema = z.discriminatedUnion('kind', [
  /** Every batch up to `upTo` is on disk, these since the last message. */
  z.object({
    kind: z.literal('stored'),
    upTo: z.number(),
    batches: z.array(z.object({ no: z.number(), firstSeq: z.number(), refusedBelow: z.number() })),
  }),
  z.object({ kind: z.literal('keeper'), status: keeperSchema }),
  z.object({
    kind: z.literal('looked'),
    callId: z.number(),
    rows: z.array(stored),
    reachedSeq: z.number().nullable(),
  }),
  /** Something to be said once, in words for people. */
  z.object({
    kind: z.literal('told'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()),
  }),
  z.object({ kind: z.literal('shipping'), status: shippingSchema }),
]);
/** From the thread. */
export type FromLogThread = z.infer<typeof fromLogThreadSchema>;
/** How a reader narrows the log. */
export type LogFilter = z.infer<typeof filterSchema>;
