import { describe, expect, it } from 'vitest';
import { C4Sum, isSayable, manifestEntry, manifestName } from '../../../agent/roles/checksum/mhl-plan.ts';

const c4 = (text: string) => {
  const sum = new C4Sum();
  sum.add(text);
  return sum.id();
};

describe('ASC MHL', () => {
  it('names content by its C4 id', () => {
    // The published id of no bytes.
    expect(c4('')).toBe('c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sFT');
    expect(c4('a')).toHaveLength(90);
  });

  it('names the first manifest by directory and time', () => {
    const origin = {
      directoryName: 'A002R2EC',
      createdMs: Date.UTC(2026, 0, 31, 9, 5, 7, 999),
      hostName: 'h',
      version: '1',
    };
    expect(manifestName(origin)).toBe('0001_A002R2EC_2026-01-31_090507Z.mhl');
  });

  it('says names as XML can, and knows which it cannot', () => {
    const file = { path: '', sizeBytes: 7, mtimeNs: '1500000000999999999', fileId: '1', md5: 'aa', xxh128: null };
    const entry = manifestEntry('a/<b> & "c"\n.mov', file);
    expect(entry).toContain('>a/&lt;b&gt; &amp; &quot;c&quot;&#10;.mov</path>');
    expect(entry).toContain('size="7" lastmodificationdate="2017-07-14T02:40:00Z"');
    expect(entry).not.toContain('xxh128');
    expect([isSayable('a\nb'), isSayable('a\u0001b'), isSayable('é')]).toEqual([true, false, true]);
    // Not characters of XML 1.0: one of them would make the whole list unreadable.
    expect(['\ufffe', '\uffff', '\ud800'].map((odd) => isSayable(`a${odd}b`))).toEqual([false, false, false]);
    expect(isSayable('🎬')).toBe(true);
  });

  it('keeps the name of the list within what file systems take', () => {
    const origin = { createdMs: 0, hostName: 'h', version: '1' };
    const name = manifestName({ ...origin, directoryName: 'é'.repeat(125) });
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name).toMatch(/^0001_é{20,}_1970-01-01_000000Z\.mhl$/);
    expect(manifestName({ ...origin, directoryName: 'a\u0001b' })).toBe('0001_a_b_1970-01-01_000000Z.mhl');
  });
});
