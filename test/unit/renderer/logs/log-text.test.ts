import { describe, expect, test } from 'vitest';
import { AGENT_CALLS, type LogLine } from '../../../../agent/contract/index.ts';
import { type LogFilter, passes, queryOf, remembered } from '../../../../renderer/ui/logs/log-filter.ts';
import {
  exportName,
  fieldsOf,
  fieldsText,
  guessedHeight,
  localTimeText,
  parseLocalTime,
  plainLine,
  plainText,
  visibleText,
} from '../../../../renderer/ui/logs/log-text.ts';
import { choose, isSelected, selectedOf } from '../../../../renderer/ui/logs/selection-state.ts';

const line = (more: Partial<LogLine> = {}): LogLine => ({
  seq: 1,
  atMs: 0,
  level: 'info',
  message: 'Scan ended.',
  fields: '',
  ...more,
});
const ALL: LogFilter = {
  minLevel: 'debug',
  text: '',
  isPattern: false,
  range: { kind: 'all' },
  storageId: null,
  workerId: null,
};

describe('filter', () => {
  test('a range of minutes counts back from now; what is sent is what the contract takes', () => {
    const query = queryOf({ ...ALL, range: { kind: 'last', minutes: 15 }, text: ` ${'x'.repeat(300)}` }, 1_000_000);
    expect(query.fromMs).toBe(100_000);
    expect(AGENT_CALLS['logs.read'].params.safeParse({ ...query, limit: 500 }).success).toBe(true);
  });

  test('live lines pass by the same rules: level, text in message or fields, time, storage', () => {
    const now = (change: Partial<LogFilter>) => queryOf({ ...ALL, ...change }, 60_000);
    expect(passes(line(), now({ minLevel: 'warn' }))).toBe(false);
    expect(passes(line({ level: 'error' }), now({ minLevel: 'warn' }))).toBe(true);
    expect(passes(line(), now({ text: 'SCAN' }))).toBe(true);
    expect(passes(line({ fields: '{"path":"a.mov"}' }), now({ text: 'A.MOV' }))).toBe(true);
    expect(passes(line(), now({ text: 'no' }))).toBe(false);
    expect(passes(line({ atMs: 5 }), now({ range: { kind: 'between', fromMs: 6, toMs: null } }))).toBe(false);
    expect(passes(line({ atMs: 5 }), now({ range: { kind: 'between', fromMs: 1, toMs: 4 } }))).toBe(false);
    expect(passes(line({ fields: '{"storageId":"st-1"}' }), now({ storageId: 'st-1' }))).toBe(true);
    expect(passes(line(), now({ storageId: 'st-1' }))).toBe(false);
  });

  test('searches are remembered once, without what was typed on the way', () => {
    expect(remembered(['moov', 'ingest'], 'moov atom')).toEqual(['moov atom', 'ingest']);
    expect(remembered(['ingest', 'moov'], 'moov')).toEqual(['moov', 'ingest']);
    expect(remembered(['ingest'], ' a ')).toEqual(['ingest']);
  });
});

describe('text', () => {
  test('fields read as name=value, quoted where they hold blanks; what is no JSON stays as it is', () => {
    expect(fieldsText({ fields: '{"term":42,"path":"a b.mov","error":{"code":"x"}}' })).toBe(
      'term=42 path="a b.mov" error={"code":"x"}',
    );
    expect(fieldsOf({ fields: '{"broken' })).toEqual([{ name: '', value: '{"broken' }]);
    expect(fieldsText({ fields: '{}' })).toBe('');
  });

  test('one record is one line, whatever is in it', () => {
    expect(plainLine(line({ message: 'a\nb', fields: '{"n":1}' }))).toBe('1970-01-01T00:00:00.000Z INFO  a ⏎ b n=1');
  });

  test('nothing is hidden in a text: no escape reaches a terminal, and no mark turns round what is read', () => {
    expect(visibleText('a\u0000b\u0007c\u001b[31m\r\u007f\u0085')).toBe('a‹NUL›b‹BEL›c‹ESC›[31m‹CR›‹007F›‹0085›');
    expect(visibleText('exe\u202egpj.\u200b\u{e0041}')).toBe('exe‹202E›gpj.‹200B›‹E0041›');
    expect(visibleText('a\tb\nمرحبا 日本語 🎬')).toBe('a\tb\nمرحبا 日本語 🎬');
    expect(plainLine(line({ message: '\u001b]0;x\u0007', fields: '{"p":"\\u202e"}' }))).toMatch(
      /‹ESC›\]0;x‹BEL› p=‹202E›$/,
    );
  });

  test('when not all lines fit, the newest do and the rest is counted', () => {
    const lines = Array.from({ length: 100 }, (_, seq) => line({ seq, message: `m${seq}` }));
    const { text, left } = plainText(lines, 350);
    expect(text.endsWith('m99\n')).toBe(true);
    expect(text.split('\n').length - 1 + left).toBe(100);
    expect(text.length).toBeLessThanOrEqual(350);
    expect(plainText(lines, 1_000_000).left).toBe(0);
  });

  test('a file name has no odd characters, whatever the node is called', () => {
    expect(exportName('Halle 1/Süd: "A"', new Date(2026, 6, 1, 14, 22, 33).getTime())).toBe(
      'isg-Halle-1-Süd-A-2026-07-01-142233.log',
    );
    expect(exportName('///', new Date(2026, 6, 1).getTime())).toMatch(/^isg-node-/);
  });

  test('a typed instant comes back as it went', () => {
    const atMs = new Date(2026, 1, 3, 4, 5, 6).getTime();
    expect(parseLocalTime(localTimeText(atMs))).toBe(atMs);
    expect(parseLocalTime('')).toBeNull();
    expect(parseLocalTime('2026-13')).toBeNull();
  });

  test('longer lines are guessed taller', () => {
    const metrics = { columns: 100, lineHeightPx: 19, paddingPx: 5 };
    expect(guessedHeight(line(), metrics)).toBe(24);
    expect(guessedHeight(line({ message: 'x'.repeat(250) }), metrics)).toBe(62);
    expect(guessedHeight(line({ message: 'a\nb' }), metrics)).toBe(43);
  });
});

test('a selection is named by its lines, so lines that join at either end change nothing', () => {
  const selection = choose(choose(null, 5, false), 3, true);
  const lines = [1, 2, 3, 4, 5, 6].map((seq) => line({ seq }));
  expect(selectedOf(lines, selection).map(({ seq }) => seq)).toEqual([3, 4, 5]);
  expect(isSelected(choose(selection, 6, false), 5)).toBe(false);
  expect(selectedOf(lines, null)).toEqual([]);
});
