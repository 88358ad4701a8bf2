import type { Keyframe, MetadataValues, Proxy as ProxyRecord } from '../../iconik/api.ts';
import { extensionOf } from './copy-name.ts';
import { checkedName, type DownloadItem, segmentsOf } from './download-plan.ts';

// What an export adds to (or wants instead of) the original. Pure.

/** What is wanted besides the original. */
export interface ExportOrder {
  jobId: string;
  versionId: string | null;
  destinationDirectoryPath: string;
  /** Name of the original's copy, or what stands for it. */
  originalName: string;
  /** `clip.mov.csv` instead of `clip.csv`. */
  includeOriginalExtension: boolean;
  proxy: boolean;
  posters: boolean;
  metadata: { format: string; viewId: string } | null;
}

/** What iconik has of it. */
export interface ExportSources {
  proxies: readonly ProxyRecord[];
  keyframes: readonly Keyframe[];
}

/** What is to be fetched, and what was asked for but is not there. */
export interface ExportPlan {
  items: DownloadItem[];
  /** In words, for a warning: an export without a poster that never was is still an export. */
  absent: string[];
}

const METADATA_EXTENSIONS: Readonly<Record<string, string>> = { CSV: '.csv', JSON: '.json', XML: '.xml' };

/** Plans the extras. Throws (permanent) `outside-storage` for names that lead elsewhere. */
export function planExport(order: ExportOrder, { proxies, keyframes }: ExportSources): ExportPlan {
  const directory = segmentsOf(order.destinationDirectoryPath);
  const { originalName, includeOriginalExtension } = order;
  const stem = originalName.slice(0, originalName.length - extensionOf(originalName).length);
  const base = includeOriginalExtension ? originalName : stem;
  const itemOf = (
    from: DownloadItem['from'],
    name: string,
    of: { recordId: string; sizeBytes: number; at: number },
  ) => ({
    from,
    recordId: of.recordId,
    directoryPath: directory.join('/'),
    name: checkedName(name),
    finalPath: [...directory, name].join('/'),
    partialPath: [...directory, `.isg-pro-part-${order.jobId}-${from}-${of.at}`].join('/'),
    sizeBytes: of.sizeBytes,
    md5: null,
  });
  const items: DownloadItem[] = [];
  const absent: string[] = [];
  if (order.proxy) {
    const proxy = ofVersion(proxies, order.versionId).at(0);
    if (proxy)
      items.push(itemOf('proxy', `${base}_proxy${extensionOf(proxy.filename ?? '') || '.mp4'}`, { ...proxy, at: 0 }));
    else absent.push('no proxy');
  }
  if (order.posters) {
    const posters = ofVersion(keyframes, order.versionId).filter((keyframe) => keyframe.type === 'POSTER');
    for (const [at, poster] of posters.entries()) {
      const number = at === 0 ? '' : `-${at + 1}`;
      const name = `${base}_poster${number}${extensionOf(poster.filename ?? '') || '.jpg'}`;
      items.push(itemOf('poster', name, { ...poster, at }));
    }
    if (posters.length === 0) absent.push('no poster');
  }
  if (order.metadata) {
    const { format, viewId } = order.metadata;
    const name = `${base}${METADATA_EXTENSIONS[format] ?? ''}`;
    items.push(itemOf('metadata', name, { recordId: viewId, sizeBytes: 0, at: 0 }));
  }
  return { items, absent };
}

/** Complete ones of known size, of the version that is exported (records without one belong to any), first made first. */
function ofVersion<T extends ProxyRecord | Keyframe>(all: readonly T[], versionId: string | null) {
  return all.flatMap((one) => {
    const fits = versionId === null || one.version_id === null || one.version_id === versionId;
    return fits && one.status === 'CLOSED' && one.size !== null
      ? [{ ...one, recordId: one.id, sizeBytes: one.size }]
      : [];
  });
}

/** Metadata as text: JSON as iconik has it, CSV with a row of names and one of values, XML with an element for each value. */
export function metadataText(format: string, values: MetadataValues): string {
  const fields = Object.entries(values)
    .map(([name, { field_values }]) => ({ name, values: field_values.map(({ value }) => asText(value)) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (format === 'CSV') {
    const row = (cells: readonly string[]) => `${cells.map(csvCell).join(',')}\r\n`;
    return row(fields.map(({ name }) => name)) + row(fields.map((field) => field.values.join(';')));
  }
  if (format === 'XML') {
    const elements = fields.map(
      ({ name, values: of }) =>
        `  <field name="${escaped(name)}">${of.map((value) => `<value>${escaped(value)}</value>`).join('')}</field>\n`,
    );
    return `<?xml version="1.0" encoding="UTF-8"?>\n<metadata>\n${elements.join('')}</metadata>\n`;
  }
  const sorted = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

const asText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : JSON.stringify(value);
};
/** A spreadsheet takes a cell that begins like a formula for one: it is kept from that. */
const csvCell = (cell: string): string => {
  const harmless = /^[=+\-@\t\r]/.test(cell) && !/^-?\d+([.,]\d+)?$/.test(cell) ? `'${cell}` : cell;
  return /[",;\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
};
/** XML 1.0 has no place for other control characters, not even escaped. */
const hasPlaceInXml = (character: string): boolean =>
  character >= ' ' ? character !== '\ufffe' && character !== '\uffff' : /[\t\n\r]/.test(character);
const escaped = (text: string): string =>
  [...text.toWellFormed()]
    .filter(hasPlaceInXml)
    .join('')
    .replace(/[&<>"\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
