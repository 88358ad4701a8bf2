import { isAddedVersion } from '../../../db/queries/asset-version.ts';
import { LEADER_LIMITS, withLeaderFence } from '../../../db/queries/fence.ts';
import type { IngestRow } from '../../../db/queries/ingest.ts';
import { finishIngest, lockContent, placeInAsset, useOfAsset } from '../../../db/queries/ingest.ts';
import type { FileRecord, Format } from '../../../iconik/api.ts';
import { createLiving } from '../../../iconik/creation/create-living.ts';
import { findFile, findFileSet, findFormat } from '../../../iconik/creation/find.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';
import { chooseAsset } from './choose-asset.ts';
import { orderedUpload, uploadsOfCopies } from './cloud-copies.ts';
import { decorateAsset, joinCollection, writeHistory } from './decorate-asset.ts';
import { fileSetKey, fileSetPlace, isFileSetOf } from './file-set-plan.ts';
import type { IngestContext } from './ingest-context.ts';
import { CONTENT_CHANGED, checkpoint, createFenced, leaderRight } from './ingest-context.ts';
import type { CompleteIds, IngestStep } from './ingest-plan.ts';
import {
  closeBody,
  fileBody,
  fileKey,
  fileSetBody,
  followUpJobs,
  formatBody,
  isLivingRecord,
  isUpToDate,
  nextIngestStep,
  ORIGINAL,
  transcodeJob,
  updateBody,
} from './ingest-plan.ts';
import { livingAsset } from './living-asset.ts';
import { fileSetPlaceBody, isAtPath, placeBody } from './move-plan.ts';
import { applySidecar, ingestSidecar, requireSidecar } from './sidecar.ts';

/** How the ingest of a file ended for now. */
export type IngestEnd = 'ingested' | 'content-changed';

/** A row after a step: as it is now, or done. */
type StepResult = IngestRow | typeof CONTENT_CHANGED | 'ingested';

/** A row that needs more steps than this goes in circles. */
const MAX_STEPS = 20;

const NO_IDS = { assetId: null, versionId: null, formatId: null, fileSetId: null, fileId: null };

async function stepAsset(context: IngestContext, row: IngestRow): Promise<StepResult> {
  // Commits that the row is unchanged right before the first request that changes something in iconik.
  const claimed = await checkpoint(context, row, { state: 'ingesting' });
  if (claimed === CONTENT_CHANGED) return claimed;
  const choice = await chooseAsset(context, claimed);
  if (choice.kind === 'moved') return choice.row;
  // `hashed` with a file id says that the record is older than the content (ingest-plan.ts).
  if (choice.kind === 'adopted') return checkpoint(context, claimed, { ...choice.ids, state: 'hashed' });
  return checkpoint(context, claimed, { assetId: choice.assetId, versionId: choice.versionId });
}

/** The ORIGINAL format of one version of an asset. */
async function formatOfVersion(context: IngestContext, assetId: string, versionId: string): Promise<Format | null> {
  const formats = await context.api.files.formats(assetId, { signal: context.leadership.signal });
  const isWanted = (format: Format) => format.name === ORIGINAL && format.version_id === versionId;
  return formats.find((format) => isWanted(format) && format.status !== 'DELETED') ?? null;
}

async function stepFormat(context: IngestContext, row: IngestRow, assetId: string): Promise<StepResult> {
  const { api, leadership, database } = context;
  const limits = { signal: leadership.signal };
  const { versionId } = row;
  // A version that we added has formats of its own; one of somebody else's asset may have its ORIGINAL already.
  const ownVersion = versionId !== null && (await isAddedVersion(database, versionId)) ? versionId : null;
  const find = () =>
    ownVersion === null
      ? findFormat(api, { assetId, name: ORIGINAL }, limits)
      : formatOfVersion(context, assetId, ownVersion);
  const known = await find();
  const formatId =
    known?.id ??
    (await createFenced(context, {
      kind: 'format',
      key: ownVersion === null ? `${assetId}/${ORIGINAL}` : `${assetId}/${ORIGINAL}@${ownVersion}`,
      create: (signal) => api.files.createFormat(assetId, formatBody(row), { signal }),
      find,
    }));
  return checkpoint(context, row, { formatId });
}

