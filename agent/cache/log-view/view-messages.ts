import { z } from 'zod';
// by its file: the thread begins sooner without the rest of the contract
import { logPageFrame, logPlaceSchema } from '../../contract/log-view.ts';

/** What the agent and the thread that reads its stored log say to each other. */

/** To the thread. */
export const viewAskSchema = z.object({
  id: z.number(),
  filter: z.object({
    minLevel: z.number(),
    text: z.string(),
    isPattern: z.boolean(),
    mention: z.string().nullable(),
    fromMs: z.number().nullable(),
    toMs: z.number().nullable(),
  }),
  at: logPlaceSchema,
  limit: z.number(),
  /** A page is handed over with what it has after this long. */
  withinMs: z.number(),
});
/** To the thread. */
export type ViewAsk = z.infer<typeof viewAskSchema>;

const record = z.object({
  seq: z.number(),
  atMs: z.number(),
  level: z.number(),
  message: z.string(),
  fields: z.string(),
});

/** A page of the stored log. */
const viewPageSchema = z.object({ lines: z.array(record), ...logPageFrame });
/** A page of the stored log. */
export type ViewPage = z.infer<typeof viewPageSchema>;

/** From the thread. */
export const viewAnswerSchema = z.discriminatedUnion('kind', [
  /** It is being looked for from now on: the time of a pattern counts from here, not from when it was asked for. */
  z.object({ kind: z.literal('begun'), id: z.number() }),
  z.object({ kind: z.literal('page'), id: z.number(), page: viewPageSchema }),
  /** There is no page; why, in words. */
  z.object({ kind: z.literal('failed'), id: z.number(), reason: z.string() }),
]);
/** From the thread. */
export type ViewAnswer = z.infer<typeof viewAnswerSchema>;
