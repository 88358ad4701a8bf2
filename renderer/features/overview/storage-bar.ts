import type { FileState } from '../../../agent/contract/index.ts';

/** The states of files as the bar groups them. Skipped and empty files need nothing and are not in the bar. */
export const BAR_KINDS = ['ingested', 'waiting', 'growing', 'missing', 'faulty'] as const;
/** One group of the bar. */
export type BarKind = (typeof BAR_KINDS)[number];

/** A part of the bar. */
export interface BarSegment {
  kind: BarKind;
  files: number;
  /** Width between 0 and 1; all widths sum to 1. Few files among millions keep a width that can be seen. */
  share: number;
}

const WAITING: readonly FileState[] = ['seen', 'ready', 'hashing', 'hashed', 'ingesting'];
/** Narrowest part that can be seen: 1% of the bar. */
const LEAST_SHARE = 0.01;

const count = (files: Readonly<Record<string, number>>, states: readonly string[]): number =>
  states.reduce((sum, state) => sum + (files[state] ?? 0), 0);

/** Files that are on their way into iconik. */
export function waitingFiles(files: Readonly<Record<string, number>>): number {
  return count(files, WAITING);
}

/** The bar of a storage; groups without files are absent; no files = no segments. */
export function storageBar(files: Readonly<Record<string, number>>): BarSegment[] {
  const counted = BAR_KINDS.map((kind) => ({
    kind,
    files: kind === 'waiting' ? waitingFiles(files) : (files[kind] ?? 0),
  })).filter((segment) => segment.files > 0);
  const total = counted.reduce((sum, segment) => sum + segment.files, 0);
  const widened = counted.map((segment) => ({ ...segment, share: Math.max(LEAST_SHARE, segment.files / total) }));
  const sum = widened.reduce((all, { share }) => all + share, 0);
  return widened.map((segment) => ({ ...segment, share: segment.share / sum }));
}
