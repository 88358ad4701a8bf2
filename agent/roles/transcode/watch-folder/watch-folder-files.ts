import { join } from 'node:path';
import type { WatchFolderAccess } from '../../../storage/watch-folder-access.ts';
import { isPictureOf, isProxyOf, stemOf, type WatchFolder } from './watch-folder-plan.ts';
import type { SeenFile } from './watch-folder-state.ts';

/** The results that are there now. */
export async function lookForResults(
  access: WatchFolderAccess,
  watch: WatchFolder,
  signal: AbortSignal,
): Promise<SeenFile[]> {
  const { linkName, proxies, keyframes, keyframeMaps } = watch;
  const folders = [...new Set([proxies, keyframes, keyframeMaps])].filter((folder) => folder !== null);
  const found = await access.lookForResults({ folders, prefix: stemOf(linkName) }, signal);
  const seen = (folder: string | null, kind: SeenFile['kind'], isOurs: (name: string, link: string) => boolean) =>
    found
      .filter((file) => file.folder === folder && isOurs(file.name, linkName))
      .map(({ name, sizeBytes, mtimeMs }) => ({ path: join(folder ?? '', name), kind, sizeBytes, mtimeMs }));
  return [
    ...seen(proxies, 'proxy', isProxyOf),
    ...seen(keyframeMaps, 'keyframe-map', isPictureOf),
    ...(keyframes === keyframeMaps ? [] : seen(keyframes, 'keyframe', isPictureOf)),
  ];
}

/** Removes link and results. What is not there is fine; a folder that is this job's own goes when it is empty. */
export async function clearWatchFolder(
  access: WatchFolderAccess,
  watch: WatchFolder,
  signal: AbortSignal,
): Promise<void> {
  const link = join(watch.folder, watch.linkName);
  const results = (await lookForResults(access, watch, signal)).map(({ path }) => path);
  const own = watch.isOwnFolder ? [watch.proxies, watch.keyframes, watch.keyframeMaps, watch.folder] : [];
  // What lies deeper first.
  const folders = [...new Set(own)].filter((folder) => folder !== null).toSorted((a, b) => b.length - a.length);
  await access.clearResults({ files: [link, `${link}.isg-part`, ...results], folders }, signal);
}
