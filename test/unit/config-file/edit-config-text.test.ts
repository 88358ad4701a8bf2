import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editConfigText, valueProblem } from '../../../agent/config-file/edit-config-text.ts';
import { parseConfigFile } from '../../../agent/contract/index.ts';

const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
/** Anything that fits one line: quotes, signs, spaces at the ends. */
const value = fc.string({ unit: fc.constantFrom(...Array.from('ab =;#"\'[]\\%é\t')), maxLength: 12 });
/** Line ends as editors leave them: both new styles mixed, or the old one throughout. */
const lineEnds = fc.constantFrom(['\n', '\r\n'], ['\n'], ['\r\n'], ['\r']);
const space = fc.constantFrom('', ' ', '\t', '  ');
const setting = fc
  .tuple(space, word, space, space, value, space)
  .map(([before, key, left, right, text, after]) => `${before}${key}${left}=${right}${text}${after}`);
const content = fc.oneof(
  { weight: 4, arbitrary: setting },
  fc.string({ unit: fc.constantFrom(...Array.from('ab #;=')), maxLength: 6 }).map((text) => `# ${text}`),
  fc.constantFrom('', '   ', '[main]', ' [MAIN] ; note', '[other]', 'no setting here', '; comment = 1'),
);
const lines = lineEnds.chain((ends) => fc.array(fc.tuple(content, fc.constantFrom(...ends)), { maxLength: 14 }));
const file = fc.tuple(fc.boolean(), lines, fc.boolean()).map(([hasMark, parts, isClosed]) => {
  const text = parts.map(([line, end], i) => (i === parts.length - 1 && !isClosed ? line : line + end)).join('');
  return (hasMark ? '\uFEFF' : '') + text;
});
const key = word.map((text) => text.replaceAll('_', '-'));

const meaningOf = (text: string) => new Map(parseConfigFile(text).entries.map((entry) => [entry.key, entry.value]));
const linesOf = (text: string) => text.replace(/^\uFEFF/, '').match(/[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$/g) ?? [];
/** Whether all of `some` occur in `all`, in this order. */
function isWithin(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const line of all) if (line === some[at]) at += 1;
  return at === some.length;
}

describe('editConfigText', () => {
  it('gives exactly the changed keys their new values, whatever the file and the values look like', () => {
    fc.assert(
      fc.property(file, fc.dictionary(key, fc.option(value)), (text, changes) => {
        const expected = meaningOf(text);
        for (const [name, wanted] of Object.entries(changes)) {
          if (wanted === null) expected.delete(name);
          else expected.set(name, wanted);
        }
        const sorted = (map: Map<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(sorted(meaningOf(editConfigText(text, changes)))).toEqual(sorted(expected));
      }),
      { numRuns: 500 },
    );
  });

  it('keeps every line that it was not told to change, byte for byte and in order', () => {
    fc.assert(
      fc.property(file, key, fc.option(value), (text, name, wanted) => {
        const isTouched = (line: string) => parseConfigFile(`[main]\n${line}`).entries[0]?.key === name;
        const kept = linesOf(text).filter((line) => !isTouched(line));
        const result = editConfigText(text, { [name]: wanted });
        expect(result.startsWith('\uFEFF')).toBe(text.startsWith('\uFEFF'));
        // a last line without line end gets one when a line follows
        const closed = ['', '\n', '\r\n', '\r'].map((end) => [...kept.slice(0, -1), `${kept.at(-1)}${end}`]);
        expect(kept.length === 0 || closed.some((lines) => isWithin(lines, linesOf(result)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('changes no byte when the values are those of the file already', () => {
    fc.assert(
      fc.property(file, (text) => {
        expect(editConfigText(text, Object.fromEntries(meaningOf(text)))).toBe(text);
      }),
    );
  });

  it('replaces the value only: spelling, spacing, quotes and the space behind stay', () => {
    const text = '\uFEFF; mine\r\n[Main]\r\n  App_ID\t=  "one"  \r\nother=1\r\n';
    expect(editConfigText(text, { 'app-id': 'two' })).toBe(
      '\uFEFF; mine\r\n[Main]\r\n  App_ID\t=  "two"  \r\nother=1\r\n',
    );
  });

  it('puts a new key behind the last line of [main], with the line ends of the file', () => {
    const text = '[main]\r\na = 1\r\n\r\n[other]\r\nb = 2';
    expect(editConfigText(text, { 'log-level': 'debug' })).toBe(
      '[main]\r\na = 1\r\nlog-level = debug\r\n\r\n[other]\r\nb = 2',
    );
  });

  it('joins no lines of a file that mixes line ends', () => {
    expect(editConfigText('[MAIN]\ra=\n\n', { aa: '' })).toBe('[MAIN]\ra=\naa = \n\n');
  });

  it('makes [main] in an empty file', () => {
    expect(editConfigText('', { 'app-id': 'x' })).toBe('[main]\napp-id = x\n');
  });

  it('removes every line of a removed key, so that no earlier one comes to count', () => {
    expect(editConfigText('[main]\na=1\nb=2\nA=3\n', { a: null })).toBe('[main]\nb=2\n');
  });

  it('leaves settings of other sections alone', () => {
    expect(editConfigText('[other]\na=1\n[main]\na=2\n', { a: '3' })).toBe('[other]\na=1\n[main]\na=3\n');
  });
});

it.each([
  ['two\nlines', 'must be one line'],
  ['a\rb', 'must be one line'],
  ['\u0000', 'must be text'],
  ['anything; "else" #', null],
])('valueProblem(%j) is %j', (text, problem) => {
  expect(valueProblem(text)).toBe(problem);
});
