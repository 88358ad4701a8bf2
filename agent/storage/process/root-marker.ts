/** The identity marker in the root of a storage, and what its presence proves. */
import { lstat, open, opendir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import { MARKER_NAME } from '../storage-path.ts';
import { publishFile, syncDirectory } from './commit-file.ts';
import { systemCode } from './local-filesystem.ts';

/** Prefix of every file of ours in a storage. */
export const OWN_PREFIX = '.isg-pro-';
/** A marker is some 60 bytes; anything large is not one, and is not read. */
const MAX_MARKER_BYTES = 4_096;

const markerSchema = z.looseObject({ storageId: z.string() });

/** Whose marker the root holds. Throws the file system's error when that cannot be known. */
export async function readMarker(mountPoint: string, storageId: string): Promise<'right' | 'absent' | 'wrong'> {
  const path = join(mountPoint, MARKER_NAME);
  try {
    const stats = await lstat(path);
    if (!stats.isFile() || stats.size > MAX_MARKER_BYTES) return 'wrong';
    const parsed = markerSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return parsed.success && parsed.data.storageId === storageId ? 'right' : 'wrong';
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return 'absent';
    if (thrown instanceof SyntaxError) return 'wrong';
    throw thrown;
  }
}

/** Whether the root holds nothing but files of ours. */
export async function isRootEmpty(mountPoint: string): Promise<boolean> {
  const directory = await opendir(mountPoint);
  for await (const entry of directory) if (!entry.name.startsWith(OWN_PREFIX)) return false;
  return true;
}

/**
 * Throws `storage-unavailable` unless the storage is proven to be mounted: its marker is there, or it never had one as far
 * as we know and the root is not empty. Without this, the bare directory under a vanished mount would pass for a storage
 * without files, and downloads would fill the system disk.
 */
export async function assertRootPresent(root: {
  mountPoint: string;
  storageId: string;
  markerExpected: boolean;
}): Promise<void> {
  const unavailable = (what: string, cause?: unknown) =>
    new IsgError(
      'storage-unavailable',
      `${what}, so the storage counts as not mounted. Check the mount on this node.`,
      {
        retry: 'transient',
        cause,
      },
    );
  let marker: 'right' | 'absent' | 'wrong';
  let isEmpty = false;
  try {
    marker = await readMarker(root.mountPoint, root.storageId);
    if (marker === 'absent') isEmpty = await isRootEmpty(root.mountPoint);
  } catch (thrown) {
    throw unavailable(`The root of the storage cannot be read (${systemCode(thrown)})`, thrown);
  }
  if (marker === 'wrong') throw unavailable(`The marker ${MARKER_NAME} in the root names another storage`);
  if (marker === 'absent' && root.markerExpected) throw unavailable(`The marker ${MARKER_NAME} is gone from the root`);
  if (marker === 'absent' && isEmpty) throw unavailable(`The root is empty and has no marker ${MARKER_NAME}`);
}

/**
 * Writes the marker by temporary file and publication without overwriting, so that of two storages on one mount only one
 * wins. Throws `content-differs` when the root belongs to another storage.
 */
export async function placeMarker(mountPoint: string, storageId: string): Promise<void> {
  const found = await readMarker(mountPoint, storageId);
  if (found === 'right') return;
  if (found === 'absent' && (await publishMarker(mountPoint, storageId))) return;
  if ((await readMarker(mountPoint, storageId)) === 'right') return;
  throw new IsgError(
    'content-differs',
    `The root of this mount holds a marker (${MARKER_NAME}) of another storage. Is the mount point right? If so, remove the marker.`,
    { retry: 'permanent' },
  );
}

async function publishMarker(mountPoint: string, storageId: string): Promise<boolean> {
  const temporary = join(mountPoint, `${MARKER_NAME}-${process.pid}-${Math.random().toString(36).slice(2)}`);
  let published = false;
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(`${JSON.stringify({ storageId })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    published = await publishFile(temporary, join(mountPoint, MARKER_NAME));
  } finally {
    // On a full storage each scan tries anew; what stayed would gather. Never hides why it failed.
    if (!published) await unlink(temporary).catch(() => undefined);
  }
  if (published) await syncDirectory(mountPoint);
  return published;
}
