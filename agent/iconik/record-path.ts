import type { FileRecord } from './api.ts';

/** A directory as iconik may spell it, in the form used here: no slash at either end, '' = root. */
export function plainDirectory(directory: string): string {
  return directory
    .replace(/^(\.?\/)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

/** Whether a file record is at this path; names are compared as they are and in NFC (macOS gives NFD). */
export function isSamePath(file: FileRecord, at: { directoryPath: string; name: string }): boolean {
  const same = (a: string, b: string) => a === b || a.normalize('NFC') === b.normalize('NFC');
  const hasName = [file.name, file.original_name].some((name) => name !== null && same(name, at.name));
  return hasName && same(plainDirectory(file.directory_path), plainDirectory(at.directoryPath));
}
