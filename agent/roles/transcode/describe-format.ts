import type { IconikApi } from '../../iconik/api.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import type { MediaInfo } from './ffmpeg/media-info.ts';
import { formatComponents, formatMetadata } from './format-metadata.ts';
import type { TranscodePayload } from './transcode-payload.ts';

/** Name of the format that holds the original (reference C.8). */
const ORIGINAL = 'ORIGINAL';

/**
 * Tells iconik what is in the original: the format's metadata, and its tracks when it lists none yet (a second list
 * would double them). Repeating it changes nothing.
 */
export async function describeFormat(
  api: IconikApi,
  context: JobContext<TranscodePayload>,
  info: MediaInfo,
): Promise<void> {
  const { assetId, formatId } = context.payload;
  const { signal } = context;
  const format = await api.files.formatByName(assetId, ORIGINAL, { signal });
  const hasTracks = format?.id !== formatId || format.components.length > 0;
  const components = hasTracks ? {} : { components: formatComponents(info) };
  await context.confirmLease();
  await api.files.patchFormat(assetId, formatId, { metadata: formatMetadata(info), ...components }, { signal });
}
