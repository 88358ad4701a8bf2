import { z } from 'zod';
import type { FileStorageSettings, MetadataValues } from '../../../iconik/api.ts';
import { directoryOf, joinPath, nameOf, pathKey } from '../../../storage/storage-path.ts';
import { readCsvSidecar, readXmlSidecar } from './sidecar-text.ts';

/** Sidecar files: names, and what stands in them. Pure. */

/** Formats of sidecars, in the order in which one of several is taken. */
const FORMATS = ['json', 'xml', 'csv'] as const;
/** Format of a sidecar. */
export type SidecarFormat = (typeof FORMATS)[number];

/** Whether a storage uses sidecars at all: it names a view for their values, or demands them. */
export function usesSidecars(settings: FileStorageSettings): boolean {
  return settings.sidecar_metadata_required === true || Boolean(settings.metadata_view_id);
}

const withoutExtension = (name: string): string => {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
};

/** Format that a name promises, or null. */
export function sidecarFormat(path: string): SidecarFormat | null {
  const name = nameOf(path);
  const dot = name.lastIndexOf('.');
  const extension = name.slice(dot + 1).toLowerCase();
  return dot > 0 ? (FORMATS.find((format) => format === extension) ?? null) : null;
}

/**
 * Keys of the sidecars that a file may have, most wanted first: the extension appended (`a.mov.json`), then replaced
 * (`a.json`), each in small and capital letters.
 */
export function sidecarKeys(path: string): string[] {
  const name = nameOf(path);
  const stems = [...new Set([name, withoutExtension(name)])];
  const spelled = FORMATS.flatMap((format) => [format, format.toUpperCase()]);
  return stems.flatMap((stem) =>
    spelled.map((extension) => pathKey(joinPath(directoryOf(path), `${stem}.${extension}`))),
  );
}

/** Whether a file name is one whose sidecar this would be; a sidecar has no sidecar. */
export function isSidecarOf(sidecarPath: string, path: string): boolean {
  const stem = withoutExtension(nameOf(pathKey(sidecarPath)));
  const name = nameOf(pathKey(path));
  return sidecarFormat(path) === null && (name === stem || withoutExtension(name) === stem);
}

const fieldValues = z.looseObject({ field_values: z.array(z.looseObject({ value: z.unknown() })) });
const document = z.looseObject({ metadata_values: z.record(z.string().min(1), fieldValues) });

/** What a sidecar says, or why it cannot be used (in words that complete "The sidecar …"). */
export type SidecarReading = { kind: 'values'; values: MetadataValues } | { kind: 'invalid'; reason: string };

/** Reads the values of a document in the shape of iconik's metadata calls. */
export function readJsonSidecar(text: string): SidecarReading {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return { kind: 'invalid', reason: 'is no JSON' };
  }
  const checked = document.safeParse(parsed);
  if (!checked.success) {
    const where = checked.error.issues[0]?.path.join('.') || 'the whole';
    return { kind: 'invalid', reason: `has not the shape of iconik's metadata (look at ${where})` };
  }
  const entries = Object.entries(checked.data.metadata_values).map(([field, { field_values }]) => [
    field,
    { field_values: field_values.map(({ value }) => ({ value: value ?? null })) },
  ]);
  return { kind: 'values', values: Object.fromEntries(entries) as MetadataValues };
}

/** Shortest and longest pause between two looks at a row that waits for another one. */
const HOLD_MS = { min: 3000, max: 60_000 };

/**
 * Milliseconds until a row that waits for another one is looked at again: half as long as it has been known, so that very
 * many that wait for very long cost little. Whoever brings what they wait for wakes them.
 */
export function holdMs(secondsKnown: number): number {
  return Math.min(HOLD_MS.max, Math.max(HOLD_MS.min, secondsKnown * 500));
}

/** A sidecar is text about one file; what is longer is none. */
export const MAX_SIDECAR_BYTES = 1024 * 1024;

/** Reads a sidecar by its format. Whatever stands in it, the answer is values or a reason: nothing is thrown. */
export function readSidecar(format: SidecarFormat, text: string): SidecarReading {
  if (text.length > MAX_SIDECAR_BYTES) return { kind: 'invalid', reason: 'is longer than 1 MiB' };
  if (text.includes('\0')) return { kind: 'invalid', reason: 'is no text' };
  switch (format) {
    case 'json':
      return readJsonSidecar(text);
    case 'xml':
      return readXmlSidecar(text);
    case 'csv':
      return readCsvSidecar(text);
    default:
      return format satisfies never;
  }
}

/** Headers for the converter: a JSON object, or one `Name: value` a line. Lines that are neither are left out. */
export function converterHeaders(text: string | undefined): Record<string, string> {
  if (!text || text.trim() === '') return {};
  if (text.trim().startsWith('{')) {
    try {
      return z.record(z.string(), z.coerce.string()).parse(JSON.parse(text));
    } catch {
      return {};
    }
  }
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const colon = line.indexOf(':');
    return colon > 0 ? [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]] : [];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}
