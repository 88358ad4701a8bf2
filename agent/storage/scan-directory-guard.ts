import { IsgError } from '../runtime/errors.ts';
import type { StorageAccess } from './storage-access.ts';
import { isWithin, nameOf, outermostDirectories, pathKey } from './storage-path.ts';

/** What says where work may read and write. */
export interface AccessSettings {
  scan_directories?: readonly string[] | undefined;
  allow_access_outside_scan_directories?: boolean | undefined;
}

/**
 * Why a path may not be touched by transfers, renditions and deletions; null when it may: all of a storage without scan
 * directories, and what lies in them, unless the storage allows access outside of them too (reference A.5). Pure.
 */
export function whyOutside(path: string, settings: AccessSettings): string | null {
  if (settings.allow_access_outside_scan_directories === true) return null;
  const roots = outermostDirectories(settings.scan_directories ?? []);
  if (roots.some((root) => isWithin(pathKey(path), pathKey(root)))) return null;
  return `${JSON.stringify(path)} lies outside of the scan directories of the storage (${roots.join(', ')}), and access outside of them is not allowed; nothing was read or written. Choose another place, or allow it in the settings of the storage (allow_access_outside_scan_directories).`;
}

/**
 * The storage as jobs may use it: calls that name a path outside throw `outside-storage` (permanent) with the reason. Files of
 * our own (`.isg-pro-…`) are let through. Settings are asked for at each call.
 */
export function withinScanDirectories(access: StorageAccess, settings: () => AccessSettings): StorageAccess {
  const check = (path: string) => {
    const why = nameOf(path).startsWith('.isg-pro-') ? null : whyOutside(path, settings());
    if (why !== null) throw new IsgError('outside-storage', why, { retry: 'permanent', fields: { path } });
  };
  return {
    ...access,
    absolutePath: (path) => {
      check(path);
      return access.absolutePath(path);
    },
    stat: async (path) => {
      check(path);
      return await access.stat(path);
    },
    digest: async (path, options) => {
      check(path);
      return await access.digest(path, options);
    },
    digestMany: async (paths, options) => {
      for (const path of paths) check(path);
      return await access.digestMany(paths, options);
    },
    digestRange: async (range, options) => {
      check(range.path);
      return await access.digestRange(range, options);
    },
    readText: async (path, maxBytes) => {
      check(path);
      return await access.readText(path, maxBytes);
    },
    readPart: async (part, options) => {
      check(part.path);
      return await access.readPart(part, options);
    },
    sendRange: async (send, options) => {
      check(send.path);
      return await access.sendRange(send, options);
    },
    receiveFile: async (receive, options) => {
      check(receive.path);
      return await access.receiveFile(receive, options);
    },
    writeText: async (path, text, offsetBytes) => {
      check(path);
      return await access.writeText(path, text, offsetBytes);
    },
    commitFile: async (from, to) => {
      check(to);
      return await access.commitFile(from, to);
    },
    removeFile: async (path, expected) => {
      check(path);
      return await access.removeFile(path, expected);
    },
    removeDirectory: async (path) => {
      check(path);
      return await access.removeDirectory(path);
    },
  };
}
