import { parse } from 'csv-parse/sync';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { z } from 'zod';
import type { MetadataValues } from '../../../iconik/api.ts';
import type { SidecarReading } from './sidecar-plan.ts';

/**
 * Sidecars in XML and CSV. Strangers write them, so nothing of a document is acted on: no document types, no entities of
 * its own, bounded depth and size. Values stay the text they are; iconik checks them against the view. Pure.
 */

/** Deeper documents are no metadata. */
const MOST_LEVELS = 64;
/** Fields beyond this are a file that only happens to be called so. */
const MOST_FIELDS = 2000;
/** Tags and references beyond this would hold up the node for longer than a sidecar is worth. */
const MOST_MARKUP = 20_000;

const invalid = (reason: string): SidecarReading => ({ kind: 'invalid', reason });

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  // Also numbers (`&#252;`), which belong to XML.
  htmlEntities: true,
  maxNestedTags: MOST_LEVELS,
  // One shape for one and for many.
  isArray: () => true,
});

const elements = z.record(z.string(), z.array(z.unknown()));
type Elements = z.infer<typeof elements>;
const asElements = (value: unknown): Elements | null => elements.safeParse(value).data ?? null;
const isBlank = (value: unknown): boolean => typeof value === 'string' && value.trim() === '';

/** The element `metadata_values`: the root itself, or what the root holds. */
function metadataOf(root: Elements): unknown {
  if (root.metadata_values) return root.metadata_values[0];
  const inner = Object.values(root).flatMap((all) => all.flatMap((one) => asElements(one)?.metadata_values ?? []));
  return inner[0];
}

/**
 * Texts of a `field_values` element: of its `value` elements, or of those one level down (lists are also written as
 * `<field_values><item><value>`). Null for anything else.
 */
function textsOf(fieldValues: unknown, mayHoldItems: boolean): string[] | null {
  if (isBlank(fieldValues)) return [];
  const inner = asElements(fieldValues);
  if (inner === null) return null;
  const texts: string[] = [];
  for (const [name, all] of Object.entries(inner)) {
    for (const one of all) {
      if (name === 'value') {
        if (typeof one !== 'string') return null;
        if (!isBlank(one)) texts.push(one);
      } else if (mayHoldItems) {
        const nested = textsOf(one, false);
        if (nested === null) return null;
        texts.push(...nested);
      }
    }
  }
  return texts;
}

/** Reads `metadata_values` → field → `field_values` → `value`: the shape of iconik's metadata calls, in XML. */
export function readXmlSidecar(text: string): SidecarReading {
  if (/<!\s*(DOCTYPE|ENTITY)/i.test(text)) {
    return invalid('declares a document type or entities, which no metadata needs and which is never read');
  }
  if ((text.match(/[<&]/g)?.length ?? 0) > MOST_MARKUP) {
    return invalid(`has more than ${MOST_MARKUP} tags and references, which no sidecar needs`);
  }
  let root: unknown;
  try {
    const checked = XMLValidator.validate(text);
    if (checked !== true) return invalid(`is no XML (line ${checked.err.line}: ${checked.err.msg.slice(0, 200)})`);
    root = parser.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return invalid(`is no XML that can be read (names that are not allowed, or more than ${MOST_LEVELS} levels)`);
  }
  const outer = asElements(root);
  const metadata = outer === null ? undefined : metadataOf(outer);
  if (metadata !== undefined && isBlank(metadata)) return { kind: 'values', values: {} };
  const fields = asElements(metadata);
  if (fields === null) return invalid('has no element metadata_values with the fields in it');
  const named = Object.entries(fields);
  if (named.length > MOST_FIELDS) return invalid(`names more than ${MOST_FIELDS} fields`);
  const values: [string, string[]][] = [];
  for (const [field, all] of named) {
    const lists = all.flatMap((one) => asElements(one)?.field_values ?? [null]);
    const texts = lists.map((list) => textsOf(list, true));
    if (texts.includes(null)) return invalid(`has not the shape of iconik's metadata (look at ${field.slice(0, 100)})`);
    values.push([field, texts.flatMap((some) => some ?? [])]);
  }
  return { kind: 'values', values: toValues(values) };
}

/** What separates the cells: tables in many languages are saved with semicolons. */
function delimiterOf(text: string): string {
  const firstLine = text.slice(0, text.search(/\r|\n|$/));
  return [',', ';', '\t'].find((delimiter) => firstLine.includes(delimiter)) ?? ',';
}

/**
 * Reads a table whose first row names the fields (reference A.6). Each further row gives one more value to each field; an
 * empty cell gives none, and a field without any value is left alone.
 */
export function readCsvSidecar(text: string): SidecarReading {
  let rows: string[][];
  try {
    rows = z
      .array(z.array(z.string()))
      .parse(parse(text, { bom: true, delimiter: delimiterOf(text), skip_empty_lines: true, trim: true }));
  } catch (thrown) {
    const line = thrown instanceof Error && 'lines' in thrown ? ` (line ${String(thrown.lines)})` : '';
    return invalid(`is no table whose rows have one cell for each field${line}`);
  }
  const [names = [], ...records] = rows;
  if (names.length === 0) return invalid('is empty');
  if (names.length > MOST_FIELDS) return invalid(`names more than ${MOST_FIELDS} fields`);
  if (names.includes('')) return invalid('has a column whose first row names no field');
  if (new Set(names).size < names.length) return invalid('names a field twice in its first row');
  const values = names.map((name, at): [string, string[]] => [
    name,
    records.flatMap((record) => (record[at] ? [record[at]] : [])),
  ]);
  return { kind: 'values', values: toValues(values.filter(([, texts]) => texts.length > 0)) };
}

function toValues(fields: readonly [string, readonly string[]][]): MetadataValues {
  return Object.fromEntries(
    fields.map(([field, texts]) => [field, { field_values: texts.map((value) => ({ value })) }]),
  );
}
