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
    else if (value !== '') said.set(key, { text: value, where });
  }
  return { said, problems, warnings };
}

/** Parses each key's text. Pushes one sentence per problem and returns null then. Never repeats a text: it may be a secret. */
export function parseSettings(said: ReadonlyMap<string, SaidSetting>, problems: string[]): PlainConfigValues | null {
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
    if (entry === undefined) problems.push(`${key} is missing: set it in [main], or give --${key}`);
    else problems.push(`${entry.where}: ${key} ${parsed.error.issues[0]?.message ?? 'is wrong'}`);
  }
  return isWhole ? (values as PlainConfigValues) : null;
}

/** All problems and warnings of a config.ini by itself, without flags. Pure; never repeats a value. */
export function checkConfigText(text: string): { problems: string[]; warnings: string[] } {
  const file = parseConfigFile(text);
  const { said, problems, warnings } = collectSettings(file);
  // without a readable file every required key would be "missing", which hides the one thing that is wrong
  const values = file.problems.length === 0 ? parseSettings(said, problems) : null;
  if (values !== null) problems.push(...checkRelations(values));
  return { problems, warnings };
}

/** What is wrong with one value as typed, in words that follow the key's name; null when nothing. Pure. */
export function checkConfigValue(key: ConfigKey, text: string): string | null {
  const parsed = CONFIG_KEYS[key].safeParse(text);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? 'is wrong');
}
