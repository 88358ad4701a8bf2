import type { FileState, StorageState } from '../../../agent/contract/index.ts';
import { formatCount, formatList, plural } from '../../ui/format.ts';

// Counters, bar and sentence of the storages screen. Pure.

/** One counter of the report in words (reference C.5). */
export interface Counter {
  key: string;
  label: string;
  count: number;
  /** What is counted, in one sentence. */
  meaning: string;
  tone: 'plain' | 'attention';
}

/** One part of the bar of states. */
export interface BarPart {
  key: 'ingested' | 'ingesting' | 'waiting' | 'growing' | 'empty' | 'skipped' | 'missing' | 'faulty';
  label: string;
  count: number;
  /** Share of the bar, 0–1; parts that have files are at least `LEAST_SHARE`, so that one faulty file is seen among 100,000. */
  share: number;
}

const LEAST_SHARE = 0.008;

const sum = (storage: StorageState, ...states: FileState[]) =>
  states.reduce((total, state) => total + (storage.files[state] ?? 0), 0);

/** The counters of the storage's report, in the report's order. */
export function counters(storage: StorageState): Counter[] {
  const all = Object.values(storage.files).reduce((total, count) => total + count, 0);
  const plain = (key: string, label: string, count: number, meaning: string): Counter => {
    return { key, label, count, meaning, tone: 'plain' };
  };
  const attention = (key: string, label: string, count: number, meaning: string): Counter => {
    return { key, label, count, meaning, tone: count > 0 ? 'attention' : 'plain' };
  };
  return [
    plain('total', 'Files', all - sum(storage, 'missing'), 'Files on the storage.'),
    plain('folders', 'Folders', storage.folders, 'Folders seen by the last scan.'),
    plain('ingested', 'Ingested', sum(storage, 'ingested'), 'Files that iconik has, with asset, format and file set.'),
    plain('ingesting', 'Ingesting', sum(storage, 'hashed', 'ingesting'), 'Files on their way into iconik.'),
    plain(
      'await-checksum',
      'Awaiting checksum',
      sum(storage, 'seen', 'growing', 'ready', 'hashing'),
      'Files that are new or changed, still growing, or being read.',
    ),
    plain('skipped', 'Skipped', sum(storage, 'skipped'), 'Files that the ignore patterns of the storage pass over.'),
    plain('empty', 'Empty', sum(storage, 'empty'), 'Files without content. They are ingested once they have some.'),
    attention('missing', 'Missing', sum(storage, 'missing'), 'Files that iconik has and the storage no longer does.'),
    attention('faulty', 'Faulty', sum(storage, 'faulty'), 'Files that could not be ingested, each with its reason.'),
  ];
}

const PARTS: readonly { key: BarPart['key']; label: string; states: readonly FileState[] }[] = [
  { key: 'ingested', label: 'Ingested', states: ['ingested'] },
  { key: 'ingesting', label: 'Ingesting', states: ['hashed', 'ingesting'] },
  { key: 'waiting', label: 'Waiting', states: ['seen', 'ready', 'hashing'] },
  { key: 'growing', label: 'Growing', states: ['growing'] },
  { key: 'empty', label: 'Empty', states: ['empty'] },
  { key: 'skipped', label: 'Skipped', states: ['skipped'] },
  { key: 'missing', label: 'Missing', states: ['missing'] },
  { key: 'faulty', label: 'Faulty', states: ['faulty'] },
];

/** The bar of states: parts that have files, their shares together 1. */
export function barParts(storage: StorageState): BarPart[] {
  const present = PARTS.map(({ key, label, states }) => ({ key, label, count: sum(storage, ...states) })).filter(
    ({ count }) => count > 0,
  );
  const total = present.reduce((all, { count }) => all + count, 0);
  const raised = present.map((part) => ({ ...part, share: Math.max(part.count / total, LEAST_SHARE) }));
  const width = raised.reduce((all, { share }) => all + share, 0);
  return raised.map((part) => ({ ...part, share: part.share / width }));
}

