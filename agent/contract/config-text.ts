/** One setting of config.ini, as written. */
export interface ConfigSetting {
  /** Kebab-case, lower case, whatever the file wrote. */
  key: string;
  value: string;
  /** Line in the file, from 1. */
  line: number;
}

/** What a config.ini says, and what is wrong with it. */
export interface ConfigFile {
  /** Last entry of each key of `[main]`, in order of appearance. */
  entries: readonly ConfigSetting[];
  /** Lines that cannot be understood; the file must not be used. */
  problems: readonly string[];
  /** Lines that are understood but doubtful. */
  warnings: readonly string[];
}

const MATCHED_QUOTES = /^(["'])(.*)\1$/s;

/** `Max_Transcoding_Jobs` and `max-transcoding-jobs` are one key. */
function canonicalKey(written: string): string {
  return written.trim().toLowerCase().replaceAll('_', '-');
}

/** What one line of config.ini is. */
export type ConfigLine =
  | { kind: 'nothing' }
  | { kind: 'section'; name: string }
  | { kind: 'setting'; key: string; value: string }
  | { kind: 'unreadable' };

/** Reads one line without its line end. Pure; reader and editor of config.ini share it, so that they never disagree. */
export function readConfigLine(raw: string): ConfigLine {
  const text = raw.trim();
  if (text === '' || text.startsWith(';') || text.startsWith('#')) return { kind: 'nothing' };
  const section = /^\[([^\]]*)\]\s*([;#].*)?$/.exec(text)?.[1];
  if (section !== undefined) return { kind: 'section', name: section.trim().toLowerCase() };
  const equals = text.indexOf('=');
  if (equals <= 0) return { kind: 'unreadable' };
  const value = text.slice(equals + 1).trim();
  // no comments behind a value: tokens and URIs may hold "#" and ";"
  return { kind: 'setting', key: canonicalKey(text.slice(0, equals)), value: MATCHED_QUOTES.exec(value)?.[2] ?? value };
}

/**
 * Reads config.ini (reference A.3): section `[main]`, one `key = value` per line, kebab or snake case, comments `;` and `#`
 * on lines of their own, optional quotes round a value, optional byte order mark, any line ends. Pure. Finds all problems
 * at once. Of a key written twice the last one counts, with a warning. Values are never repeated in problems or warnings.
 */
export function parseConfigFile(text: string): ConfigFile {
  const problems: string[] = [];
  const warnings: string[] = [];
  const entries = new Map<string, ConfigSetting>();
  if (text.includes('\u0000')) {
    return { entries: [], problems: ['the file is not text; save it as UTF-8'], warnings };
  }
  let section: string | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = index + 1;
    const read = readConfigLine(raw);
    if (read.kind === 'section') section = read.name;
    if (read.kind === 'unreadable') problems.push(`line ${line}: neither "key = value" nor a comment nor a section`);
    if (read.kind !== 'setting') continue;
    if (section !== undefined && section !== 'main') {
      warnings.push(`line ${line}: "${read.key}" stands in section [${section}] and is ignored; only [main] is read`);
      continue;
    }
    if (section === undefined) warnings.push(`line ${line}: "${read.key}" stands before [main]; taken as if inside`);
    const earlier = entries.get(read.key);
    if (earlier !== undefined) {
      warnings.push(`line ${line}: "${read.key}" was already set in line ${earlier.line}; the later one counts`);
      entries.delete(read.key);
    }
    entries.set(read.key, { key: read.key, value: read.value, line });
  }
  return { entries: [...entries.values()], problems, warnings };
}
