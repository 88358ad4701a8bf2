import { z } from 'zod';

/** What a TRANSCODE job works on. `path` is the original, relative to the mount point of `storageId`. */
export const transcodePayloadSchema = z.object({
  storageId: z.string().min(1),
  path: z.string().min(1),
  assetId: z.string().min(1),
  versionId: z.string().min(1),
  /** The format ORIGINAL, which gets media info and components. */
  formatId: z.string().min(1),
  fileSetId: z.string().optional(),
  /** File record of the original. */
  fileId: z.string().optional(),
  /** `local_proxy_creation` of the storage; both false = media info only. */
  wantProxy: z.boolean(),
  /** `local_keyframe_creation`: poster, keyframes and scrub sheet. */
  wantKeyframes: z.boolean(),
  /** Frames per second of an image sequence (`25`, `24000/1001`); absent = 24. Other originals have a rate of their own. */
  frameRate: z.string().optional(),
});
/** What a TRANSCODE job works on. */
export type TranscodePayload = z.infer<typeof transcodePayloadSchema>;
