import type { FileStorageSettings } from '../../../iconik/api.ts';
import { compilePatterns } from '../../../storage/ignore-patterns.ts';
import { directoryOf, joinPath, nameOf, pathKey } from '../../../storage/storage-path.ts';

/** Versions by suffix of a name (reference A.5, A.6). Pure. */

/** What stands between name and extension when the storage says nothing; `#` is the number. */
const DEFAULT_SUFFIX = '_v#';

/** A file that is a later version of another one. */
export interface VersionOfFile {
  /** 2 or more. */
  number: number;
  /** Index keys of the file that must be the version before, as its number may be spelled. */
  predecessorKeys: string[];
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/**
 * The version that a file's name makes it, or null: versioning is off, the name has no suffix or is exempt, or it is the
 * first. `clip_v02.mov` follows `clip_v01.mov` or `clip_v1.mov` in the same folder.
 */
export function versionOfFile(path: string, settings: FileStorageSettings): VersionOfFile | null {
  if (settings.enable_auto_versioning !== true) return null;
  if (compilePatterns(settings.auto_version_ignore ?? []).list.matches(path)) return null;
  const suffix = settings.asset_versions_suffix || DEFAULT_SUFFIX;
  const [before = '', after, more] = suffix.split('#');
  // Without a place for the number, or with two, it says nothing.
  if (after === undefined || more !== undefined) return null;
  const name = nameOf(path);
  const dot = name.lastIndexOf('.');
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot) : '';
  const found = new RegExp(`^(.+)${escaped(before)}(\\d{1,6})${escaped(after)}$`, 's').exec(stem);
  const [, base = '', digits = ''] = found ?? [];
  const number = Number(digits);
  if (found === null || number < 2) return null;
  const spelled = [String(number - 1).padStart(digits.length, '0'), String(number - 1)];
  const predecessorKeys = [...new Set(spelled)].map((previous) =>
    pathKey(joinPath(directoryOf(path), `${base}${before}${previous}${after}${extension}`)),
  );
  return { number, predecessorKeys };
}
