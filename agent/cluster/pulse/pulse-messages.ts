import { z } from 'zod';
import type { ErrorCode } from '../../runtime/errors.ts';

/** Both sides are the same program: what the one calls an error code, the other knows. */
const errorCodeSchema = z.custom<ErrorCode>((value) => typeof value === 'string');

/** A worker's status as the heartbeat says it. */
const statusSchema = z.object({
  roles: z.array(z.string()),
  availability: z.string(),
  reason: z.string(),
  health: z.unknown(),
});

/** What the thread is started with. `uri` is a secret. */
export const threadDataSchema = z.object({
  uri: z.string(),
  memory: z.instanceof(SharedArrayBuffer),
  sleepLedger: z.instanceof(SharedArrayBuffer),
  self: z.object({ workerId: z.string(), runId: z.string(), name: z.string() }),
  times: z.object({ ttlMs: z.number(), renewMs: z.number(), marginMs: z.number() }),
  beatMs: z.number(),
});
/** What the thread is started with. */
export type ThreadData = z.infer<typeof threadDataSchema>;

const reportSchema = z.object({ holdId: z.number(), progress: z.number(), note: z.string() });

/** Main loop to thread. Those with a `callId` are answered by `answer`. */
export const toThreadSchema = z.discriminatedUnion('kind', [
  /** The term to renew has changed in the shared memory. */
  z.object({ kind: z.literal('lead') }),
  z.object({ kind: z.literal('say'), status: statusSchema }),
  z.object({ kind: z.literal('start-beats') }),
  z.object({ kind: z.literal('beat-now'), callId: z.number() }),
  z.object({ kind: z.literal('stop-beats'), callId: z.number() }),
  z.object({
    kind: z.literal('hold'),
    holdId: z.number(),
    jobId: z.string(),
    leaseToken: z.string(),
    stallMs: z.number(),
    progress: z.number(),
    note: z.string(),
  }),
  z.object({ kind: z.literal('reports'), reports: z.array(reportSchema) }),
  z.object({ kind: z.literal('drop'), holdId: z.number() }),
  z.object({ kind: z.literal('confirm'), callId: z.number(), holdId: z.number() }),
  z.object({ kind: z.literal('visibility'), seconds: z.number() }),
  z.object({ kind: z.literal('close'), callId: z.number() }),
]);
/** Main loop to thread. */
export type ToThread = z.infer<typeof toThreadSchema>;

const beatAnswerSchema = z.object({ startedMs: z.number(), registered: z.boolean(), holds: z.boolean() });

/** Thread to main loop. */
export const fromThreadSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  /** Look into the shared memory: a renewal was refused. */
  z.object({ kind: z.literal('refused') }),
  z.object({ kind: z.literal('beat'), answer: beatAnswerSchema }),
  z.object({ kind: z.literal('lease'), holdId: z.number(), news: z.enum(['cancel-requested', 'lost', 'stalled']) }),
  z.object({ kind: z.literal('token'), holdId: z.number(), leaseToken: z.string() }),
  z.object({ kind: z.literal('answer'), callId: z.number(), value: z.unknown() }),
  z.object({
    kind: z.literal('failed'),
    callId: z.number(),
    error: z.object({ code: errorCodeSchema, message: z.string(), retry: z.enum(['transient', 'permanent']) }),
  }),
  z.object({
    kind: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()),
  }),
]);
/** Thread to main loop. */
export type FromThread = z.infer<typeof fromThreadSchema>;

export { beatAnswerSchema };
