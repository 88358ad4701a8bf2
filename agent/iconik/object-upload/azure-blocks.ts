import { IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import { blockListBody } from './azure-answers.ts';
import { assertStored, clearForeignBlocks, putWhole, withFreshUrl } from './azure-blob.ts';
import {
  AZURE_VERSION,
  type AzureDeps,
  type AzureSession,
  type AzureUpload,
  askWhatIsHeld,
  blockUrl,
  openSession,
  type PlannedBlock,
  saveSession,
} from './azure-session.ts';
import { base64OfHex, digestOfRange, md5OfWhole, sendRangeRepeatedly } from './object-source.ts';
import { refusal, sendRepeatedly } from './object-store-http.ts';
import { AZURE_MAX_SINGLE_PUT_BYTES, blockSizeFor } from './part-plan.ts';
import { runParts, SAVE_EVERY_MS, type SendEnd } from './parts-run.ts';
import { errorCodeOf } from './s3-answers.ts';

/** Azure may take its time to put 50,000 blocks together, milliseconds. */
const COMMIT_DEADLINE_MS = 5 * 60_000;

/** Rounds of sending and completing within one call, before the job's own retry takes over. */
const MAX_ROUNDS = 3;

/** Why a round did not end in a blob. */
type RoundEnd = 'done' | 'blocks-lost' | 'foreign-blocks' | 'no-blocks-allowed';

/**
 * Uploads a file to an Azure block blob by its signed URL (README.md of this folder): in one request when it is smaller than a
 * block, else in blocks that Azure keeps for a week, put together under a confirmed lease. The same list of blocks may be
 * committed again, so a lost answer costs one more request.
 */
export async function uploadToAzure(deps: AzureDeps, upload: AzureUpload): Promise<void> {
  const { args } = upload.source;
  if (args.sizeBytes <= blockSizeFor(args.sizeBytes, deps.partSizeBytes)) return await putWhole(deps, upload);
  const session = openSession(deps, upload);
  await askWhatIsHeld(deps, upload, session);
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const end = await runRound(deps, upload, session);
    if (end === 'done') return;
    if (end === 'no-blocks-allowed') return await putWithoutBlocks(deps, upload);
    if (end === 'foreign-blocks') await clearForeignBlocks(deps, upload);
    if ((await askWhatIsHeld(deps, upload, session)) === 'unknown') session.held.clear();
  }
  const message = `The object store lost blocks of ${args.path} ${MAX_ROUNDS} times; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

async function putWithoutBlocks(deps: AzureDeps, upload: AzureUpload): Promise<void> {
  if (upload.source.args.sizeBytes <= AZURE_MAX_SINGLE_PUT_BYTES) return await putWhole(deps, upload);
  const message = `${upload.source.args.path} is larger than one request may carry, and the signed URL allows no blocks.`;
  throw new IsgError('upload-refused', message, { retry: 'permanent' });
}

async function runRound(deps: AzureDeps, upload: AzureUpload, session: AzureSession): Promise<RoundEnd> {
  const missing = session.blocks.filter((block) => !session.held.has(block.id));
  let stopped: RoundEnd = 'done';
  const end = await runParts(deps, upload.source.args, {
    parts: missing,
    save: () => saveSession(upload, session),
    saveEveryMs: SAVE_EVERY_MS.checkpointDecides,
    async send(part, how): Promise<SendEnd> {
      const block = session.blocks[part.number - 1];
      if (!block) throw new Error(`no block ${part.number}`);
      const { answer, url } = await putBlock(deps, upload, { block, ...how });
      const why = whyStopped(answer);
      if (why) {
        stopped = why;
        return 'stop';
      }
      if (answer.status !== 201) throw refusal(`upload block ${part.number}`, url, answer);
      session.held.add(block.id);
      return 'sent';
    },
  });
  return end === 'stop' ? stopped : await commit(deps, upload, session);
}

/** What is no trouble of this block alone: other ids wait at the blob, or the signature is for whole blobs only. */
function whyStopped(answer: HttpAnswer): RoundEnd | null {
  const code = errorCodeOf(answer.body);
  if (answer.status === 400 && code === 'InvalidBlobOrBlock') return 'foreign-blocks';
  return answer.status === 403 && code === 'AuthorizationPermissionMismatch' ? 'no-blocks-allowed' : null;
}

async function putBlock(
  deps: AzureDeps,
  upload: AzureUpload,
  put: { block: PlannedBlock; signal: AbortSignal; onBytes: (sentBytes: number) => void },
): Promise<{ answer: HttpAnswer; url: string }> {
  const { block, signal, onBytes } = put;
  const md5 = base64OfHex(await digestOfRange(upload.source, block, 'md5', signal));
  return await withFreshUrl(upload, (url) =>
    sendRangeRepeatedly(deps, upload.source, {
      what: `upload block ${block.number}`,
      range: { offsetBytes: block.offsetBytes, lengthBytes: block.lengthBytes },
      request: {
        url: blockUrl(url, { comp: 'block', blockid: block.id }),
        method: 'PUT',
        headers: { ...AZURE_VERSION, 'content-md5': md5 },
      },
      signal,
      onBytes,
    }),
  );
}

async function commit(deps: AzureDeps, upload: AzureUpload, session: AzureSession): Promise<RoundEnd> {
  const { args } = upload.source;
  const what = 'put the blocks together';
  const md5 = await md5OfWhole(upload.source);
  // Kept before the request: where the store shows no list, this is all that says which blocks it has.
  await saveSession(upload, session);
  await args.confirmLease();
  const { answer, url } = await withFreshUrl(upload, (fresh) =>
    sendRepeatedly(deps, {
      what,
      url: blockUrl(fresh, { comp: 'blocklist' }),
      method: 'PUT',
      headers: {
        ...AZURE_VERSION,
        'content-type': 'application/xml',
        'x-ms-blob-content-type': args.contentType,
        'x-ms-blob-content-md5': base64OfHex(md5),
      },
      body: blockListBody(session.blocks.map((block) => block.id)),
      deadlineMs: COMMIT_DEADLINE_MS,
      signal: args.signal,
    }),
  );
  if (answer.status === 400 && errorCodeOf(answer.body) === 'InvalidBlockList') return 'blocks-lost';
  if (answer.status !== 201) throw refusal(what, url, answer);
  await assertStored(deps, upload, md5);
  return 'done';
}
