import { describe, expect, it } from 'vitest';
import { holdMs, readSidecar } from '../../../../agent/roles/main/ingest/sidecar-plan.ts';

const values = (fields: Record<string, string[]>) => ({
  kind: 'values',
  values: Object.fromEntries(
    Object.entries(fields).map(([field, texts]) => [field, { field_values: texts.map((value) => ({ value })) }]),
  ),
});
const refused = (words: RegExp) => ({ kind: 'invalid', reason: expect.stringMatching(words) });
const xml = (fields: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<sidecar><metadata_values>${fields}</metadata_values></sidecar>`;
const field = (name: string, value: string) =>
  `<${name}><field_values><value>${value}</value></field_values></${name}>`;

describe('a row that waits for another one', () => {
  it('is looked at less and less often, at least once a minute', () => {
    expect([0, 5, 10, 60, 1e6].map(holdMs)).toEqual([3000, 3000, 5000, 30_000, 60_000]);
  });
});

describe('a sidecar in XML', () => {
  it('has the shape of the metadata calls; values are the text they are', () => {
    const text = xml(`${field('Title', 'L\u00fcge &amp; &#87;ahrheit &lt;1&gt;')}${field('Number', '007')}`);
    expect(readSidecar('xml', text)).toEqual(values({ Title: ['L\u00fcge & Wahrheit <1>'], Number: ['007'] }));
    expect(readSidecar('xml', `\uFEFF<metadata_values>${field('T', '<![CDATA[a < b]]>')}</metadata_values>`)).toEqual(
      values({ T: ['a < b'] }),
    );
  });

  it('gives a field several values in each of the spellings of a list, and none by an empty element', () => {
    const list = '<field_values><value>a</value><value>b</value></field_values>';
    const lists = '<field_values><value>a</value></field_values><field_values><value>b</value></field_values>';
    const items = '<field_values type="list"><item><value>a</value></item><item><value>b</value></item></field_values>';
    for (const spelled of [list, lists, items]) {
      expect(readSidecar('xml', xml(`<Tags>${spelled}</Tags>`))).toEqual(values({ Tags: ['a', 'b'] }));
    }
    expect(readSidecar('xml', xml('<Tags><field_values/></Tags>'))).toEqual(values({ Tags: [] }));
    expect(readSidecar('xml', '<a><metadata_values/></a>')).toEqual(values({}));
  });

  it.each([
    ['nothing', '', /no XML/],
    ['text', 'Title: x', /XML|metadata_values/],
    ['a tag left open', '<a><metadata_values>', /no XML/],
    ['another document', '<rss><channel/></rss>', /metadata_values/],
    ['a field without values', xml('<Title>x</Title>'), /shape.*Title/],
    ['markup for a value', xml('<T><field_values><value><b>x</b></value></field_values></T>'), /shape.*T/],
    ['a name that would change objects', xml(field('__proto__', 'x')), /not allowed/],
  ])('is refused with the reason: %s', (_what, text, words) => {
    expect(readSidecar('xml', text)).toEqual(refused(words));
  });

  it('is never read when it declares entities or a document type', () => {
    const laughs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join('');
    const bomb = `<!DOCTYPE x [<!ENTITY l0 "ha">${laughs}]>${xml(field('T', '&l9;'))}`;
    const outside = `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>${xml(field('T', '&f;'))}`;
    const elsewhere = `<!doctype x SYSTEM "http://192.0.2.1/x.dtd">${xml(field('T', 'x'))}`;
    for (const text of [bomb, outside, elsewhere]) expect(readSidecar('xml', text)).toEqual(refused(/document type/));
    // An entity that nobody declared stays the text it is.
    expect(readSidecar('xml', xml(field('T', '&f;')))).toEqual(values({ T: ['&f;'] }));
  });

  it('is refused before it costs anything when it is very long, deep or full of tags', () => {
    expect(readSidecar('xml', xml(field('T', 'x'.repeat(10_000_000))))).toEqual(refused(/1 MiB/));
    expect(readSidecar('xml', '<a>'.repeat(9000) + '</a>'.repeat(9000))).toEqual(refused(/levels/));
    expect(readSidecar('xml', xml('<b/>'.repeat(250_000)))).toEqual(refused(/more than 20000 tags/));
  });
});

describe('a sidecar in CSV', () => {
  it('names its fields in the first row; each further row gives one more value', () => {
    const text = '\uFEFFTitle,Tags,Empty\r\n"A ""quoted"", title",red,\r\n,blue,\r\n';
    expect(readSidecar('csv', text)).toEqual(values({ Title: ['A "quoted", title'], Tags: ['red', 'blue'] }));
  });

  it('may have semicolons or tabs between its cells', () => {
    expect(readSidecar('csv', 'a;b\n1,5;2')).toEqual(values({ a: ['1,5'], b: ['2'] }));
    expect(readSidecar('csv', 'a\tb\nx\ty')).toEqual(values({ a: ['x'], b: ['y'] }));
  });

  it('with names alone sets nothing', () => {
    expect(readSidecar('csv', 'a,b\n')).toEqual(values({}));
  });

  it.each([
    ['nothing', '', /empty/],
    ['rows of different length', 'a,b\n1', /one cell for each field.*line 2/],
    ['a quote left open', 'a,b\n"1,2', /one cell for each field/],
    ['a column without name', 'a,\n1,2', /names no field/],
    ['a field twice', 'a,a\n1,2', /twice/],
    ['no text', 'a\0b', /no text/],
    ['10 MB', `a\n${'x'.repeat(10_000_000)}`, /1 MiB/],
    ['more fields than a view has', Array.from({ length: 3000 }, (_, at) => `f${at}`).join(','), /2000 fields/],
  ])('is refused with the reason: %s', (_what, text, words) => {
    expect(readSidecar('csv', text)).toEqual(refused(words));
  });
});
