import { readFile } from 'node:fs/promises';
import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  CONFIG_WORDS,
  checkConfigText,
  isSecretValue,
  parseConfigFile,
  REFUSED_KEYS,
} from '../../agent/contract/index.ts';
import type { ConfigEntry } from '../../preload/contract/bridge.ts';
import { AppError, isMissingFile } from '../support/app-error.ts';
import { type ConfigChanges, editConfigText, valueProblem } from './edit-config-text.ts';
import { writeAtomically } from './write-atomically.ts';

/** What can be said of the file without saying a value. */
export interface ConfigStatus {
  status: 'absent' | 'ok' | 'invalid';
  /** All problems, each with its line. */
  problems: string[];
}

/** config.ini: the only settings file; main is its only writer while the desktop application runs. */
export interface ConfigStore {
  readonly path: string;
  check(): Promise<ConfigStatus>;
  /** All keys that may be set, with their values; of secrets only whether they are set. */
  readEntries(): Promise<ConfigEntry[]>;
  /** One value as it stands, for main itself; null when not set. */
  readValue(key: string): Promise<string | null>;
  /**
   * Changes keys and keeps every other byte. Returns all problems of what would be written, and has written nothing then.
   * Throws `AppError` when the file cannot be read or written. Changes run one after the other.
   */
  write(changes: ConfigChanges): Promise<string[]>;
}

/** The text of a file; null when there is none. */
type ReadText = { kind: 'text'; text: string } | { kind: 'absent' } | { kind: 'unreadable'; problem: string };

/** Somebody else's edit between reading and writing makes us begin anew; more often than this is no coincidence. */
const MOST_TRIES = 5;

/** Opens the store; touches nothing yet. */
export function createConfigStore(path: string): ConfigStore {
  let last: Promise<unknown> = Promise.resolve();
  const entriesOf = async () => {
    const read = await readText(path);
    return new Map(parseConfigFile(textOf(read)).entries.map(({ key, value }) => [key, value]));
  };
  return {
    path,
    check: async () => statusOf(await readText(path)),
    readEntries: async () => {
      const values = await entriesOf();
      return CONFIG_KEY_NAMES.map((key) => entryOf(key, values.get(key) ?? ''));
    },
    readValue: async (key) => (await entriesOf()).get(key) || null,
    write: (changes) => {
      const written = last.then(() => writeChanges(path, changes));
      last = written.catch(() => {});
      return written;
    },
  };
}

async function readText(path: string): Promise<ReadText> {
  try {
    const bytes = await readFile(path);
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (thrown) {
    if (isMissingFile(thrown)) return { kind: 'absent' };
    const why = thrown instanceof TypeError ? 'it is not UTF-8 text' : whyOf(thrown);
    return { kind: 'unreadable', problem: `the file cannot be read: ${why}` };
  }
}

function textOf(read: ReadText): string {
  return read.kind === 'text' ? read.text : '';
}

function statusOf(read: ReadText): ConfigStatus {
  if (read.kind === 'absent') return { status: 'absent', problems: [] };
  if (read.kind === 'unreadable') return { status: 'invalid', problems: [read.problem] };
  const { problems } = checkConfigText(read.text);
  return { status: problems.length === 0 ? 'ok' : 'invalid', problems };
}

function entryOf(key: (typeof CONFIG_KEY_NAMES)[number], text: string): ConfigEntry {
  const isSecret = isSecretValue(key, text);
  const value = isSecret || text === '' ? null : text;
  return { key, value, isSecret, isSet: text !== '', ...CONFIG_WORDS[key] };
}

function problemsOfChanges(changes: ConfigChanges): string[] {
  return Object.entries(changes).flatMap(([key, value]) => {
    // an unknown key may be removed, never set: a misspelt one would have no effect
    if (value === null) return [];
    if (!Object.hasOwn(CONFIG_KEYS, key)) return [`${key} ${REFUSED_KEYS[key] ?? 'is no key of config.ini'}`];
    const problem = valueProblem(value);
    return problem === null ? [] : [`${key} ${problem}`];
  });
}

async function writeChanges(path: string, changes: ConfigChanges): Promise<string[]> {
  const refused = problemsOfChanges(changes);
  if (refused.length > 0) return refused;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const before = await readText(path);
    if (before.kind === 'unreadable')
      throw new AppError('config-unreadable', `${path}: ${before.problem}. Nothing was changed.`, 'permanent');
    const text = editConfigText(textOf(before), changes);
    const { problems } = checkConfigText(text);
    if (problems.length > 0) return problems;
    if (before.kind === 'text' && before.text === text) return [];
    const now = await readText(path);
    if (now.kind !== before.kind || textOf(now) !== textOf(before)) continue;
    await replace(path, before, text);
    return [];
  }
  throw new AppError(
    'config-busy',
    `${path} is being changed by another program again and again. Nothing was changed; try again when it has finished.`,
    'transient',
  );
}

async function replace(path: string, before: ReadText, text: string): Promise<void> {
  try {
    if (before.kind === 'text' && statusOf(before).status === 'ok') await writeAtomically(`${path}.bak`, before.text);
    await writeAtomically(path, text);
  } catch (thrown) {
    throw new AppError(
      'config-not-written',
      `${path} could not be written (${whyOf(thrown)}), so the settings are as before. Check the rights of the file and its folder, and the free space.`,
      'transient',
      thrown,
    );
  }
}

function whyOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
}
