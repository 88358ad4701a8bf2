import type { JobOutcome } from '../../../jobs/job-handler.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { MediaInfo } from '../ffmpeg/media-info.ts';
import { describeAndRender } from '../make-renditions.ts';
import type { TranscodeCheckpoint } from '../transcode-checkpoint.ts';
import type { Attempt } from '../transcode-work.ts';
import { awaitResults, endWatch } from './await-results.ts';
import type { WatchFolder } from './watch-folder-plan.ts';

/** What ffprobe says of an original that another program reads; null when it cannot read it. */
async function describeWatched({ ffmpeg, context, storage }: Attempt): Promise<MediaInfo | null> {
  try {
    const info = await ffmpeg.probeMedia(storage.absolutePath(context.payload.path), context.signal);
    return info.kind === 'none' ? null : info;
  } catch (thrown) {
    if (thrown instanceof IsgError && ['media-unreadable', 'file-not-found'].includes(thrown.code)) return null;
    throw thrown;
  }
}

/** An original that goes through a watch folder: put there once, looked after now and then, published, cleared away. */
export async function transcodeWatched(
  attempt: Attempt,
  watch: WatchFolder,
  checkpoint: TranscodeCheckpoint,
): Promise<JobOutcome> {
  const { context, storage, ffmpeg, dir } = attempt;
  const access = attempt.deps.watchFolders.of(watch.root);
  const job = { context, storage, ffmpeg, checkpoint, dir, access, nowMs: attempt.deps.wallMs?.() ?? Date.now() };
  if (checkpoint.isWatchOver === true) {
    await endWatch(job, watch, { isPublished: true });
    return { kind: 'done', result: { published: Object.keys(checkpoint.finished).length } };
  }
  const awaited = await awaitResults(job, watch);
  if (awaited.kind === 'waiting') return awaited.outcome;
  const { results: watched } = awaited;
  const described = await describeWatched(attempt);
  const work = { ...attempt, source: watched.source, described, watched, checkpoint, warning: null };
  const outcome = await describeAndRender(work);
  await endWatch(job, watch, { isPublished: true });
  return outcome;
}
