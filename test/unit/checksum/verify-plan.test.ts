import { describe, expect, it } from 'vitest';
import { bytesPerWorker } from '../../../agent/roles/checksum/read-limit-plan.ts';
import {
  byPlace,
  failureOf,
  firstPart,
  judgeFile,
  NOTHING_VERIFIED,
  type Recorded,
  type Verdict,
  withFile,
  wordsOf,
} from '../../../agent/roles/checksum/verify-plan.ts';
import type { DigestedFile } from '../../../agent/storage/storage-access.ts';

const FAST = 'a'.repeat(32);
const MD5 = 'b'.repeat(32);
const recorded: Recorded = { path: 'reel/a.mov', sizeBytes: 7, mtimeNs: '5', fileId: '1', xxh128: FAST, md5: MD5 };
const found = (change: Partial<Extract<DigestedFile, { kind: 'digested' }>> = {}): DigestedFile => ({
  kind: 'digested',
  xxh128: FAST,
  md5: null,
  facts: { kind: 'file', sizeBytes: 7, mtimeNs: '5', fileId: '9' },
  changed: false,
  ...change,
});
const trouble = (code: 'file-not-found' | 'file-unreadable'): DigestedFile => ({
  kind: 'trouble',
  error: { code, message: 'it is so', retry: 'permanent' },
});

describe('a verified file', () => {
  it.each<[string, DigestedFile]>([
    ['same', found()],
    ['changed', found({ changed: true })],
    ['changed', found({ facts: { kind: 'file', sizeBytes: 8, mtimeNs: '5', fileId: '9' }, xxh128: MD5 })],
    ['changed', found({ facts: { kind: 'file', sizeBytes: 7, mtimeNs: '6', fileId: '9' }, xxh128: MD5 })],
    ['differs', found({ xxh128: MD5 })],
    ['gone', trouble('file-not-found')],
    ['unreadable', trouble('file-unreadable')],
  ])('is %s', (kind, file) => {
    expect(judgeFile(recorded, file).kind).toBe(kind);
  });

  it('is judged by MD5 when nothing else is recorded', () => {
    const old = { ...recorded, xxh128: null };
    expect(judgeFile(old, found({ md5: MD5, xxh128: MD5 }))).toEqual({ kind: 'same' });
    expect(judgeFile(old, found({ md5: FAST }))).toEqual({
      kind: 'differs',
      digest: 'MD5',
      recorded: MD5,
      found: FAST,
    });
  });

  it('that differs is told with both digests and what to do', () => {
    const words = wordsOf('reel/a.mov', judgeFile(recorded, found({ xxh128: MD5 })));
    expect(words).toContain(FAST);
    expect(words).toContain(MD5);
    expect(words).toMatch(/size and time are unchanged.*put the good one back/);
  });
});

describe('the sums of a verification', () => {
  const differs: Verdict = { kind: 'differs', digest: 'MD5', recorded: MD5, found: FAST };

  it('fail for what differs or cannot be read, not for what changed or is gone', () => {
    const harmless = (['same', 'changed', 'gone'] as const).reduce(
      (sums, kind) => withFile(sums, recorded, { kind }),
      NOTHING_VERIFIED,
    );
    expect(harmless).toMatchObject({ files: 3, bytes: 21, same: 1, changed: 1, gone: 1, told: [] });
    expect(failureOf(harmless)).toBeNull();
    const bad = withFile(harmless, recorded, differs);
    expect(failureOf(bad)).toMatchObject({ code: 'content-differs', retry: 'permanent' });
    expect(failureOf(bad)?.message).toMatch(/^1 of 4 files differ.*\n"reel\/a.mov"/);
    const unread: Verdict = { kind: 'unreadable', error: { code: 'unexpected', message: 'x', retry: 'transient' } };
    expect(failureOf(withFile(harmless, recorded, unread))).toMatchObject({ code: 'file-unreadable' });
  });

  it('name twenty files, however many differ', () => {
    let sums = NOTHING_VERIFIED;
    for (let file = 0; file < 30; file += 1) sums = withFile(sums, recorded, differs);
    expect(sums.differs).toBe(30);
    expect(sums.told).toHaveLength(20);
  });
});

describe('the order of reading', () => {
  it('follows the inodes, also beyond 2^53', () => {
    const ids = ['9007199254740993', '10', '9007199254740992', '2'];
    expect(byPlace(ids.map((fileId) => ({ fileId }))).map(({ fileId }) => fileId)).toEqual([
      '2',
      '10',
      '9007199254740992',
      '9007199254740993',
    ]);
  });

  it('takes files up to a number of bytes, at least one', () => {
    const files = [5, 4, 3].map((sizeBytes) => ({ sizeBytes }));
    expect(firstPart(files, 9)).toHaveLength(2);
    expect(firstPart(files, 1)).toHaveLength(1);
    expect(firstPart(files, 100)).toHaveLength(3);
    expect(firstPart([], 100)).toEqual([]);
  });
});

it('the limit of the node is shared by its workers', () => {
  expect(bytesPerWorker(undefined, 2)).toBeNull();
  expect(bytesPerWorker(100, 4)).toBe(25_000_000);
});
