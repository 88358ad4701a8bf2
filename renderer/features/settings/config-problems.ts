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
