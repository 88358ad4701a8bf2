/** What an order to delete a directory or a sequence may remove. Pure; README.md has the rules. */
import type { OrderedFile } from '../../../db/queries/ordered-file.ts';
import { nameOf, pathKey } from '../../../storage/storage-path.ts';

/** An order that means more than one file. */
export interface ContentOrder {
  /** iconik's id of the directory or sequence. */
  fileId: string;
  path: string;
  subject: 'directory' | 'sequence';
  template?: string | undefined;
  assetId?: string | undefined;
  formatId?: string | undefined;
}

/** What stands on the storage. Sizes in bytes; `mtimeNs` decimal text. */
export interface FoundEntry {
  path: string;
  kind: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  mtimeNs: string;
}

/** What may be removed: files, then directories from the deepest up; and rows whose files are gone already. */
export type ContentPlan =
  | { kind: 'remove'; files: OrderedFile[]; directories: string[]; gone: OrderedFile[] }
  | { kind: 'refused'; why: string };

/**
 * The names of a numbered sequence: `shot.%04d.dpx` or `shot.####.dpx`, one number in them. Null for any other notation: what
 * it means, nobody has published, and a guess would delete.
 */
export function sequenceNames(template: string): RegExp | null {
  const parts = template.split(/(%0?\d*d|#+)/);
  const [before = '', number = '', after = ''] = parts;
  if (parts.length !== 3 || /[{}[\]*?\\/<>$]/.test(before + after)) return null;
  const width = number.startsWith('#') ? number.length : Number(/[1-9]\d*/.exec(number)?.[0] ?? 1);
  const digits = width === 1 ? '\\d+' : `\\d{${width},}`;
  return new RegExp(`^${literally(before)}${digits}${literally(after)}$`);
}

const literally = (text: string): string => text.normalize('NFC').replaceAll(/[^\p{L}\p{N}_]/gu, String.raw`\$&`);

/** Whether iconik's order is about this file of the index, with the content that iconik was told last. */
function isMeant(file: OrderedFile, order: ContentOrder): boolean {
  if (file.state !== 'ingested' && file.state !== 'missing') return false;
  if (file.iconikFileId === order.fileId) return true;
  if (order.assetId === undefined || file.assetId !== order.assetId) return false;
  return order.formatId === undefined || file.formatId === order.formatId;
}

/** Decides on all that was found in the directory of the order; one thing that may not go keeps everything. */
export function planContent(
  order: ContentOrder,
  found: readonly FoundEntry[],
  known: readonly OrderedFile[],
): ContentPlan {
  const names = order.subject === 'sequence' ? sequenceNames(nameOf(order.template ?? order.path)) : null;
  if (order.subject === 'sequence' && names === null)
    return {
      kind: 'refused',
      why: `refused: how the files of the sequence ${order.template ?? order.path} are named is not understood.`,
    };
  const isPart = (path: string) => names === null || names.test(nameOf(pathKey(path)));
  const rows = new Map(known.map((file) => [file.pathKey, file]));
  const files: OrderedFile[] = [];
  const directories: string[] = [];
  for (const entry of found) {
    if (order.subject === 'directory' && entry.kind === 'directory') directories.push(entry.path);
    else if (isPart(entry.path)) {
      const row = rows.get(pathKey(entry.path));
      const why = whyKept(entry, row, order);
      if (why !== null || row === undefined)
        return { kind: 'refused', why: `refused: ${entry.path} ${why}. Nothing was deleted.` };
      files.push(row);
    }
  }
  const there = new Set(found.map(({ path }) => pathKey(path)));
  const gone = known.filter((file) => !there.has(file.pathKey) && isPart(file.pathKey) && isMeant(file, order));
  return {
    kind: 'remove',
    files,
    gone,
    directories: directories.toSorted((one, other) => depthOf(other) - depthOf(one)),
  };
}

const depthOf = (path: string): number => path.split('/').length;

function whyKept(entry: FoundEntry, row: OrderedFile | undefined, order: ContentOrder): string | null {
  if (entry.kind !== 'file') return 'is no file';
  if (row === undefined) return 'is not known to the node';
  if (!isMeant(row, order)) return 'is not part of what iconik ordered deleted';
  if (row.sizeBytes !== entry.sizeBytes || row.mtimeNs !== entry.mtimeNs) return 'changed since iconik was told of it';
  return null;
}
