import { z } from 'zod';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import type { IconikApi, UploadTarget } from '../api.ts';
import { blockIdOf, blockListOf, fingerprintOf } from './azure-answers.ts';
import type { FreshTarget } from './fresh-target.ts';
import { contentOf, isSameContent, type ObjectSource } from './object-source.ts';
import { isExpiredAnswer, SHORT_DEADLINE_MS, sendRepeatedly } from './object-store-http.ts';
import { blockSizeFor, type PlannedPart, planParts } from './part-plan.ts';
import type { PartsDeps } from './parts-run.ts';

/** Service version asked for: the first with blocks of 4,000 MiB and blobs of 5,000 MiB in one request is 2019-12-12. */
export const AZURE_VERSION = { 'x-ms-version': '2020-10-02' };

/** What uploads to Azure need. */
export interface AzureDeps extends PartsDeps {
  api: IconikApi;
  /** Bytes per block when the file's size allows it; smaller files go in one request. */
  partSizeBytes: number;
}

/** One upload in blocks. */
export interface AzureUpload {
  source: ObjectSource;
  target: FreshTarget;
}

/** A block of this file. */
export interface PlannedBlock extends PlannedPart {
  id: string;
}

/** Where an upload stands. Azure knows no uploads, only blocks that wait at a blob for a week. */
export interface AzureSession {
  blockSizeBytes: number;
  /** All, in order. */
  blocks: PlannedBlock[];
  /** Ids that the store holds. */
  held: Set<string>;
}

/** What is kept between attempts; it stands in where the signature does not allow to ask the store. */
const azureCheckpointSchema = z.object({
  method: z.literal('azure-blocks'),
  /** The record's own place, without query. */
  place: z.string(),
  sizeBytes: z.number(),
  mtimeNs: z.string(),
  md5: z.string().optional(),
  blockSizeBytes: z.number().int().min(1),
  /** Numbers of the blocks that the store has confirmed. */
  sent: z.array(z.number().int()),
});

/** The upload URL with the parameters of one operation on blocks. Appended as text: the signature must stay as it is. */
export function blockUrl(url: string, parameters: Record<string, string>): string {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${url}${url.includes('?') ? '&' : '?'}${query.join('&')}`;
}

function placeOf(target: UploadTarget): string {
  const { origin, pathname } = new URL(target.upload_url ?? '');
  return `${origin}${pathname}`;
}

/** The session that an earlier attempt saved, else a fresh one. */
export function openSession(deps: AzureDeps, upload: AzureUpload): AzureSession {
  const { source, target } = upload;
  const parsed = azureCheckpointSchema.safeParse(source.args.checkpoint);
  const saved = parsed.success && parsed.data.place === placeOf(target.current) ? parsed.data : null;
  if (!saved || !isSameContent(saved, source)) {
    const blockSizeBytes = blockSizeFor(source.expected.sizeBytes, deps.partSizeBytes);
    return { blockSizeBytes, blocks: planBlocks(source, blockSizeBytes), held: new Set() };
  }
  const blocks = planBlocks(source, saved.blockSizeBytes);
  const sent = new Set(saved.sent);
  const held = new Set(blocks.filter((block) => sent.has(block.number)).map((block) => block.id));
  return { blockSizeBytes: saved.blockSizeBytes, blocks, held };
}

function planBlocks({ args, expected }: ObjectSource, blockSizeBytes: number): PlannedBlock[] {
  const mark = args.md5 ?? expected.mtimeNs;
  const fingerprint = fingerprintOf({ sizeBytes: expected.sizeBytes, mark, blockSizeBytes });
  const parts = planParts(expected.sizeBytes, blockSizeBytes);
  return parts.map((part) => ({ ...part, id: blockIdOf(fingerprint, part.number) }));
}

/** Saves where the upload stands. */
export function saveSession({ source, target }: AzureUpload, session: AzureSession): Promise<void> {
  const value: z.infer<typeof azureCheckpointSchema> = {
    method: 'azure-blocks',
    place: placeOf(target.current),
    ...contentOf(source),
    blockSizeBytes: session.blockSizeBytes,
    sent: session.blocks.filter((block) => session.held.has(block.id)).map((block) => block.number),
  };
  return source.args.saveCheckpoint(value);
}

/**
 * Makes `held` what the store says it holds, also as part of the blob already: a completion whose answer was lost is done
 * again, which is allowed. `unknown`: the signature does not allow to ask; the memory stays as it is.
 */
export async function askWhatIsHeld(
  deps: AzureDeps,
  upload: AzureUpload,
  session: AzureSession,
): Promise<'known' | 'unknown'> {
  const answer = await askOnce(deps, upload);
  if (answer.status === 404) {
    session.held.clear();
    return 'known';
  }
  const list = answer.status === 200 ? blockListOf(answer.body) : null;
  if (!list) return 'unknown';
  // A block of both lists counts as it is uncommitted: that is what `Latest` takes.
  const sizes = new Map([...list.committed, ...list.uncommitted].map((block) => [block.id, block.sizeBytes]));
  const fitting = session.blocks.filter((block) => sizes.get(block.id) === block.lengthBytes);
  session.held = new Set(fitting.map((block) => block.id));
  return 'known';
}

async function askOnce(deps: AzureDeps, { source, target }: AzureUpload): Promise<HttpAnswer> {
  const { signal } = source.args;
  const url = blockUrl(target.current.upload_url ?? '', { comp: 'blocklist', blocklisttype: 'all' });
  const what = 'list the blocks sent so far';
  const answer = await sendRepeatedly(deps, {
    what,
    url,
    method: 'GET',
    headers: AZURE_VERSION,
    deadlineMs: SHORT_DEADLINE_MS,
    signal,
  });
  // A signature for writing only, or one that has run out: the parts will tell which.
  return isExpiredAnswer(answer) ? { ...answer, body: '' } : answer;
}
