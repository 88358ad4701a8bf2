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

/**
 * Keys whose value is free text: a path or a schedule may hold " ;" and " #". Of all other keys no value does, so that what
 * follows such a mark is a comment.
 */
const FREE_TEXT_KEYS: ReadonlySet<string> = new Set([
  'transfer-bandwidth-schedule',
  'ffmpeg-path',
  'ffprobe-path',
  'direct-transfer-certificate',
  'direct-transfer-key',
  'direct-transfer-ca',
  'data-dir',
]);

const QUOTED = /^(["'])(.*)\1$/s;
const QUOTED_WITH_COMMENT = /^((["'])(?:(?!\2).)*\2)\s+[;#]/s;
/** A value that begins with the mark itself, such as a token, is one unless space follows. */
const BARE_WITH_COMMENT = /^(\S.*?)\s+[;#]/s;
const COMMENT_ONLY = /^[;#](?:\s|$)/;

/** `Max_Transcoding_Jobs` and `max-transcoding-jobs` are one key. */
function canonicalKey(written: string): string {
  return written.trim().toLowerCase().replaceAll('_', '-');
}

/** What one line of config.ini is. */
export type ConfigLine =
  | { kind: 'nothing' }
  | { kind: 'section'; name: string }
  /** `from` and `to` are where the value stands in the line, with its quotes and without a comment behind it. */
  | { kind: 'setting'; key: string; value: string; from: number; to: number }
  | { kind: 'unreadable' };

/** Reads one line without its line end. Pure; reader and editor of config.ini share it, so that they never disagree. */
export function readConfigLine(raw: string): ConfigLine {
  const text = raw.trim();
  if (text === '' || text.startsWith(';') || text.startsWith('#')) return { kind: 'nothing' };
  const section = /^\[([^\]]*)\]\s*([;#].*)?$/.exec(text)?.[1];
  if (section !== undefined) return { kind: 'section', name: section.trim().toLowerCase() };
  const equals = text.indexOf('=');
  if (equals <= 0) return { kind: 'unreadable' };
  const key = canonicalKey(text.slice(0, equals));
  const written = writtenValue(key, text.slice(equals + 1).trim());
  const behind = raw.indexOf('=') + 1;
  const rest = raw.slice(behind);
  // of a line without value all space stands before it
  const from = behind + (written === '' ? rest.length - rest.trimStart().length : rest.indexOf(written));
  return { kind: 'setting', key, value: QUOTED.exec(written)?.[2] ?? written, from, to: from + written.length };
}

/** What is left without a comment behind the value. Whatever stands in quotes as a whole is a value as a whole. */
function writtenValue(key: string, text: string): string {
  if (QUOTED.test(text)) return text;
  const quoted = QUOTED_WITH_COMMENT.exec(text)?.[1];
  if (quoted !== undefined) return quoted;
  if (FREE_TEXT_KEYS.has(key)) return text;
  return COMMENT_ONLY.test(text) ? '' : (BARE_WITH_COMMENT.exec(text)?.[1] ?? text);
}

/**
 * Reads config.ini (reference A.3): section `[main]`, one `key = value` per line, kebab or snake case, comments `;` and `#`
 * on lines of their own or, set off by spaces, behind a value that is no path or schedule, optional quotes round a value,
 * optional byte order mark, any line ends. Pure. Finds all problems
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
