import { z } from 'zod';
import { transcodePayloadSchema } from '../../../agent/roles/transcode/transcode-payload.ts';

/** What a transcode node (transcode-node.ts) is started with. */
export const nodePlanSchema = z.object({
  storageId: z.string(),
  mountPoint: z.string(),
  tempDir: z.string(),
  ffmpeg: z.string(),
  ffprobe: z.string(),
  iconik: z.object({ baseUrl: z.string(), appId: z.string(), authToken: z.string() }),
});
/** What a transcode node is started with. */
export type NodePlan = z.infer<typeof nodePlanSchema>;

/** What it is told. */
export const orderSchema = z.union([z.object({ run: transcodePayloadSchema }), z.object({ cancel: z.literal(true) })]);

/** What it says: a step it has come to, or how its job ended. */
export const reportSchema = z.union([z.object({ note: z.string() }), z.object({ ended: z.string() })]);
