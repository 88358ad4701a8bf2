import { IsgError } from '../../runtime/errors.ts';
import { missingParts } from './part-plan.ts';
import { completeSession, isStored } from './s3-completion.ts';
import { sendMissingParts } from './s3-parts.ts';
import {
  abandonSession,
  abortSavedUpload,
  askWhatIsHeld,
  type S3Deps,
  type S3Session,
  type S3Upload,
  savedSession,
  startSession,
} from './s3-session.ts';

/** Uploads begun within one call, before the job's own retry takes over. */
const MAX_STARTS = 2;

/**
 * Uploads a file in parts (README.md of this folder): goes on with the upload of an earlier attempt when the store still
 * knows it, sends what is missing, completes it under a confirmed lease, and begins anew when the store has lost it.
 */
export async function uploadByParts(deps: S3Deps, upload: S3Upload): Promise<void> {
  const resumed = await resume(deps, upload);
  if (resumed === 'done') return;
  let session = resumed;
  for (let starts = 0; starts < MAX_STARTS; starts += 1) {
    session ??= await startSession(deps, upload);
    if ((await finish(deps, upload, session)) === 'done') return;
    session = null;
  }
  const message = `The object store dropped the upload of ${upload.source.args.path} ${MAX_STARTS} times; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

async function resume(deps: S3Deps, upload: S3Upload): Promise<S3Session | 'done' | null> {
  const session = savedSession(upload);
  if (!session) {
    await dropFormerUpload(deps, upload);
    return null;
  }
  if ((await askWhatIsHeld(deps, upload, { session, distrust: false })) === 'known') return session;
  const wasWhole = missingParts(upload, session).length === 0;
  return wasWhole && (await isStored(deps, upload, session)) ? 'done' : null;
}

/** What a checkpoint names but the file is no more: another encoding, or another record. Trouble is ignored, as for any such. */
async function dropFormerUpload(deps: S3Deps, { source, record }: S3Upload): Promise<void> {
  const { checkpoint, signal } = source.args;
  await abortSavedUpload(deps, { assetId: record.assetId, checkpoint, signal }).catch(() => signal.throwIfAborted());
}

async function finish(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<'done' | 'gone'> {
  for (const mayRepair of [true, false]) {
    if ((await sendMissingParts(deps, upload, session)) === 'gone') return 'gone';
    const outcome = await completeSession(deps, upload, session);
    if (outcome !== 'parts-refused') return outcome;
    // The store does not hold what we remember: its own list is right, and only what differs is sent again.
    if (!mayRepair || (await askWhatIsHeld(deps, upload, { session, distrust: true })) === 'gone') break;
  }
  await abandonSession(deps, upload, session);
  return 'gone';
}
