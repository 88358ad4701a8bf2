/**
 * Whether a path names what is there by another spelling. Where names ignore case, a file renamed from `Clip.mov` to
 * `clip.mov` is still found by its old name, and only a listing tells that the old name is gone.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { joinPath, pathKey, pathSegments } from '../storage-path.ts';
import { systemCode } from './local-filesystem.ts';

/** How a storage is looked at; paths are relative to it. */
export interface SpellingLooks {
  /** What tells one file from another; null = not there. */
  identity(path: string): Promise<string | null>;
  names(directory: string): Promise<string[]>;
}

const foldCase = (name: string): string => pathKey(name.toLowerCase());

/** The same name in other letters; equal to `name` when it has none with two cases. */
function otherCase(name: string): string {
  const upper = name.toUpperCase();
  return upper === name ? name.toLowerCase() : upper;
}

/** Whether `name` is not what `directory` calls it: the listing shows the very same thing under letters of another case. */
async function isCalledOtherwise(directory: string, name: string, looks: SpellingLooks): Promise<boolean> {
  const other = otherCase(name);
  if (other === name) return false;
  const identity = await looks.identity(joinPath(directory, name));
  // On most storages this look is all: there is nothing by the name in other letters.
  if (identity === null || (await looks.identity(joinPath(directory, other))) !== identity) return false;
  const names = await looks.names(directory);
  if (names.some((listed) => pathKey(listed) === pathKey(name))) return false;
  const rival = names.find((listed) => foldCase(listed) === foldCase(name));
  // A listing that merely missed the name shows no rival.
  return rival !== undefined && (await looks.identity(joinPath(directory, rival))) === identity;
}

/** True only if a part of `path`, which exists, is proven to be spelled in other letters now. Throws what `looks` throws. */
export async function isSpelledOtherwise(path: string, looks: SpellingLooks): Promise<boolean> {
  let directory = '';
  for (const name of pathSegments(path)) {
    if (await isCalledOtherwise(directory, name, looks)) return true;
    directory = joinPath(directory, name);
  }
  return false;
}

/** Looks at a mounted storage. */
export function mountedLooks(mountPoint: string): SpellingLooks {
  const absolute = (path: string) => (path === '' ? mountPoint : `${mountPoint}/${path}`);
  const identityOf = (stats: BigIntStats) => `${stats.dev}:${stats.ino}`;
  return {
    async identity(path) {
      try {
        return identityOf(await lstat(absolute(path), { bigint: true }));
      } catch (thrown) {
        const code = systemCode(thrown);
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        throw thrown;
      }
    },
    names: (directory) => readdir(absolute(directory)),
  };
}
