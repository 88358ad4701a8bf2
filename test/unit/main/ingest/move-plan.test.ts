import { describe, expect, it } from 'vitest';
import type { FormerRow } from '../../../../agent/db/queries/moved-file.ts';
import { caseVariantOf, chooseFormer } from '../../../../agent/roles/main/ingest/move-plan.ts';
import { pathKey } from '../../../../agent/storage/storage-path.ts';

const former = (path: string, over: Partial<FormerRow> = {}): FormerRow => ({
  path,
  pathKey: pathKey(path),
  isMissing: false,
  isSameFile: true,
  ...over,
});

describe('what a new file used to be', () => {
  it('nothing, when it is a hard link: the old name is there still', () => {
    expect(chooseFormer('b.mov', [former('a.mov')], null)).toBeNull();
    expect(chooseFormer('sub/a.mov', [former('a.mov')], new Set(['a.mov']))).toBeNull();
  });

  it('nothing, when a hard link differs by case only and both are listed', () => {
    const links = [former('clip.mov')];
    expect(caseVariantOf('CLIP.mov', links)).toEqual(links[0]);
    expect(chooseFormer('CLIP.mov', links, new Set(['CLIP.mov', 'clip.mov']))).toBeNull();
  });

  it('the name that only its case tells apart, once the folder does not list that any more', () => {
    expect(chooseFormer('CLIP.mov', [former('clip.mov')], new Set(['CLIP.mov']))?.path).toBe('clip.mov');
    expect(chooseFormer('CLIP.mov', [former('clip.mov')], null)).toBeNull();
    expect(chooseFormer('\u00c9.mov', [former('e\u0301.mov')], new Set(['\u00c9.mov']))?.path).toBe('e\u0301.mov');
    // Another file, or another folder: no variant.
    expect(chooseFormer('CLIP.mov', [former('clip.mov', { isSameFile: false })], new Set(['CLIP.mov']))).toBeNull();
    expect(chooseFormer('Sub/a.mov', [former('sub/a.mov')], new Set(['a.mov']))).toBeNull();
  });

  it('the missing one, though a hard link to it is there still', () => {
    const gone = former('gone.mov', { isMissing: true });
    expect(chooseFormer('new.mov', [former('link.mov'), gone], null)).toBe(gone);
  });

  it('the file of a spelled name, when its name is mended', () => {
    const gone = former('caf⟦e9⟧.mov', { isMissing: true });
    expect(chooseFormer('caf\u00e9.mov', [gone], null)).toBe(gone);
  });
});
