import { describe, expect, it } from 'vitest';
import { frameNameOf, planSequence, wordsForGaps } from '../../../agent/roles/transcode/sequences/sequence-plan.ts';

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `shot.${String(from + index).padStart(4, '0')}.dpx`);

describe('A sequence', () => {
  it('is made of the files with the same words around another number', () => {
    const names = [...numbered(1001, 1003), 'shot.1004.exr', 'other.1004.dpx', 'shot.dpx', 'notes.txt'];
    const plan = planSequence('day 1/shot.1002.dpx', names);
    expect(plan).toEqual({ directory: 'day 1', frames: numbered(1001, 1003), gaps: [], missing: 0 });
    expect(plan && wordsForGaps(plan)).toBeNull();
  });

  it('counts on past digits that were too few, and by number, not by name', () => {
    expect(planSequence('f9.png', ['f10.png', 'f9.png', 'f8.png'])?.frames).toEqual(['f8.png', 'f9.png', 'f10.png']);
  });

  it('holds the frame before a gap and tells of it', () => {
    const names = [...numbered(1, 2), ...numbered(4, 4), ...numbered(8, 8)];
    const plan = planSequence('shot.0001.dpx', names);
    expect(plan?.frames.map((name) => Number(name.slice(5, 9)))).toEqual([1, 2, 2, 4, 4, 4, 4, 8]);
    expect(plan && wordsForGaps(plan)).toMatch(/^4 of 8 frames .* \(3, 5–7\)/);
  });

  it('is none for a single frame, for stray numbers far apart, and for what is no still', () => {
    expect(planSequence('shot.0001.dpx', ['shot.0001.dpx'])).toBeNull();
    expect(planSequence('a1.tif', ['a1.tif', 'a999999999.tif'])).toBeNull();
    expect(frameNameOf('clip.0001.mov')).toBeNull();
    expect(frameNameOf('shot.dpx')).toBeNull();
    expect(frameNameOf('new\nline 7.tif')).toEqual({ prefix: 'new\nline ', number: 7, suffix: '.tif' });
  });
});
