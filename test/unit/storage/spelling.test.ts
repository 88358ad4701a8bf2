import { describe, expect, it } from 'vitest';
import { isSpelledOtherwise, type SpellingLooks } from '../../../agent/storage/process/spelling.ts';

/** A storage whose paths have these identities; `ignoresCase` finds a path by any letters, as APFS, NTFS and most shares do. */
function storage(files: Record<string, string>, ignoresCase: boolean): SpellingLooks & { listed: string[] } {
  const fold = (path: string) => (ignoresCase ? path.toLowerCase() : path);
  const listed: string[] = [];
  return {
    listed,
    identity: async (path) => Object.entries(files).find(([name]) => fold(name) === fold(path))?.[1] ?? null,
    names: async (directory) => {
      listed.push(directory);
      const prefix = directory === '' ? '' : `${fold(directory)}/`;
      const below = Object.keys(files).filter((path) => fold(path).startsWith(prefix) && path !== directory);
      return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))];
    },
  };
}

describe('spelling', () => {
  it('tells the old letters of a renamed file from the new ones where case is ignored', async () => {
    const looks = storage({ reels: '1', 'reels/clip.mov': '2' }, true);
    expect(await isSpelledOtherwise('reels/Clip.mov', looks)).toBe(true);
    expect(await isSpelledOtherwise('reels/clip.mov', looks)).toBe(false);
  });

  it('sees the rename of a directory above the file', async () => {
    const looks = storage({ Reels: '1', 'Reels/clip.mov': '2' }, true);
    expect(await isSpelledOtherwise('reels/clip.mov', looks)).toBe(true);
  });

  it('lists nothing where case counts, and believes two files of one name in different letters', async () => {
    const looks = storage({ reels: '1', 'reels/clip.mov': '2', 'reels/CLIP.MOV': '3' }, false);
    expect(await isSpelledOtherwise('reels/clip.mov', looks)).toBe(false);
    expect(await isSpelledOtherwise('reels/CLIP.MOV', looks)).toBe(false);
    expect(looks.listed).toEqual([]);
  });

  it('believes two hard links that differ only in case', async () => {
    const looks = storage({ 'clip.mov': '2', 'CLIP.MOV': '2' }, false);
    expect(await isSpelledOtherwise('clip.mov', looks)).toBe(false);
  });

  it('takes a listing that misses the name for no proof', async () => {
    const looks = storage({ 'clip.mov': '2' }, true);
    expect(await isSpelledOtherwise('clip.mov', { ...looks, names: async () => ['other.mov'] })).toBe(false);
  });

  it('takes the composed and the decomposed form of a name for one', async () => {
    const looks = storage({ 'cafe\u0301.mov': '2' }, true);
    const found = { ...looks, identity: async () => '2' };
    expect(await isSpelledOtherwise('caf\u00e9.mov', found)).toBe(false);
  });
});
