import { extname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { Transcoder } from '../../../iconik/api.ts';

// A watch-folder transcoder (reference A.7, WatchFolderVideoTranscoderSchema): another program, such as BRAW Proxy Generator,
// watches a folder and writes proxies of what appears in it. Names and limits of the settings are documented; what follows is
// inferred from them and marked so. Pure.

const folderName = z.string().trim().optional();

/** Settings of the transcoder that count here. Seconds. */
const settingsSchema = z.looseObject({
  /** Absolute, or relative to the mount point of the storage (the latter inferred). */
  watch_folder_location: z.string().min(1),
  /** Folder of results, in the folder in which the original is put (inferred); '' = that folder itself. */
  proxy_folder_name: z.string(),
  keyframe_folder_name: folderName,
  keyframe_map_folder_name: folderName,
  /** A result counts when it has not changed for this long. */
  file_grow_threshold: z.number().min(5).catch(5),
  proxy_timeout: z.number().min(10).max(86_400).catch(3_600),
  use_symlink: z.boolean().catch(false),
  use_unique_sub_folder_workflow: z.boolean().catch(false),
});

/** One watch folder, as a job uses it. */
export interface WatchFolder {
  /** Absolute path of the folder that the transcoder names. */
  root: string;
  /** Absolute path of the folder in which this job's link stands. */
  folder: string;
  /** Whether `folder` is this job's alone and goes with it. */
  isOwnFolder: boolean;
  /** File name of the link. */
  linkName: string;
  /** Absolute folders of results; null = none are looked for. */
  proxies: string;
  keyframes: string | null;
  keyframeMaps: string | null;
  growMs: number;
  timeoutMs: number;
  useSymlink: boolean;
}

/** What a watch folder is planned for. */
export interface WatchedOriginal {
  assetId: string;
  versionId: string;
  /** File name of the original. */
  name: string;
  mountPoint: string;
}

/** A folder of results must stay below the watch folder: a name that leads out of it is refused. */
function inside(folder: string, name: string): string | null {
  const parts = name.split(/[/\\]/).filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? null : join(folder, ...parts);
}

/** Characters that another program may not take in a file name become underscores. */
const plain = (text: string) =>
  text
    .replace(/[^\w.\- ]/g, '_')
    .slice(-120)
    .replace(/^[. -]+/, '_');

/**
 * The watch folder of an original by a transcoder of iconik; null when the transcoder is of another type. A string says what is
 * wrong with its settings. The names are made of the asset and version: another attempt, on any node, means the same files.
 */
export function planWatchFolder(transcoder: Transcoder, original: WatchedOriginal): WatchFolder | string | null {
  if (transcoder.type !== 'WATCH_FOLDER_VIDEO') return null;
  const parsed = settingsSchema.safeParse(transcoder.settings);
  if (!parsed.success) return 'it names no watch_folder_location or no proxy_folder_name';
  const { data } = parsed;
  const location = data.watch_folder_location;
  const root = isAbsolute(location) ? location : inside(original.mountPoint, location);
  if (root === null) return 'its watch_folder_location leads out of the storage';
  const own = `isg-${plain(original.assetId)}-${plain(original.versionId)}`;
  const isOwnFolder = data.use_unique_sub_folder_workflow;
  const folder = isOwnFolder ? join(root, own) : root;
  const linkName = isOwnFolder
    ? plain(original.name)
    : `${own}${/^\.\w{1,16}$/.test(extname(original.name)) ? extname(original.name) : ''}`;
  const folders = [data.proxy_folder_name, data.keyframe_folder_name, data.keyframe_map_folder_name].map((name) =>
    name === undefined || (name === '' && data.proxy_folder_name !== '') ? undefined : inside(folder, name),
  );
  if (folders.includes(null)) return 'a name of its folders leads out of the watch folder';
  const [proxies, keyframes, keyframeMaps] = folders;
  return {
    root,
    folder,
    isOwnFolder,
    linkName,
    proxies: proxies ?? folder,
    keyframes: keyframes ?? null,
    keyframeMaps: keyframeMaps ?? null,
    growMs: data.file_grow_threshold * 1_000,
    timeoutMs: data.proxy_timeout * 1_000,
    useSymlink: data.use_symlink,
  };
}

const VIDEOS = new Set('.mp4 .mov .m4v .mxf .mkv .avi'.split(' '));
const PICTURES = new Set(['.jpg', '.jpeg']);
/** A name up to its extension. */
export const stemOf = (name: string): string => name.slice(0, name.length - extname(name).length);

/** Whether a file of a results folder is a proxy of the link: its name up to the extension, alone or with `_proxy`. */
export function isProxyOf(name: string, linkName: string): boolean {
  if (name === linkName || !VIDEOS.has(extname(name).toLowerCase())) return false;
  const own = stemOf(linkName);
  const rest = stemOf(name).startsWith(own) ? stemOf(name).slice(own.length) : null;
  return rest === '' || rest === extname(linkName) || /^[_-]proxy$/i.test(rest ?? '');
}

/** Whether a file of a results folder is a picture of the link: its name begins with the link's, and no word goes on there. */
export function isPictureOf(name: string, linkName: string): boolean {
  const own = stemOf(linkName);
  const isOwn = name.startsWith(own) && !/[a-z0-9]/i.test(name.charAt(own.length));
  return isOwn && PICTURES.has(extname(name).toLowerCase());
}
