/**
 * Patterns of names and paths as iconik's storage settings hold them: shell wildcards (`*.tmp`) and regular expressions
 * (`re:/…/`), reference A.5. A wildcard is matched against the whole name and against the whole relative path; `*` and `?`
 * also match `/`, as fnmatch does without its path option. Pure.
 */
import { directoryOf, nameOf, pathKey } from './storage-path.ts';

/** A pattern that was left out, and why. */
export interface InvalidPattern {
  pattern: string;
  reason: string;
}

/** A list of patterns, compiled. */
export interface PatternList {
  /** No pattern compiled, so nothing matches. */
  readonly isEmpty: boolean;
  /** Whether one of the patterns matches the name or the relative path. */
  matches(path: string): boolean;
}

/** What a walk leaves out. */
export interface WalkSelection {
  /** False: nothing but litter is left out. */
  readonly hasPatterns: boolean;
  /** A directory that is neither listed nor reported. */
  skipsDirectory(path: string): boolean;
  /** Any other entry that is not reported. */
  skipsEntry(path: string): boolean;
}

/** How names are compared. */
export interface PatternOptions {
  /** As Windows compares names. Default false. */
  ignoreCase?: boolean;
}

/**
 * What file servers and desktops leave behind, plus our own files; case does not matter. Kept to names that no camera or
 * editor uses for media.
 */
const LITTER = [
  '.DS_Store',
  '._*',
  'Thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '@eaDir',
  '*@SynoEAStream',
  '*@SynoResource',
  '#recycle',
  '#snapshot',
  '.snapshot',
  '.Trashes',
  '.Trash-*',
  '.TemporaryItems',
  '.Spotlight-V100',
  '.fseventsd',
  '.DocumentRevisions-V100',
  '.AppleDouble',
  '$RECYCLE.BIN',
  'System Volume Information',
  'lost+found',
  '.nfs[0-9a-f]*',
  '.fuse_hidden*',
  '.isg-pro-*',
];

const REGULAR_EXPRESSION = /^re:\/(.*)\/([imsu]*)$/s;

/** One bracket expression of a wildcard, from its `[`; null when it is never closed and so stands for itself. */
function compileBracket(pattern: string, start: number): { source: string; end: number } | null {
  const negated = pattern[start + 1] === '!' || pattern[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  // A `]` right after the opening is a member, not the end.
  const close = pattern.indexOf(']', first + 1);
  if (close < 0) return null;
  const members = pattern.slice(first, close).replace(/[\\\][&|~^]/g, '\\$&');
  return { source: `[${negated ? '^' : ''}${members}]`, end: close };
}

/** The source of a regular expression that means the same as a shell wildcard. */
function wildcardSource(pattern: string): string {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    const bracket = character === '[' ? compileBracket(pattern, at) : null;
    if (bracket) {
      source += bracket.source;
      at = bracket.end;
    } else if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else source += character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return `^${source}$`;
}

function compilePattern(pattern: string, ignoreCase: boolean): RegExp {
  const written = REGULAR_EXPRESSION.exec(pattern);
  const flags = new Set(ignoreCase ? ['i'] : []);
  if (written) for (const flag of written[2] ?? '') flags.add(flag);
  else flags.add('s');
  return new RegExp(written ? (written[1] ?? '') : wildcardSource(pattern), [...flags].join(''));
}

/**
 * Compiles patterns. One that does not compile is left out and reported, so that a typing mistake in a setting never stops
 * a scan. Empty patterns are dropped without a word. Names and patterns are compared in NFC.
 */
export function compilePatterns(
  patterns: readonly string[],
  options: PatternOptions = {},
): { list: PatternList; invalid: InvalidPattern[] } {
  const compiled: RegExp[] = [];
  const invalid: InvalidPattern[] = [];
  for (const pattern of patterns) {
    if (pattern.trim() === '') continue;
    try {
      compiled.push(compilePattern(pathKey(pattern), options.ignoreCase ?? false));
    } catch (thrown) {
      invalid.push({ pattern, reason: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  }
  const matches = (path: string) => {
    const key = pathKey(path);
    const name = nameOf(key);
    return compiled.some((expression) => expression.test(name) || (name !== key && expression.test(key)));
  };
  return { list: { isEmpty: compiled.length === 0, matches }, invalid };
}

const litter = compilePatterns(LITTER, { ignoreCase: true }).list;
/** First characters of litter, both cases. A wildcard at the start stands for what follows it: an `@`. */
const LITTER_STARTS = new Set(LITTER.flatMap((name) => [name.charAt(0).toLowerCase(), name.charAt(0).toUpperCase()]));

/** Whether a name can be litter at all; most names cannot, and a scan asks for each of millions. */
export function mayBeLitter(name: string): boolean {
  return LITTER_STARTS.has(name.charAt(0)) || name.includes('@');
}

/** Whether a name is litter of a file server or desktop, or one of our own files (`.isg-pro-*`). */
export function isLitter(name: string): boolean {
  return litter.matches(nameOf(name));
}

/**
 * What a walk leaves out. Litter always; then, when there is an include list, every file that it does not name (a file that
 * it names stays even if ignored: include beats ignore); without one, what the ignore list names. An ignored directory is
 * left out with all it holds, but only when there is no include list, which may name a file in it. An include list of
 * which nothing compiles still lets nothing in: a typing mistake must not ingest a whole storage.
 */
export function compileSelection(
  lists: { ignore: readonly string[]; include: readonly string[] },
  options: PatternOptions = {},
): { selection: WalkSelection; invalid: InvalidPattern[] } {
  const ignore = compilePatterns(lists.ignore, options);
  const include = compilePatterns(lists.include, options);
  const hasInclude = lists.include.some((pattern) => pattern.trim() !== '');
  const selection: WalkSelection = {
    hasPatterns: hasInclude || !ignore.list.isEmpty,
    skipsDirectory: (path) => isLitter(path) || (!hasInclude && ignore.list.matches(path)),
    skipsEntry: (path) => isLitter(path) || (hasInclude ? !include.list.matches(path) : ignore.list.matches(path)),
  };
  return { selection, invalid: [...ignore.invalid, ...include.invalid] };
}

/** Whether a path or one of its directories is left out by a selection (for hints that name single files). */
export function isLeftOut(selection: WalkSelection, path: string): boolean {
  for (let directory = directoryOf(path); directory !== ''; directory = directoryOf(directory)) {
    if (selection.skipsDirectory(directory)) return true;
  }
  return selection.skipsEntry(path);
}
