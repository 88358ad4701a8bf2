import { type ConfigLine, readConfigLine } from '../contract/index.ts';

/** Changes by kebab-case key: a new value, or null to remove the key. */
export type ConfigChanges = Readonly<Record<string, string | null>>;

type Setting = Extract<ConfigLine, { kind: 'setting' }>;

/** A line as it stands: text and line end apart, and what the reader makes of it. */
interface Line {
  text: string;
  end: string;
  read: ConfigLine;
  /** Whether a setting in this line counts (in `[main]`, or before any section). */
  isRead: boolean;
  /** Whether the line belongs to a `[main]` section itself. */
  isInMain: boolean;
}

const BYTE_ORDER_MARK = '\uFEFF';
const LINES = /([^\r\n]*)(\r\n|\n|\r|$)/g;

/**
 * Changes keys in the text of a config.ini and keeps every other byte: comments, order, unknown keys, spelling and spacing
 * of the changed lines, line ends, byte order mark. Of a key written twice the last one, which counts, is changed; removing
 * removes all. A new key goes to the end of `[main]`. Values must fit one line (`valueProblem`). Pure.
 */
export function editConfigText(text: string, changes: ConfigChanges): string {
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  let lines = splitLines(text.slice(mark.length));
  for (const [key, value] of Object.entries(changes)) {
    lines = value === null ? lines.filter((line) => !holds(line, key)) : withValue(lines, key, value);
  }
  return mark + lines.map((line) => line.text + line.end).join('');
}

/** Why a value cannot stand in config.ini, in words that follow the key's name; null when it can. Pure. */
export function valueProblem(value: string): string | null {
  if (/[\r\n]/.test(value)) return 'must be one line';
  return value.includes('\u0000') ? 'must be text' : null;
}

function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  let section: string | undefined;
  for (const [whole, content = '', end = ''] of text.matchAll(LINES)) {
    if (whole === '') continue;
    const read = readConfigLine(content);
    if (read.kind === 'section') section = read.name;
    lines.push({
      text: content,
      end,
      read,
      isRead: section === undefined || section === 'main',
      isInMain: section === 'main',
    });
  }
  return lines;
}

function holds(line: Line, key: string): boolean {
  return line.isRead && line.read.kind === 'setting' && line.read.key === key;
}

function withValue(lines: readonly Line[], key: string, value: string): Line[] {
  const index = lines.findLastIndex((line) => holds(line, key));
  const line = lines[index];
  if (line === undefined) return withNewKey(lines, key, value);
  if (line.read.kind !== 'setting' || line.read.value === value) return [...lines];
  const text = replaceValue(line.text, line.read, value);
  return lines.with(index, { ...line, text, read: readConfigLine(text) });
}

/** Keeps what stands left of the value, the quotes round it where they can stay, and the space and comment behind it. */
function replaceValue(text: string, { key, from, to }: Setting, value: string): string {
  const old = text.slice(from, to);
  const quote = /^(["']).*\1$/s.test(old) && old.length > 1 ? old.charAt(0) : '';
  const before = text.slice(0, from);
  const behind = text.slice(to);
  // of a line without value the space before its comment stands left of it
  const gap = old === '' && /^[;#]/.test(behind) ? ' ' : '';
  const marks = quote === '' ? ['', '"', "'"] : [quote, '', '"', "'"];
  const texts = marks.map((mark) => `${before}${mark}${value}${mark}${gap}${behind}`);
  // a comment that no quotes tell from the value cannot stay
  return texts.find((line) => says(line, key, value)) ?? before + written(key, value);
}

const says = (line: string, key: string, value: string): boolean => {
  const read = readConfigLine(line);
  return read.kind === 'setting' && read.key === key && read.value === value;
};

/** A value that the reader would trim, unquote or cut at a comment needs quotes. */
function written(key: string, value: string): string {
  return says(`${key} = ${value}`, key, value) ? value : `"${value}"`;
}

function withNewKey(lines: readonly Line[], key: string, value: string): Line[] {
  // behind the last line of [main] that says something: blank lines before the next section stay where they are
  const last = lines.findLastIndex((line) => line.isInMain && line.text.trim() !== '');
  // the end of the line before: another one of a file that mixes them could join with the line behind ("\r" + "\n")
  const end = lines[last]?.end || lines.find((line) => line.end !== '')?.end || '\n';
  const text = `${key} = ${written(key, value)}`;
  const added: Line = {
    text,
    end,
    read: readConfigLine(text),
    isRead: true,
    isInMain: true,
  };
  const header: Line = { ...added, text: '[main]', read: { kind: 'section', name: 'main' } };
  const before = last < 0 ? lines : lines.slice(0, last + 1);
  const behind = last < 0 ? [] : lines.slice(last + 1);
  return [...closed(before, end), ...(last < 0 ? [header] : []), added, ...behind];
}

/** The last line of a file may lack its line end; a line that follows needs it. */
function closed(lines: readonly Line[], end: string): Line[] {
  const last = lines.at(-1);
  return last === undefined || last.end !== '' ? [...lines] : lines.with(-1, { ...last, end });
}
