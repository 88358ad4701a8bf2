import { z } from 'zod';

/** An error on its way between processes: words for people, no stack, no secret. */
export const errorDetailSchema = z.object({
  code: z.string(),
  message: z.string(),
  retry: z.enum(['transient', 'permanent']),
});
/** An error on its way between processes. */
export type ErrorDetail = z.infer<typeof errorDetailSchema>;
