import { z } from 'zod';
// by its file: the thread begins sooner without the rest of the contract
import { logPageFrame, logPlaceSchema } from '../../contract/log-view.ts';

/** What the agent and the thread that reads its stored log say to each other. */

const pageAsk = z.object({
  kind: z.literal('page'),
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
/** Which of these texts, of whatever log, a pattern finds something in. */
const matchAsk = z.object({
  kind: z.literal('match'),
  id: z.number(),
  pattern: z.string(),
  texts: z.array(z.string()),
});

/** To the thread. */
export const viewAskSchema = z.discriminatedUnion('kind', [pageAsk, matchAsk]);
/** To the thread. */
export type ViewAsk = z.infer<typeof viewAskSchema>;
/** What a page is asked for by. */
export type PageAsk = z.infer<typeof pageAsk>;

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
  /** One for each text. */
  z.object({ kind: z.literal('matched'), id: z.number(), found: z.array(z.boolean()) }),
  /** There is no answer; why, in words. */
  z.object({ kind: z.literal('failed'), id: z.number(), reason: z.string() }),
]);
/** From the thread. */
export type ViewAnswer = z.infer<typeof viewAnswerSchema>;