async function stepFileSet(
  context: IngestContext,
  row: IngestRow,
  step: Extract<IngestStep, { kind: 'file-set' }>,
): Promise<StepResult> {
  const { api } = context;
  const limits = { signal: context.leadership.signal };
  const { assetId, formatId } = step;
  const { storageId, path } = row;
  const place = fileSetPlace(path, context.storage.settings);
  const what = { assetId, formatId, storageId, ...place };
  const fileSetId = await createLiving(context.createOnce, leaderRight(context), {
    kind: 'file-set',
    key: fileSetKey(storageId, formatId, place),
    create: (signal) => api.files.createFileSet(assetId, fileSetBody(row, formatId, place), { signal }),
    find: () => findFileSet(api, what, limits),
    // One made for a file that has moved since went with it.
    isUsable: async (id) =>
      (await api.files.fileSets(assetId, formatId, limits)).some((set) => isFileSetOf(set, id, place)),
  });
  return checkpoint(context, row, { fileSetId });
}

/** The file's record in this asset; null when iconik has deleted it. */
async function livingRecord(context: IngestContext, assetId: string, fileId: string): Promise<FileRecord | null> {
  try {
    const record = await context.api.files.getFile(assetId, fileId, { signal: context.leadership.signal });
    return isLivingRecord(record) && record.asset_id === assetId ? record : null;
  } catch (thrown) {
    if (thrown instanceof IsgError && thrown.code === 'iconik-not-found') return null;
    throw thrown;
  }
}

async function stepFile(
  context: IngestContext,
  row: IngestRow,
  step: Extract<IngestStep, { kind: 'file' }>,
): Promise<StepResult> {
  const { api } = context;
  const limits = { signal: context.leadership.signal };
  const { assetId, formatId, fileSetId } = step;
  const { storageId, path } = row;
  const fileId = await createLiving(context.createOnce, leaderRight(context), {
    kind: 'file',
    key: fileKey(row),
    create: (signal) => api.files.createFile(assetId, fileBody(row, { formatId, fileSetId }), { signal }),
    find: () => findFile(api, { assetId, storageId, directoryPath: directoryOf(path), name: nameOf(path) }, limits),
    isUsable: async (id) => {
      const record = await livingRecord(context, assetId, id);
      // A record made for a file that has moved since is that file's.
      return record !== null && isAtPath(record, path);
    },
  });
  return checkpoint(context, row, { fileId, state: 'ingesting' });
}

async function patchRecord(context: IngestContext, ids: CompleteIds, body: Record<string, unknown>): Promise<void> {
  context.leadership.assertTrusted();
  const { signal } = context.leadership;
  await context.api.files.patchFile(ids.assetId, ids.fileId, body, { signal });
}

/** A record of a file: as iconik shows it, with the ids that its row has. */
interface KnownRecord {
  ids: CompleteIds;
  record: FileRecord;
}

/**
 * Brings the record up to date by `body`; a file set that is named after a file that moved goes first, so that a crash
 * repeats both.
 */
async function updateRecord(
  context: IngestContext,
  row: IngestRow,
  { ids, record, body }: KnownRecord & { body: Record<string, unknown> },
): Promise<void> {
  const { api, leadership } = context;
  const limits = { signal: leadership.signal };
  if (!isAtPath(record, row.path)) {
    const sets = await api.files.fileSets(ids.assetId, ids.formatId, limits);
    const set = sets.find(({ id }) => id === ids.fileSetId);
    const place = set === undefined ? null : fileSetPlaceBody(set, record, row.path);
    leadership.assertTrusted();
    if (place !== null) await api.files.patchFileSet(ids.assetId, ids.fileSetId, place, limits);
    await joinCollection(context, row, ids.assetId);
  }
  await patchRecord(context, ids, body);
}

/** A record that was never closed goes on with the ingest that was cut short; first to where its file is now. */
async function resumeOpen(context: IngestContext, row: IngestRow, known: KnownRecord): Promise<StepResult> {
  if (!isAtPath(known.record, row.path)) await updateRecord(context, row, { ...known, body: placeBody(row.path) });
  return checkpoint(context, row, { state: 'ingesting' });
}

async function stepClose(context: IngestContext, row: IngestRow, ids: CompleteIds): Promise<StepResult> {
  const { database, leadership, storage, enqueueJobs } = context;
  const place = await placeInAsset(database, row, ids);
  const shown = await decorateAsset(context, row, { ids, place });
  await patchRecord(context, ids, closeBody(row));
  await writeHistory(context, row, { ids, place });
  const upload = await orderedUpload(context, row, ids);
  const profileOf = await context.transcoders.ofStorage(row.storageId, leadership.signal);
  return withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) => {
    // Asked again under its lock: another file of the asset may have ended meanwhile.
    const placeNow = await placeInAsset(sql, row, ids);
    if (!(await finishIngest(sql, row, shown))) return CONTENT_CHANGED;
    const jobs = followUpJobs(row, ids, { storage, profileOf, place: placeNow, upload });
    if (jobs.length > 0) await enqueueJobs(sql, jobs);
    return 'ingested';
  });
}

