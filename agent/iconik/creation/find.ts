import { IsgError } from '../../runtime/errors.ts';
import type {
  Asset,
  CallLimits,
  FileRecord,
  FileSet,
  Format,
  IconikApi,
  Keyframe,
  Proxy as ProxyRecord,
} from '../api.ts';
import { isSamePath, plainDirectory } from '../record-path.ts';

/**
 * Look-ups of what an earlier attempt may have created, by published calls only (reference C.3, C.8, C.10). They are
 * called after the settle time, so that what could still appear has appeared. A deleted thing is never found.
 */

/** How far the clocks of iconik and of the database may be apart; also covers the time an answer was under way. */
const LOOK_BACK_MS = 2 * 60_000;

/** `status` is kept by the parsers though some of the types do not name it. */
function isDeleted(record: object): boolean {
  return 'status' in record && record.status === 'DELETED';
}

/** Null instead of an error when iconik does not know the thing. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof IsgError && error.code === 'iconik-not-found') return null;
    throw error;
  }
}

/** What tells an asset shell of ours from others. */
export interface AssetLook {
  title: string;
  /** The user behind our token (`users.currentId`). */
  userId: string;
  /** When the first doubtful attempt began, database time. */
  startedAt: Date;
  isTaken(id: string): Promise<boolean>;
}

/** Whether a listed asset is one that a creation of ours left behind: still there, our user, no files, no ORIGINAL. */
async function isOurShell(api: IconikApi, listed: Asset, look: AssetLook, limits?: CallLimits): Promise<boolean> {
  if (listed.title !== look.title || listed.files.length > 0 || isDeleted(listed)) return false;
  if (await look.isTaken(listed.id)) return false;
  // The list is a search index and may be behind: the asset itself decides.
  const asset = await unlessGone(api.assets.get(listed.id, limits));
  if (asset === null || isDeleted(asset) || asset.title !== look.title) return false;
  if ((asset.created_by_user ?? listed.created_by_user) !== look.userId) return false;
  return (await api.files.formatByName(listed.id, 'ORIGINAL', limits)) === null;
}

/** A list with fewer assets came in one answer, which is a picture of one moment. */
const ONE_PAGE = 100;
/** Passes over a longer list; assets that appear all the time must not keep the look-up going for ever. */
const MAX_PASSES = 3;

/**
 * An asset shell with our title, or null. Pages back from the newest to `startedAt` − 2 min. When more than one page was
 * read without success it reads again until a pass sees no more than the one before: an asset deleted meanwhile moves the
 * others up, and one may have slipped from a page not yet read to one already read.
 */
export async function findAsset(api: IconikApi, look: AssetLook, limits?: CallLimits): Promise<Asset | null> {
  const oldestMs = look.startedAt.getTime() - LOOK_BACK_MS;
  let seenBefore = 0;
  for (let pass = 1; pass <= MAX_PASSES; pass++) {
    let seen = 0;
    for await (const asset of api.assets.newestFirst(limits)) {
      if (Date.parse(asset.date_created ?? '') < oldestMs) break;
      if (await isOurShell(api, asset, look, limits)) return asset;
      seen++;
    }
    if (seen < ONE_PAGE || seen <= seenBefore) return null;
    seenBefore = seen;
  }
  return null;
}

/** The format of an asset with this name, or null. */
export function findFormat(
  api: IconikApi,
  look: { assetId: string; name: string },
  limits?: CallLimits,
): Promise<Format | null> {
  return api.files.formatByName(look.assetId, look.name, limits);
}

/** The file set of a format on a storage with this folder and name, or null. */
export async function findFileSet(
  api: IconikApi,
  look: { assetId: string; formatId: string; storageId: string; baseDir: string; name: string },
  limits?: CallLimits,
): Promise<FileSet | null> {
  const baseDir = plainDirectory(look.baseDir);
  const sets = await api.files.fileSets(look.assetId, look.formatId, limits);
  return (
    sets.find(
      (set) =>
        !isDeleted(set) &&
        set.storage_id === look.storageId &&
        set.name === look.name &&
        plainDirectory(set.base_dir) === baseDir,
    ) ?? null
  );
}

/**
 * The file record at a path of a storage, or null. The asset's own records come first because they do not lag; then the
 * storage's index, which also knows records of other assets at that path.
 */
export async function findFile(
  api: IconikApi,
  look: { assetId: string; storageId: string; directoryPath: string; name: string },
  limits?: CallLimits,
): Promise<FileRecord | null> {
  const isWanted = (file: FileRecord) =>
    file.storage_id === look.storageId && !isDeleted(file) && isSamePath(file, look);
  const own = (await api.files.assetFiles(look.assetId, limits)).find(isWanted);
  if (own) return own;
  const at = { directoryPath: look.directoryPath, name: look.name };
  const listed = await api.storages.findFiles(look.storageId, at, limits);
  return listed.find((file) => !isDeleted(file) && (file.storage_id ?? look.storageId) === look.storageId) ?? null;
}

/** A record without version or name of its own in the list counts as having the one looked for. */
function hasNameAndVersion(record: ProxyRecord | Keyframe, look: { filename: string; versionId: string }): boolean {
  const name = record.filename ?? record.name;
  return !isDeleted(record) && name === look.filename && (record.version_id ?? look.versionId) === look.versionId;
}

/** The proxy of an asset version with this file name, or null. */
export async function findProxy(
  api: IconikApi,
  look: { assetId: string; versionId: string; filename: string },
  limits?: CallLimits,
): Promise<ProxyRecord | null> {
  const proxies = await api.proxies.list(look.assetId, limits);
  return proxies.find((proxy) => hasNameAndVersion(proxy, look)) ?? null;
}

/** The keyframe (or poster, or keyframe map) of an asset version with this type and file name, or null. */
export async function findKeyframe(
  api: IconikApi,
  look: { assetId: string; versionId: string; type: string; filename: string },
  limits?: CallLimits,
): Promise<Keyframe | null> {
  const keyframes = await api.keyframes.list(look.assetId, limits);
  return keyframes.find((keyframe) => keyframe.type === look.type && hasNameAndVersion(keyframe, look)) ?? null;
}