/** What a state of a file is called. */
export function fileStateWord(state: string): string {
  const words: Record<string, string> = {
    seen: 'New',
    growing: 'Growing',
    ready: 'Ready',
    hashing: 'Being read',
    hashed: 'Read',
    ingesting: 'Ingesting',
    ingested: 'Ingested',
    missing: 'Missing',
    skipped: 'Skipped',
    empty: 'Empty',
    faulty: 'Faulty',
  };
  return words[state] ?? state;
}

/** Files of the storage that need a person: missing and faulty ones. */
export function problemCount(storage: StorageState): number {
  return sum(storage, 'missing', 'faulty');
}

const files = (count: number) => plural(count, 'file');

function trouble({ health, problem, name }: StorageState): string | null {
  if (health.status === 'failing') return `${name}: ${withDot(health.reason || 'it cannot be used')}`;
  if (problem !== null) return `${name}: ${withDot(problem)}`;
  return health.status === 'warning' ? `${name}: ${withDot(health.reason)}` : null;
}

const withDot = (text: string) => (/[.?]$/.test(text) ? text : `${text}.`);

/** The screen's first sentence. */
export function storagesSentence(storages: readonly StorageState[]): string {
  if (storages.length === 0) return 'This node serves no storage.';
  const troubles = storages.flatMap((storage) => trouble(storage) ?? []);
  const [first] = troubles;
  if (troubles.length > 1) {
    return `${troubles.length} of ${storages.length} storages need attention. ${first ?? ''}`;
  }
  if (first) return storages.length === 1 ? first : `1 of ${storages.length} storages needs attention. ${first}`;
  const unknown = storages.filter(({ health }) => health.status === 'unknown').length;
  const waiting = storages.reduce(
    (total, storage) => total + sum(storage, 'seen', 'growing', 'ready', 'hashing', 'hashed', 'ingesting'),
    0,
  );
  const missing = storages.reduce((total, storage) => total + sum(storage, 'missing'), 0);
  const faulty = storages.reduce((total, storage) => total + sum(storage, 'faulty'), 0);
  const subject = storages.length === 1 ? 'The storage is' : `All ${storages.length} storages are`;
  const unscanned = storages.filter(({ scans, lastScanEndedMs }) => scans && lastScanEndedMs === null).length;
  const state =
    unknown > 0
      ? `${unknown === storages.length ? 'The storages have' : countHave(unknown)} not been checked yet.`
      : `${subject} reachable.`;
  const open = [
    ...(waiting > 0 ? [`${files(waiting)} ${waiting === 1 ? 'is' : 'are'} on the way into iconik`] : []),
    ...(missing > 0 ? [`${files(missing)} ${missing === 1 ? 'is' : 'are'} missing`] : []),
    ...(faulty > 0 ? [`${files(faulty)} could not be ingested`] : []),
  ];
  if (open.length > 0) return `${state} ${formatList(open)}.`;
  if (unscanned === 0) return `${state} Everything is up to date.`;
  return `${state} ${unscanned === storages.length ? 'No scan has ended yet.' : `${countHave(unscanned)} not been scanned yet.`}`;
}

function countHave(count: number): string {
  return count === 1 ? '1 storage has' : `${count} storages have`;
}

/** When a storage was scanned last, and how long that took. */
export function scanDuration(seconds: number): string {
  if (seconds < 1) return 'less than a second';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

/** How far a scan is, in words. What the last scan saw is only an estimate: there may be more files by now. */
export function scanProgress({ files, ofFiles }: NonNullable<StorageState['scanning']>): string {
  const seen = `Scanning: ${formatCount(files)} files so far`;
  if (ofFiles === null || ofFiles === 0) return seen;
  const percent = Math.min(99, Math.floor((files / ofFiles) * 100));
  return `Scanning: ${formatCount(files)} of about ${formatCount(Math.max(ofFiles, files))} files (${percent} %)`;
}

/** A setting's name in words: iconik's own, without underscores. */
export function settingWord(name: string): string {
  return name.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
}

/** A setting's value in words; what iconik leaves empty is said. */
export function settingValue(value: string): string {
  if (value === 'true') return 'Yes';
  if (value === 'false') return 'No';
  return value === '' || value === 'null' || value === '[]' || value === '{}' ? 'Not set' : value;
}