/** The record is gone: made anew in the same asset, or, when the asset is gone too, from the start. */
async function replaceRecord(context: IngestContext, row: IngestRow, assetId: string): Promise<StepResult> {
  const asset = await livingAsset(context, assetId);
  return checkpoint(
    context,
    row,
    asset === null ? { ...NO_IDS, state: 'hashed' } : { fileId: null, state: 'ingesting' },
  );
}

async function stepUpdate(context: IngestContext, row: IngestRow, ids: CompleteIds): Promise<StepResult> {
  const { database, leadership, storage, enqueueJobs } = context;
  const record = await livingRecord(context, ids.assetId, ids.fileId);
  // A record may outlive its asset in iconik; an asset that users no longer see is made anew.
  if (record === null || (await livingAsset(context, ids.assetId)) === null) {
    return replaceRecord(context, row, ids.assetId);
  }
  // Never closed: its ingest was cut short by the file's going away or changing, and has ordered nothing yet.
  if (record.status === 'OPEN') return resumeOpen(context, row, { ids, record });
  if (!isUpToDate(record, row)) {
    // The jobs come before the PATCH: the record's old checksum is what tells that the content is new, so after a crash
    // in between it is seen as modified again (and the jobs run twice at worst, while the other order could lose it).
    const isModified = record.checksum !== row.md5;
    const profileOf = await context.transcoders.ofStorage(row.storageId, leadership.signal);
    const order = { settings: storage.settings, profileOf, dedupeKey: `transcode:${ids.fileId}:${row.md5}` };
    const transcode = isModified ? transcodeJob(row, ids, order) : null;
    const uploads = isModified ? await uploadsOfCopies(context, row, { ids, record }) : [];
    const jobs = transcode === null ? uploads : [transcode, ...uploads];
    const isSame = await withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) => {
      const isUnchanged = await lockContent(sql, row);
      if (isUnchanged && jobs.length > 0) await enqueueJobs(sql, jobs);
      return isUnchanged;
    });
    if (!isSame) return CONTENT_CHANGED;
    await updateRecord(context, row, { ids, record, body: updateBody(row, record) });
  }
  const shown = await applySidecar(context, row, ids.assetId);
  return withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) =>
    (await finishIngest(sql, row, shown)) ? 'ingested' : CONTENT_CHANGED,
  );
}

function runStep(context: IngestContext, row: IngestRow): Promise<StepResult> {
  const step = nextIngestStep(row);
  switch (step.kind) {
    case 'asset':
      return stepAsset(context, row);
    case 'format':
      return stepFormat(context, row, step.assetId);
    case 'file-set':
      return stepFileSet(context, row, step);
    case 'file':
      return stepFile(context, row, step);
    case 'close':
      return stepClose(context, row, step.ids);
    case 'update':
      return stepUpdate(context, row, step.ids);
    default:
      return step satisfies never;
  }
}

/**
 * A file that changed half-way keeps the asset begun for it, unless files with other content have joined that asset
 * meanwhile: then it begins anew.
 */
async function leaveSharedAsset(context: IngestContext, row: IngestRow): Promise<IngestRow | typeof CONTENT_CHANGED> {
  if (row.state !== 'hashed' || row.assetId === null || row.fileId !== null) return row;
  const use = await useOfAsset(context.database, row.assetId, row);
  return checkpoint(context, row, use.other > 0 ? NO_IDS : { state: 'ingesting' });
}

/**
 * Takes one file through all steps that are left, each committed in its row before the next begins. Throws what a step
 * throws; `onProgress` tells the row as last committed, so that a failure is recorded where it happened.
 */
export async function ingestFile(
  context: IngestContext,
  row: IngestRow,
  onProgress: (row: IngestRow) => void,
): Promise<IngestEnd> {
  if (await ingestSidecar(context, row)) return 'ingested';
  if (row.fileId === null) await requireSidecar(context, row);
  let current = await leaveSharedAsset(context, row);
  for (let step = 0; step < MAX_STEPS; step += 1) {
    if (current === CONTENT_CHANGED) return 'content-changed';
    onProgress(current);
    context.leadership.assertTrusted();
    const next = await runStep(context, current);
    if (next === 'ingested') return 'ingested';
    current = next;
  }
  throw new IsgError(
    'unexpected',
    'The file goes in circles between the steps of its ingest; it is tried again later.',
    {
      retry: 'transient',
    },
  );
}

/** Drops the ids of a row whose asset iconik has deleted; answers whether that was the case. */
export async function forgetDeletedAsset(context: IngestContext, row: IngestRow): Promise<boolean> {
  if (row.assetId === null || (await livingAsset(context, row.assetId)) !== null) return false;
  return (await checkpoint(context, row, { ...NO_IDS, state: 'hashed' })) !== CONTENT_CHANGED;
}
