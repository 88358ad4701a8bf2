import { LEADER_LIMITS, withLeaderFence } from '../../../db/queries/fence.ts';
import type { IngestRow } from '../../../db/queries/ingest.ts';
import { finishIngest, showSidecar, wakeHeldFiles } from '../../../db/queries/ingest.ts';
import { type RelativeRow, rowsByKeys, rowsByStem, secondsKnown } from '../../../db/queries/named-file.ts';
import type { ErrorRecord } from '../../../runtime/errors.ts';
import { coerceError, IsgError } from '../../../runtime/errors.ts';
import { directoryOf } from '../../../storage/storage-path.ts';
import { convertSidecar } from './convert-sidecar.ts';
import { directoryAssetOf } from './directory-plan.ts';
import type { IngestContext } from './ingest-context.ts';
import type { SidecarReading } from './sidecar-plan.ts';
import {
  holdMs,
  isSidecarOf,
  MAX_SIDECAR_BYTES,
  readSidecar,
  sidecarFormat,
  sidecarKeys,
  usesSidecars,
} from './sidecar-plan.ts';

/** How long a file that looks like a sidecar waits for the file it belongs to. */
const LONELY_S = 60;
/** States of a row whose content is at rest. */
const AT_REST = ['hashed', 'ingesting', 'ingested'];
/** States of a row that ingest will not take further by itself. */
const SETTLED = ['ingested', 'faulty', 'empty'];

type Sidecar = { kind: 'none' } | { kind: 'arriving' } | ({ path: string } & SidecarReading);

function awaited(message: string, knownForS = 0): IsgError {
  const fields = { retryAfterMs: holdMs(knownForS) };
  return new IsgError('sidecar-awaited', message, { retry: 'transient', fields });
}

const ageOf = (context: IngestContext, row: IngestRow): Promise<number> =>
  secondsKnown(context.database, row.storageId, row.pathKey);

/** The text of a sidecar; null when it is no sidecar at all. Trouble that passes, or a file that just went, is waited for. */
async function textOf(context: IngestContext, path: string): Promise<string | null> {
  const { access, leadership } = context;
  if (access === null) throw awaited('The sidecar cannot be read now; the file waits for it.');
  try {
    return await access.readText(path, MAX_SIDECAR_BYTES);
  } catch (thrown) {
    leadership.signal.throwIfAborted();
    const error = coerceError(thrown);
    if (error.retry === 'permanent' && error.code !== 'file-not-found') return null;
    throw awaited(`The sidecar ${path} cannot be read now (${error.message}); the file waits for it.`);
  }
}

async function readOne(context: IngestContext, path: string): Promise<SidecarReading> {
  const { storage, leadership } = context;
  const format = sidecarFormat(path);
  const text = format === null ? null : await textOf(context, path);
  if (format === null || text === null)
    return { kind: 'invalid', reason: 'cannot be read: it is longer than 1 MiB, or changes, or may not be read' };
  const { settings } = storage;
  return settings.metadata_conversion_url
    ? convertSidecar(settings, { format, text }, leadership.signal)
    : readSidecar(format, text);
}

async function sidecarOf(context: IngestContext, row: Pick<IngestRow, 'storageId' | 'path'>): Promise<Sidecar> {
  if (sidecarFormat(row.path) !== null) return { kind: 'none' };
  const keys = sidecarKeys(row.path);
  const rows = await rowsByKeys(context.database, row.storageId, keys);
  const byKey = new Map(rows.map((found) => [found.pathKey, found]));
  const found = keys.map((key) => byKey.get(key)).find((candidate) => candidate !== undefined);
  if (found === undefined) return { kind: 'none' };
  if (!AT_REST.includes(found.state)) return { kind: 'arriving' };
  return { path: found.path, ...(await readOne(context, found.path)) };
}

const invalidWords = (path: string, reason: string): string => `The sidecar ${path} ${reason}`;

function holdWords(sidecar: Exclude<Sidecar, { kind: 'values' }>): string {
  if (sidecar.kind === 'arriving') return 'The sidecar of the file is still arriving; the file waits for it.';
  if (sidecar.kind === 'none') {
    return 'The storage demands a sidecar with metadata, and there is none beside the file; it waits for one.';
  }
  const demand = 'the storage demands one that can be read, so the file waits until it is corrected.';
  return `${invalidWords(sidecar.path, sidecar.reason)}; ${demand}`;
}

/**
 * Holds the ingest of a file on a storage that demands sidecars until it has one that can be read: throws `sidecar-awaited`,
 * whose message is shown at the file.
 */
