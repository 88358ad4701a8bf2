import { readFile, stat } from 'node:fs/promises';
import { type ConfigKey, checkConfigText, decodeConfigBytes, encodeConfigText } from '../contract/index.ts';
import { ConfigFileError, isMissingFile } from './config-file-error.ts';
import { writeAtomically } from './write-atomically.ts';

/** config.ini and its last good copy as files: reading, judging, replacing, and the words for what the disk refuses. */

/** What can be said of the file without saying a value. */
export interface ConfigStatus {
  status: 'absent' | 'ok' | 'invalid';
  /** All problems, each with its line. */
  problems: string[];
  /** What is understood but doubtful or without effect, each with its line. */
  warnings: string[];
}

/** The text of a file. */
export type ReadText = { kind: 'text'; text: string } | { kind: 'absent' } | { kind: 'unreadable'; problem: string };

/** Where the last good copy lies. */
export const backupOf = (path: string): string => `${path}.bak`;
/** Where a file goes that was replaced by its last good copy. */
export const brokenOf = (path: string): string => `${path}.broken`;

/** Reads a config.ini; never throws. */
export async function readConfig(path: string): Promise<ReadText> {
  try {
    const decoded = decodeConfigBytes(await readFile(path));
    return decoded.kind === 'text' ? decoded : { kind: 'unreadable', problem: decoded.problem };
  } catch (thrown) {
    if (isMissingFile(thrown)) return { kind: 'absent' };
    return { kind: 'unreadable', problem: `the file cannot be read: ${codeOf(thrown)}` };
  }
}

/** The text, or an empty one. */
export const textOf = (read: ReadText): string => (read.kind === 'text' ? read.text : '');

/** Judges what was read; `elsewhere` names required keys that this machine keeps in another place. */
export function statusOf(read: ReadText, elsewhere: readonly ConfigKey[]): ConfigStatus {
  if (read.kind === 'absent') return { status: 'absent', problems: [], warnings: [] };
  if (read.kind === 'unreadable') return { status: 'invalid', problems: [read.problem], warnings: [] };
  const { problems, warnings } = checkConfigText(read.text, elsewhere);
  return { status: problems.length === 0 ? 'ok' : 'invalid', problems, warnings };
}

/** When the last good copy was written, milliseconds since the epoch; null when there is none that could be used. */
export async function backupTime(path: string, elsewhere: readonly ConfigKey[]): Promise<number | null> {
  const read = await readConfig(backupOf(path));
  if (statusOf(read, elsewhere).status !== 'ok') return null;
  return (await stat(backupOf(path)).catch(() => null))?.mtimeMs ?? null;
}

/** Writes the text in place of `path`, whole or not at all. Throws `ConfigFileError` in words for people. */
export async function replaceConfig(path: string, text: string): Promise<void> {
  try {
    await writeAtomically(path, encodeConfigText(text));
  } catch (thrown) {
    const words = `${path} could not be written (${codeOf(thrown)}): ${remedyOf(codeOf(thrown))} The settings are as before.`;
    throw new ConfigFileError('config-not-written', words, 'transient', thrown);
  }
}

/** Puts the last good copy in the place of the file, which is kept beside it. Throws `ConfigFileError`. */
export async function restoreBackup(path: string, elsewhere: readonly ConfigKey[]): Promise<void> {
  const backup = await readConfig(backupOf(path));
  if (backup.kind !== 'text' || statusOf(backup, elsewhere).status !== 'ok')
    throw new ConfigFileError(
      'config-no-backup',
      `There is no good copy of ${path}. Nothing was changed.`,
      'permanent',
    );
  const present = await readFile(path).catch(() => null);
  if (present !== null) await writeAtomically(brokenOf(path), present);
  await replaceConfig(path, backup.text);
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space, then save again.',
  EDQUOT: 'the disk quota of this user is used up. Free some space, then save again.',
  EROFS: 'the file system is read-only. Mount it writable, then save again.',
  EACCES: 'this user may not write there. Give it the right to write the file and its folder, then save again.',
  EPERM: 'this user may not write there. Give it the right to write the file and its folder, then save again.',
  'READ-ONLY': 'the file is marked read-only. Take the mark away, then save again.',
};

function remedyOf(code: string): string {
  return REMEDIES[code] ?? 'check the rights of the file and its folder, and the free space, then save again.';
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
