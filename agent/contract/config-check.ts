import { hasStrayBytes } from './config-bytes.ts';
import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  type ConfigKey,
  checkRelations,
  IDLE_KEYS,
  type PlainConfigValues,
  REFUSED_KEYS,
} from './config-keys.ts';
import { type ConfigFile, parseConfigFile } from './config-text.ts';

/** What else may be the matter when a key is missing. */
const TOKEN_HINTS: Partial<Record<ConfigKey, string>> = {
  'auth-token':
    " (a token that the desktop application keeps in the system's key store cannot be read by any other program)",
};

/** The text that some place gives for a key. */
export interface SaidSetting {
  text: string;
  /** `line 12` or `--app-id`; where to look. */
  where: string;
}

/** The settings of a file by key, and what is wrong or doubtful about their keys. An empty value counts as not said. Pure. */
export function collectSettings(file: ConfigFile): {
  said: Map<string, SaidSetting>;
  problems: string[];
  warnings: string[];
} {
  const said = new Map<string, SaidSetting>();
  const problems = [...file.problems];
  const warnings = [...file.warnings];
  for (const { key, value, line } of file.entries) {
    const where = `line ${line}`;
    if (Object.hasOwn(REFUSED_KEYS, key)) problems.push(`${where}: ${key} ${REFUSED_KEYS[key]}`);
    else if (Object.hasOwn(IDLE_KEYS, key)) warnings.push(`${where}: ${key} ${IDLE_KEYS[key]}`);
    else if (!Object.hasOwn(CONFIG_KEYS, key))
      warnings.push(`${where}: unknown key "${key}" is kept but has no effect`);
    else if (hasStrayBytes(value)) problems.push(`${where}: ${key} holds bytes that are no UTF-8 text`);
    else if (value !== '') said.set(key, { text: value, where });
  }
  return { said, problems, warnings };
}

/**
 * Parses each key's text. Pushes one sentence per problem and returns null then. Never repeats a text: it may be a secret.
 * Of a file with lines that cannot be read nothing is called missing: it may stand in one of them.
 */
export function parseSettings(
  said: ReadonlyMap<string, SaidSetting>,
  problems: string[],
  { isReadable }: { isReadable: boolean },
): PlainConfigValues | null {
  const values: Partial<Record<ConfigKey, unknown>> = {};
  let isWhole = true;
  for (const key of CONFIG_KEY_NAMES) {
    const entry = said.get(key);
    const parsed = CONFIG_KEYS[key].safeParse(entry?.text);
    if (parsed.success) {
      values[key] = parsed.data;
      continue;
    }
    isWhole = false;
    if (entry === undefined && !isReadable) continue;
    if (entry === undefined)
      problems.push(`${key} is missing: set it in [main], or give --${key}${TOKEN_HINTS[key] ?? ''}`);
    else problems.push(`${entry.where}: ${key} ${parsed.error.issues[0]?.message ?? 'is wrong'}`);
  }
  return isWhole ? (values as PlainConfigValues) : null;
}

/** Problems in the order of their lines; those of no line stay behind, in their order. Pure. */
export function inOrder(problems: readonly string[]): string[] {
  const lineOf = (problem: string): number => Number(/^line (\d+):/.exec(problem)?.[1] ?? Number.MAX_SAFE_INTEGER);
  return problems.toSorted((a, b) => lineOf(a) - lineOf(b));
}

/** Stands for the value of a required key that is kept elsewhere; valid for all of them. */
const KEPT_ELSEWHERE: SaidSetting = { text: 'kept-elsewhere', where: 'elsewhere' };

/**
 * All problems and warnings of a config.ini by itself, without flags; `elsewhere` names keys that need not stand in it. Pure;
 * never repeats a value.
 */
export function checkConfigText(
  text: string,
  elsewhere: readonly ConfigKey[] = [],
): { problems: string[]; warnings: string[] } {
  const file = parseConfigFile(text);
  const { said, problems, warnings } = collectSettings(file);
  for (const key of elsewhere) if (!said.has(key)) said.set(key, KEPT_ELSEWHERE);
  const values = parseSettings(said, problems, { isReadable: file.problems.length === 0 });
  if (values !== null) problems.push(...checkRelations(values));
  return { problems: inOrder(problems), warnings: inOrder(warnings) };
}

/** What is wrong with one value as typed, in words that follow the key's name; null when nothing. Pure. */
export function checkConfigValue(key: ConfigKey, text: string): string | null {
  const parsed = CONFIG_KEYS[key].safeParse(text);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? 'is wrong');
}