export async function requireSidecar(context: IngestContext, row: IngestRow): Promise<void> {
  const { settings } = context.storage;
  if (settings.sidecar_metadata_required !== true || directoryAssetOf(row.path, settings) !== null) return;
  const sidecar = await sidecarOf(context, row);
  if (sidecar.kind === 'values') return;
  throw awaited(holdWords(sidecar), await ageOf(context, row));
}

function problem(context: IngestContext, path: string, reason: string): ErrorRecord {
  const message = `${invalidWords(path, reason)}; the asset has no metadata from it. Correct the sidecar: it is read again when it changes.`;
  const fields = { storageId: context.storage.id, path };
  context.sayOnce(`${context.storage.id} sidecar ${path} ${reason}`, message, fields);
  return { code: 'sidecar-invalid', message, retry: 'permanent' };
}

async function putValues(context: IngestContext, sidecar: Sidecar, assetId: string): Promise<ErrorRecord | null> {
  if (sidecar.kind === 'none' || sidecar.kind === 'arriving') return null;
  if (sidecar.kind === 'invalid') return problem(context, sidecar.path, sidecar.reason);
  const viewId = context.storage.settings.metadata_view_id;
  if (!viewId) return problem(context, sidecar.path, 'has no place to go: the storage names no metadata view');
  if (Object.keys(sidecar.values).length === 0) return null;
  context.leadership.assertTrusted();
  try {
    await context.api.metadata.putAssetValues(assetId, viewId, sidecar.values, { signal: context.leadership.signal });
    return null;
  } catch (thrown) {
    const error = coerceError(thrown);
    if (error.retry !== 'permanent' || error.code === 'iconik-unauthorized') throw thrown;
    return problem(context, sidecar.path, `does not fit the metadata view (${error.message})`);
  }
}

/** Writes the values of a file's sidecar, if it has one, to its asset. Answers what is to be shown at the file, or null. */
export async function applySidecar(
  context: IngestContext,
  row: IngestRow,
  assetId: string,
): Promise<ErrorRecord | null> {
  const { settings } = context.storage;
  if (!usesSidecars(settings) || directoryAssetOf(row.path, settings) !== null) return null;
  return putValues(context, await sidecarOf(context, row), assetId);
}

/** Writes the values for the assets of its files and ends the row; what is wrong is shown at it and at its files. */
async function finishSidecar(context: IngestContext, row: IngestRow, owners: readonly RelativeRow[]): Promise<void> {
  const { database, leadership, storage } = context;
  const shown: { pathKey: string; error: ErrorRecord | null }[] = [];
  for (const { path, pathKey, assetId } of owners) {
    if (assetId === null) continue;
    // Another sidecar may come before this one for the same file.
    const sidecar = await sidecarOf(context, { storageId: storage.id, path });
    shown.push({ pathKey, error: await putValues(context, sidecar, assetId) });
  }
  const own = shown.find(({ error }) => error !== null)?.error ?? null;
  await withLeaderFence(database, leadership, LEADER_LIMITS, async (sql) => {
    if (!(await finishIngest(sql, row, own))) return;
    // A sidecar that was corrected takes the complaint off its file, too.
    for (const { pathKey, error } of shown) await showSidecar(sql, storage.id, pathKey, error);
  });
}

/**
 * Takes a row that is a sidecar: waits until the ingest of its file has come to rest, writes its values to that asset, and
 * ends the row, which never becomes an asset itself. False for a row that is no sidecar. A file that only looks like one
 * waits a minute for the file it may belong to.
 */
export async function ingestSidecar(context: IngestContext, row: IngestRow): Promise<boolean> {
  const format = sidecarFormat(row.path);
  const { database, leadership, storage } = context;
  const { settings } = storage;
  if (format === null || row.assetId !== null || !usesSidecars(settings)) return false;
  // Whatever lies in a directory asset is part of it.
  if (directoryAssetOf(row.path, settings) !== null) return false;
  const stem = row.pathKey.slice(0, row.pathKey.lastIndexOf('.'));
  const beside = await rowsByStem(database, storage.id, directoryOf(row.pathKey), stem);
  const owners = beside.filter((other) => isSidecarOf(row.path, other.path));
  if (owners.length === 0) {
    if ((await ageOf(context, row)) >= LONELY_S) return false;
    throw awaited('The file looks like a sidecar; it waits a minute for the file that it may belong to.');
  }
  const waiting = owners.filter((owner) => !SETTLED.includes(owner.state));
  if (waiting.length > 0) {
    // The files may wait for just this one, and are not looked at often.
    const keys = waiting.map((owner) => owner.pathKey);
    await wakeHeldFiles(database, leadership, storage.id, keys);
    const words = 'The sidecar waits until the file that it belongs to has been ingested.';
    throw awaited(words, await ageOf(context, row));
  }
  await finishSidecar(context, row, owners);
  return true;
}
