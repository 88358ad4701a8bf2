import { z } from 'zod';
import { watchStateSchema } from './watch-folder/watch-folder-state.ts';

/**
 * What a TRANSCODE job remembers between attempts: which renditions iconik has whole, and where the upload that was
 * interrupted stands. An upload is gone on with only for the very same bytes: two encodings of one clip may differ, and
 * parts of both would make a file of neither.
 */
const checkpointSchema = z.object({
  /** Size of the original when the renditions were made; a changed original starts anew. */
  source: z.object({ sizeBytes: z.number(), mtimeNs: z.string() }),
  /** Ids of finished renditions by file name. */
  finished: z.record(z.string(), z.string()),
  upload: z.object({ filename: z.string(), xxh128: z.string(), value: z.unknown() }).nullable(),
  /** Waiting for the results of a watch folder; absent = the original has not been put into one. */
  watch: watchStateSchema.optional(),
  /** Everything of the watch folder is published: only clearing it may be left to do. */
  isWatchOver: z.boolean().optional(),
});
/** What a TRANSCODE job remembers between attempts. */
export type TranscodeCheckpoint = z.infer<typeof checkpointSchema>;

/** Facts that tell whether the original is still the one of an earlier attempt. */
export type SourceFacts = TranscodeCheckpoint['source'];

/** The saved checkpoint, or a fresh one when there is none, it cannot be read, or the original has changed since. */
export function resumeCheckpoint(saved: unknown, source: SourceFacts): TranscodeCheckpoint {
  const fresh: TranscodeCheckpoint = { source, finished: {}, upload: null };
  const parsed = checkpointSchema.safeParse(saved);
  if (!parsed.success) return fresh;
  const { sizeBytes, mtimeNs } = parsed.data.source;
  if (sizeBytes === source.sizeBytes && mtimeNs === source.mtimeNs) return parsed.data;
  // Kept so that it can be dropped at the store; other bytes never go on with it.
  return { ...fresh, upload: parsed.data.upload };
}
