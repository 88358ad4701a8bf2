import { z } from 'zod';

/** States of a file in the index (design: files). `ingested` means iconik has asset, format, file set and closed file. */
export const FILE_STATES = [
  'seen',
  'growing',
  'ready',
  'hashing',
  'hashed',
  'ingesting',
  'ingested',
  'missing',
  'skipped',
  'empty',
  'faulty',
] as const;
/** States of a file in the index. */
export const fileStateSchema = z.enum(FILE_STATES);
/** States of a file in the index. */
export type FileState = z.infer<typeof fileStateSchema>;
