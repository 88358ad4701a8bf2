import { createHmac, randomBytes } from 'node:crypto';
import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  CONFIG_WORDS,
  type ConfigConflict,
  type ConfigEntry,
  type ConfigKey,
  configEffect,
  isSecretValue,
  parseConfigFile,
  REFUSED_KEYS,
} from '../contract/index.ts';
import { ConfigFileError } from './config-file-error.ts';
import {
  backupOf,
  backupTime,
  brokenOf,
  type ConfigStatus,
  readConfig,
  replaceConfig,
  restoreBackup,
  statusOf,
  textOf,
} from './config-files.ts';
import { type ConfigChanges, editConfigText, valueProblem } from './edit-config-text.ts';

/** What a write came to; nothing was written unless both are empty. */
export interface ConfigWritten {
  /** All problems of what would be written. */
  problems: string[];
  /** Keys that somebody else has changed since they were read. */
  conflicts: ConfigConflict[];
}

/** Problems of changes, one sentence each; `now` are the values of the file that they would change. */
export type ChangeJudge = (now: ReadonlyMap<string, string>) => string[];

/** config.ini: the only settings file. Its one writer is the desktop application, or the agent where it is a system service. */
export interface ConfigStore {
  readonly path: string;
  /** Judges the file. While it is not good, the last good text that was seen is kept as the copy. Never rejects. */
  check(): Promise<ConfigStatus>;
  /** All keys that may be set, with their values; of secrets only whether they are set. */
  readEntries(): Promise<ConfigEntry[]>;
  /** Values as they stand, for the program itself; empty ones are left out. */
  readValues(): Promise<ReadonlyMap<string, string>>;
  /**
   * Changes keys and keeps every other byte, whoever changed it meanwhile. `seen` are the revisions of the keys as the user
   * saw them: a key that has another one by now is a conflict. Throws `ConfigFileError` when the file cannot be read or written.
   * Changes run one after the other. `judge` says what stands against the changes, given the values that they would meet: it
   * is asked in their turn, so that no change before them, nor a restored copy, comes between the question and the writing.
   */
  write(changes: ConfigChanges, seen?: Readonly<Record<string, string>>, judge?: ChangeJudge): Promise<ConfigWritten>;
  /** When the copy was written that `restore` would use, milliseconds since the epoch; null when there is none. */
  lastGoodMs(): Promise<number | null>;
  /** Puts the last good copy in place of the file, which is kept beside it (`.broken`). Throws `ConfigFileError`. */
  restore(): Promise<void>;
  /** Takes a key out of the copies as well; for a secret that moves elsewhere. */
  removeFromCopies(key: ConfigKey): Promise<void>;
}

/** Somebody else's edit between reading and writing makes us begin anew; more often than this is no coincidence. */
const MOST_TRIES = 5;

/** Opens the store; touches nothing yet. `elsewhere` names required keys that are kept in another place now. */
export function createConfigStore(path: string, elsewhere: () => readonly ConfigKey[] = () => []): ConfigStore {
  return new FileStore(path, elsewhere);
}

class FileStore implements ConfigStore {
  readonly path: string;
  readonly #elsewhere: () => readonly ConfigKey[];
  /** Revisions tell values apart without telling them, also to somebody who sees many. */
  readonly #revisionKey = randomBytes(32);
  #last: Promise<unknown> = Promise.resolve();
  #lastGood: string | null = null;

  constructor(path: string, elsewhere: () => readonly ConfigKey[]) {
    this.path = path;
    this.#elsewhere = elsewhere;
  }

