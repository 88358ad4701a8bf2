import type { ProblemFile } from '../../../agent/contract/index.ts';

// Groups the files of a storage that need attention by their reason. Pure.

/** Files that need attention for one reason. */
export interface ProblemGroup {
  /** State and reason; stable while pages arrive. */
  key: string;
  state: string;
  reason: string;
  files: readonly ProblemFile[];
}

/** What a problem without a reason of its own means. */
const PLAIN_REASONS: Record<string, string> = {
  missing: 'The file is no longer on the storage, but iconik still has it.',
  faulty: 'The file could not be ingested.',
  empty: 'The file has no content.',
};

/**
 * Reasons name their file; what differs only in the file's name is one reason. The path and its last part are cut out of the
 * text, quoted or not.
 */
export function reasonPattern(file: ProblemFile): string {
  if (file.reason === '') return PLAIN_REASONS[file.state] ?? 'No reason was recorded.';
  const name = file.path.split('/').at(-1) ?? file.path;
  return [file.path, name]
    .filter((part) => part.length > 2)
    .reduce(
      (text, part) => text.replaceAll(`“${part}”`, '…').replaceAll(`"${part}"`, '…').replaceAll(part, '…'),
      file.reason,
    );
}

/** Groups in the order of their first file, so that nothing moves when later pages arrive. */
export function groupProblems(files: readonly ProblemFile[]): ProblemGroup[] {
  const groups = new Map<string, { state: string; reason: string; files: ProblemFile[] }>();
  for (const file of files) {
    const reason = reasonPattern(file);
    const key = `${file.state}\n${reason}`;
    const group = groups.get(key);
    if (group) group.files.push(file);
    else groups.set(key, { state: file.state, reason, files: [file] });
  }
  return [...groups].map(([key, group]) => ({ key, ...group }));
}

/** Page after page joined; a path listed twice (it moved between pages) is kept once, as last told. */
export function joinProblems(before: readonly ProblemFile[], page: readonly ProblemFile[]): ProblemFile[] {
  const byPath = new Map(before.map((file) => [file.path, file]));
  for (const file of page) byPath.set(file.path, file);
  return [...byPath.values()];
}
