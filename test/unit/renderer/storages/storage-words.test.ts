import { describe, expect, test } from 'vitest';
import type { ProblemFile, StorageState } from '../../../../agent/contract/index.ts';
import { groupProblems, joinProblems, reasonPattern } from '../../../../renderer/features/storages/problem-groups.ts';
import {
  barParts,
  counters,
  problemCount,
  scanDuration,
  scanProgress,
  settingValue,
  settingWord,
  storagesSentence,
} from '../../../../renderer/features/storages/storage-words.ts';

const storage = (more: Partial<StorageState> = {}): StorageState => ({
  id: 'st-1',
  name: 'NAS Post',
  mountPoint: '/mnt/nas',
  health: { check: 'storage:st-1', status: 'ok', reason: '', remedy: '' },
  files: {},
  folders: 7,
  lastScanEndedMs: null,
  lastScanSeconds: null,
  scanning: null,
  problem: null,
  scans: true,
  settings: {},
  ...more,
});
const counts = (files: Record<string, number>) =>
  Object.fromEntries(counters(storage({ files })).map(({ key, count }) => [key, count]));

describe('counters', () => {
  test('are those of the report: missing files are not on the storage, reading and growing ones await their checksum', () => {
    const files = {
      seen: 1,
      growing: 2,
      ready: 3,
      hashing: 4,
      hashed: 5,
      ingesting: 6,
      ingested: 70,
      missing: 8,
      skipped: 9,
      empty: 10,
      faulty: 11,
    };
    expect(counts(files)).toEqual({
      total: 121,
      folders: 7,
      ingested: 70,
      ingesting: 11,
      'await-checksum': 10,
      skipped: 9,
      empty: 10,
      missing: 8,
      faulty: 11,
    });
    expect(problemCount(storage({ files }))).toBe(19);
  });
});

describe('bar of states', () => {
  test('shares add up to one and the smallest part stays visible', () => {
    const parts = barParts(storage({ files: { ingested: 10_000_000, faulty: 1 } }));
    expect(parts.map(({ key }) => key)).toEqual(['ingested', 'faulty']);
    expect(parts.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1);
    expect(parts[1]?.share).toBeGreaterThan(0.005);
  });

  test('a storage without files has no bar', () => {
    expect(barParts(storage())).toEqual([]);
  });
});

describe('sentence', () => {
  test('says that all is well', () => {
    expect(storagesSentence([storage({ files: { ingested: 3 }, lastScanEndedMs: 1 })])).toBe(
      'The storage is reachable. Everything is up to date.',
    );
  });

  test('counts what is open', () => {
    const busy = storage({ files: { ready: 2, missing: 1, faulty: 4 } });
    expect(storagesSentence([busy, storage()])).toBe(
      'All 2 storages are reachable. 2 files are on the way into iconik, 1 file is missing and 4 files could not be ingested.',
    );
  });

  test('names the first storage that needs attention', () => {
    const failing = storage({
      health: { check: 'x', status: 'failing', reason: 'It is mounted read-only', remedy: '' },
    });
    expect(storagesSentence([storage(), failing])).toBe(
      '1 of 2 storages needs attention. NAS Post: It is mounted read-only.',
    );
    expect(storagesSentence([failing, storage({ problem: 'One folder could not be listed.' })])).toContain(
      '2 of 2 storages need',
    );
  });

  test('never says reachable of what has not been measured', () => {
    const unknown = storage({ health: { check: 'x', status: 'unknown', reason: '', remedy: '' } });
    expect(storagesSentence([unknown, storage()])).toContain('1 storage has not been checked yet.');
    expect(storagesSentence([unknown])).not.toContain('reachable');
  });
});

test('durations and settings read as words', () => {
  expect([0.4, 6.4, 250, 8_000].map(scanDuration)).toEqual(['less than a second', '6 s', '4 min', '2.2 h']);
  expect(settingWord('scan_interval_seconds')).toBe('Scan interval seconds');
  expect(['true', 'false', '', '[]', '10'].map(settingValue)).toEqual(['Yes', 'No', 'Not set', 'Not set', '10']);
});

describe('problem files', () => {
  const file = (path: string, reason: string, state = 'faulty'): ProblemFile => ({ path, reason, state, sizeBytes: 1 });

  test('reasons that differ only in the file are one group, in the order they came', () => {
    const groups = groupProblems([
      file('a/one.mov', 'a/one.mov could not be read: input/output error.'),
      file('b/two.mov', 'Refused.'),
      file('b/three.mov', '“three.mov” could not be read: input/output error.'),
      file('b/three2.mov', 'Refused.', 'missing'),
    ]);
    expect(groups.map(({ reason, files }) => [reason, files.length])).toEqual([
      ['… could not be read: input/output error.', 2],
      ['Refused.', 1],
      ['Refused.', 1],
    ]);
  });

  test('a problem without reason says what its state means', () => {
    expect(reasonPattern(file('x.mov', '', 'missing'))).toContain('no longer on the storage');
  });

  test('a file listed on two pages is kept once, as last told', () => {
    const joined = joinProblems([file('a.mov', 'Old.')], [file('a.mov', 'New.'), file('b.mov', 'New.')]);
    expect(joined.map(({ path, reason }) => [path, reason])).toEqual([
      ['a.mov', 'New.'],
      ['b.mov', 'New.'],
    ]);
  });
});

test('a storage that no scan has seen is not called up to date', () => {
  expect(storagesSentence([storage()])).toBe('The storage is reachable. No scan has ended yet.');
  expect(storagesSentence([storage(), storage({ lastScanEndedMs: 1 })])).toContain(
    '1 storage has not been scanned yet.',
  );
  expect(storagesSentence([storage({ scans: false })])).toContain('up to date');
});

describe('a scan under way', () => {
  test('tells how far it is, and never that it is done', () => {
    expect(scanProgress({ files: 1200, ofFiles: null })).toBe('Scanning: 1,200 files so far');
    expect(scanProgress({ files: 1200, ofFiles: 4800 })).toBe('Scanning: 1,200 of about 4,800 files (25 %)');
    expect(scanProgress({ files: 5000, ofFiles: 4800 })).toBe('Scanning: 5,000 of about 5,000 files (99 %)');
  });
});