  async check(): Promise<ConfigStatus> {
    const read = await readConfig(this.path);
    const status = statusOf(read, this.#elsewhere());
    if (status.status === 'ok') this.#lastGood = textOf(read);
    else await this.#keepLastGood();
    return status;
  }

  async readEntries(): Promise<ConfigEntry[]> {
    const values = await this.readValues();
    return CONFIG_KEY_NAMES.map((key) => {
      const text = values.get(key) ?? '';
      const isSecret = isSecretValue(key, text);
      const value = isSecret || text === '' ? null : text;
      const revision = this.#revision(text);
      return { key, value, isSecret, isSet: text !== '', revision, effect: configEffect(key), ...CONFIG_WORDS[key] };
    });
  }

  async readValues(): Promise<ReadonlyMap<string, string>> {
    return valuesOf(textOf(await readConfig(this.path)));
  }

  write(
    changes: ConfigChanges,
    seen: Readonly<Record<string, string>> = {},
    judge: ChangeJudge = () => [],
  ): Promise<ConfigWritten> {
    return this.#inTurn(() => this.#write(changes, seen, judge));
  }

  lastGoodMs(): Promise<number | null> {
    return backupTime(this.path, this.#elsewhere());
  }

  restore(): Promise<void> {
    return this.#inTurn(() => restoreBackup(this.path, this.#elsewhere()));
  }

  removeFromCopies(key: ConfigKey): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#lastGood !== null) this.#lastGood = editConfigText(this.#lastGood, { [key]: null });
      for (const copy of [backupOf(this.path), brokenOf(this.path)]) {
        const read = await readConfig(copy);
        const text = editConfigText(textOf(read), { [key]: null });
        if (read.kind === 'text' && text !== read.text) await replaceConfig(copy, text);
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #revision(text: string): string {
    return createHmac('sha256', this.#revisionKey).update(text).digest('base64url').slice(0, 16);
  }

  // What made the file bad may have been no save of ours: what was good until then must not be lost with it.
  async #keepLastGood(): Promise<void> {
    const text = this.#lastGood;
    if (text === null || textOf(await readConfig(backupOf(this.path))) === text) return;
    await this.#inTurn(() => replaceConfig(backupOf(this.path), text)).catch(() => {
      // ignored because it is only the copy; that the disk refuses will be told by the next save
    });
  }

  async #write(
    changes: ConfigChanges,
    seen: Readonly<Record<string, string>>,
    judge: ChangeJudge,
  ): Promise<ConfigWritten> {
    const refused = problemsOfChanges(changes);
    if (refused.length > 0) return { problems: refused, conflicts: [] };
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const before = await readConfig(this.path);
      if (before.kind === 'unreadable')
        throw new ConfigFileError(
          'config-unreadable',
          `${this.path}: ${before.problem}. Nothing was changed.`,
          'permanent',
        );
      const objections = judge(valuesOf(textOf(before)));
      if (objections.length > 0) return { problems: objections, conflicts: [] };
      const conflicts = this.#conflicts(textOf(before), changes, seen);
      if (conflicts.length > 0) return { problems: [], conflicts };
      const text = editConfigText(textOf(before), changes);
      const { problems } = statusOf({ kind: 'text', text }, this.#elsewhere());
      if (problems.length > 0) return { problems, conflicts: [] };
      if (before.kind === 'text' && before.text === text) return { problems: [], conflicts: [] };
      const now = await readConfig(this.path);
      if (now.kind !== before.kind || textOf(now) !== textOf(before)) continue;
      if (statusOf(before, this.#elsewhere()).status === 'ok') await replaceConfig(backupOf(this.path), textOf(before));
      await replaceConfig(this.path, text);
      this.#lastGood = text;
      return { problems: [], conflicts: [] };
    }
    throw new ConfigFileError(
      'config-busy',
      `${this.path} is being changed by another program again and again. Nothing was changed; try again when it has finished.`,
      'transient',
    );
  }

  #conflicts(text: string, changes: ConfigChanges, seen: Readonly<Record<string, string>>): ConfigConflict[] {
    const values = valuesOf(text);
    return Object.entries(changes).flatMap(([key, wanted]) => {
      const now = values.get(key) ?? '';
      const revision = this.#revision(now);
      if (seen[key] === undefined || seen[key] === revision || now === (wanted ?? '')) return [];
      return [{ key, value: isSecretValue(key, now) || now === '' ? null : now, isSet: now !== '', revision }];
    });
  }
}

const valuesOf = (text: string): Map<string, string> =>
  new Map(parseConfigFile(text).entries.flatMap(({ key, value }) => (value === '' ? [] : [[key, value]])));

function problemsOfChanges(changes: ConfigChanges): string[] {
  return Object.entries(changes).flatMap(([key, value]) => {
    // an unknown key may be removed, never set: a misspelt one would have no effect
    if (value === null) return [];
    if (!Object.hasOwn(CONFIG_KEYS, key)) return [`${key} ${REFUSED_KEYS[key] ?? 'is no key of config.ini'}`];
    const problem = valueProblem(value);
    return problem === null ? [] : [`${key} ${problem}`];
  });
}
