import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MediaCluster } from '../support/media-cluster.ts';
import type { ClipKind } from './clips.ts';
import {
  type AccountRecords,
  type Entry,
  type Evidence,
  type MediaFile,
  parseEntries,
  type StoredObject,
} from './outcome.ts';

const run = promisify(execFile);

/** The files of a media folder with the digests that `md5sum` gives; names that begin with `.isg-pro-` are the node's own. */
async function mediaFiles(dir: string, kindOf: (path: string) => ClipKind): Promise<MediaFile[]> {
  const found: MediaFile[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('.isg-pro-')) continue;
    const absolute = join(entry.parentPath, entry.name);
    const path = absolute.slice(dir.length + 1);
    const { stdout } = await run('md5sum', ['--', absolute]);
    const md5 = stdout.replace(/^\\/, '').slice(0, 32);
    found.push({ path, kind: kindOf(path), md5, sizeBytes: (await stat(absolute)).size });
  }
  return found;
}

/** Whether ffmpeg decodes a file to its end without an error. */
async function isPlayable(path: string): Promise<boolean> {
  return run('ffmpeg', ['-nostdin', '-v', 'error', '-xerror', '-i', `file:${path}`, '-f', 'null', '-'])
    .then(({ stderr }) => stderr === '')
    .catch(() => false);
}

/** Gathers what the check of the outcome looks at. */
export async function gatherEvidence(cluster: MediaCluster, kindOf: (path: string) => ClipKind): Promise<Evidence> {
  const { standIn, account } = cluster;
  const state = standIn.state();
  const records: AccountRecords = {
    assets: parseEntries(state.assets),
    formats: parseEntries(state.formats),
    fileSets: parseEntries(state.fileSets),
    files: parseEntries(state.files),
    proxies: parseEntries(state.proxies),
    keyframes: parseEntries(state.keyframes),
  };
  const objects = new Map<string, StoredObject>();
  const proxies = new Set(records.proxies.map(({ id }) => id));
  for (const { id } of [...records.files, ...records.proxies, ...records.keyframes]) {
    const key = standIn.objectKey(id);
    const object = key === undefined ? undefined : standIn.object(key);
    if (!object) continue;
    const playable = proxies.has(id) ? await isPlayable(object.path) : null;
    objects.set(id, { md5: object.md5, sizeBytes: object.sizeBytes, playable });
  }
  return {
    media: await mediaFiles(cluster.mediaDir, kindOf),
    records,
    localStorageId: cluster.storageId,
    remoteStorageId: account.cloud.filesId,
    objectOf: (entry: Entry) => objects.get(entry.id) ?? null,
  };
}
