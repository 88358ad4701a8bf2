import { checkConfigValue } from '../../../agent/contract/config-check.ts';
import { CONFIG_KEYS, type ConfigKey, checkRelations } from '../../../agent/contract/config-keys.ts';
import type { ConfigEntry } from '../../../preload/contract/bridge.ts';

/** Problems that main found in config.ini, sorted to where they can be mended. */
export interface SortedProblems {
  /** Sentences by key; one that speaks of two keys stands at both. */
  byKey: ReadonlyMap<string, readonly string[]>;
  /** Sentences that name no key on this screen. */
  general: readonly string[];
}

/** No problems. */
export const NO_PROBLEMS: SortedProblems = { byKey: new Map(), general: [] };

const escapePattern = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

function names(problem: string, key: string): boolean {
  // `proxy-resolution` must not be found in `image-proxy-resolution`, nor in the path of the file
  return new RegExp(`(^|[\\s("'×])${escapePattern(key)}(?=$|[\\s)"':,;.])`).test(problem);
}

/** The sentences without the path of the file before them: the screen shows the path once. */
export function withoutPath(problems: readonly string[], path: string): string[] {
  return problems.map((problem) => (problem.startsWith(`${path}: `) ? problem.slice(path.length + 2) : problem));
}

/** Sorts the sentences of `config.write` (and of AppState.config) to the keys they name. */
export function sortProblems(problems: readonly string[], keys: readonly string[]): SortedProblems {
  const byKey = new Map<string, string[]>();
  const general: string[] = [];
  for (const problem of problems) {
    const named = keys.filter((key) => names(problem, key));
    if (named.length === 0) general.push(problem);
    for (const key of named) byKey.set(key, [...(byKey.get(key) ?? []), problem]);
  }
  return { byKey, general };
}

/** Typed values of keys; null = to be removed. */
export type TypedKeys = Readonly<Record<string, string | null>>;

const isKey = (key: string): key is ConfigKey => Object.hasOwn(CONFIG_KEYS, key);

/** What is wrong with a typed value, by the schema that agent and main use; null when nothing. Pure. */
export function typedProblem(entry: ConfigEntry, typed: string | null): string | null {
  if (typed === null) return entry.default === '' ? 'Required: this node cannot run without it.' : null;
  const problem = isKey(entry.key) ? checkConfigValue(entry.key, typed.trim()) : null;
  return problem === null ? null : `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`;
}

const TIMING = ['leader-ttl-ms', 'leader-renew-ms', 'leader-margin-ms'] as const;

/** Relations between keys that the typed values would break, as sentences; silent while a single value is wrong. Pure. */
export function relationProblems(entries: readonly ConfigEntry[], typed: TypedKeys): string[] {
  if (!TIMING.some((key) => typed[key] !== undefined)) return [];
  const numberAt = (key: (typeof TIMING)[number]): number | null => {
    const saved = entries.find((entry) => entry.key === key)?.value ?? null;
    const text = typed[key] === undefined ? saved : typed[key];
    const parsed = CONFIG_KEYS[key].safeParse(text ?? undefined);
    return parsed.success ? parsed.data : null;
  };
  const [ttl, renew, margin] = TIMING.map(numberAt);
  if (ttl == null || renew == null || margin == null) return [];
  return checkRelations({ 'leader-ttl-ms': ttl, 'leader-renew-ms': renew, 'leader-margin-ms': margin });
}

/** Everything wrong with the typed values, at the keys where it can be mended. Pure. */
export function typedProblems(entries: readonly ConfigEntry[], typed: TypedKeys): SortedProblems['byKey'] {
  const relations = sortProblems(relationProblems(entries, typed), TIMING).byKey;
  const own = entries.flatMap((entry): [string, string[]][] => {
    const value = typed[entry.key];
    const problem = value === undefined ? null : typedProblem(entry, value);
    return problem === null ? [] : [[entry.key, [problem]]];
  });
  return new Map([...relations, ...own]);
}
