import type { FileStorageSettings } from '../../iconik/api.ts';
import { compilePatterns } from '../../storage/ignore-patterns.ts';
import { isWithin, pathKey } from '../../storage/storage-path.ts';

const isPriority = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 10;

const plain = (directory: string): string => pathKey(directory.split('/').filter(Boolean).join('/'));

/**
 * Priority (1–10) of the work on a file by its storage's `prio_patterns` and `prio_dirs` (reference A.5); undefined = the
 * default. A pattern beats a directory, because it names the files more closely; of several patterns the first of the list
 * counts, of several directories the longest. What iconik orders carries its own priority and does not come here. Pure.
 */
export function filePriority(path: string, settings: FileStorageSettings): number | undefined {
  for (const { pattern, priority } of settings.prio_patterns ?? []) {
    if (isPriority(priority) && compilePatterns([pattern]).list.matches(path)) return priority;
  }
  const key = pathKey(path);
  let best: { length: number; priority: number } | undefined;
  for (const { directory, priority } of settings.prio_dirs ?? []) {
    const { length } = plain(directory);
    if (!isPriority(priority) || !isWithin(key, plain(directory)) || length < (best?.length ?? 0)) continue;
    best = { length, priority };
  }
  return best?.priority;
}
