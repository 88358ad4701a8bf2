import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  directoryOf,
  isWithin,
  joinPath,
  nameOf,
  outermostDirectories,
  parseDirectory,
  pathKey,
  pathSegments,
} from '../../../agent/storage/storage-path.ts';

describe('storage paths', () => {
  it.each(['/etc/passwd', '..', 'a/../b', 'a/..', './a', 'a//b', 'a/', 'a\0b', '/', '.', 'x'.repeat(5_000)])(
    'refuses %j as leading outside',
    (path) => {
      expect(() => pathSegments(path, 'linux')).toThrow(expect.objectContaining({ code: 'outside-storage' }));
    },
  );

  it.each(['C:/x', 'a\\..\\b', 'file.txt:stream'])('refuses %j on Windows only', (path) => {
    expect(() => pathSegments(path, 'win32')).toThrow(expect.objectContaining({ code: 'outside-storage' }));
    expect(pathSegments(path, 'linux')).not.toHaveLength(0);
  });

  it('takes odd but harmless names as they are', () => {
    expect(pathSegments('...', 'linux')).toEqual(['...']);
    expect(pathSegments('a b/ü\n/..c', 'linux')).toEqual(['a b', 'ü\n', '..c']);
    expect(pathSegments('')).toEqual([]);
  });

  it('splits what it joins', () => {
    const segment = fc.string({ minLength: 1 }).filter((text) => !text.includes('/'));
    fc.assert(
      fc.property(fc.array(segment), segment, (directories, name) => {
        const directory = directories.join('/');
        const path = joinPath(directory, name);
        expect([directoryOf(path), nameOf(path)]).toEqual([directory, name]);
      }),
    );
  });

  it('compares composed and decomposed names as equal', () => {
    expect(pathKey('Mu\u0308ll')).toBe(pathKey('M\u00fcll'));
  });

  it('knows what lies in a directory, and is not fooled by a common prefix', () => {
    expect(isWithin('a/b', 'a')).toBe(true);
    expect(isWithin('ab', 'a')).toBe(false);
    expect(isWithin('anything', '')).toBe(true);
  });

  it('reads directories as people write them and still refuses to leave', () => {
    expect(['/media/', './media', 'media', ' media '].map(parseDirectory)).toEqual(Array(4).fill('media'));
    expect(['', '/', '.', './'].map(parseDirectory)).toEqual(['', '', '', '']);
    expect(() => parseDirectory('/media/../../etc')).toThrow(expect.objectContaining({ code: 'outside-storage' }));
  });

  it('walks nested roots once, and everything when none is given', () => {
    expect(outermostDirectories(['a/b', 'a', 'c', 'c', 'ab'])).toEqual(['a', 'c', 'ab']);
    expect(outermostDirectories(['a', '/'])).toEqual(['']);
    expect(outermostDirectories([])).toEqual(['']);
  });
});
