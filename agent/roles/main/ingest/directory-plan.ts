import type { FileStorageSettings } from '../../../iconik/api.ts';
import { compilePatterns } from '../../../storage/ignore-patterns.ts';
import { directoryOf } from '../../../storage/storage-path.ts';

/** Directories that are one asset: camera cards, sequences, bundles (reference A.5). Pure. */

/**
 * The directory whose asset a file is part of, or null: the outermost of its directories whose name or path one of the
 * storage's patterns matches.
 */
export function directoryAssetOf(path: string, settings: FileStorageSettings): string | null {
  if (settings.enable_directory_assets !== true) return null;
  const { list } = compilePatterns(settings.directory_assets_original_patterns ?? []);
  let outermost: string | null = null;
  for (let directory = directoryOf(path); directory !== ''; directory = directoryOf(directory)) {
    if (list.matches(directory)) outermost = directory;
  }
  return outermost;
}

/** Whether renditions are made of a file of a directory asset: the patterns name it, or there are none. */
export function isRenditionSource(path: string, settings: FileStorageSettings): boolean {
  const { list } = compilePatterns(settings.directory_assets_transcode_patterns ?? []);
  return list.isEmpty || list.matches(path);
}

/** Path of a file inside its directory asset; null for a file that is in none. Files that move keep it. */
export function pathInDirectoryAsset(path: string, settings: FileStorageSettings): string | null {
  const directory = directoryAssetOf(path, settings);
  return directory === null ? null : path.slice(directory.length + 1);
}
