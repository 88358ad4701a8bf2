import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absolutePathIn,
  directoryOf,
  isIndexable,
  isWithin,
  joinPath,
  nameOf,
  outermostDirectories,
  parseDirectory,
  pathKey,
  pathSegments,
  unwritableName,
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

describe('names on other platforms', () => {
  it.each([
    'CON',
    'con.mov',
    'NUL',
    'nul .txt',
    'Aux.tar.gz',
    'COM1',
    'lpt9.mov',
    'COM\u00b9',
    'CONIN$',
    'dot.',
    'space ',
    'what?',
    'a<b',
    'a>b',
    'a:b',
    'a"b',
    'a|b',
    'a*b',
    'a\\b',
    'new\nline',
    '\u0001',
    'x'.repeat(256),
  ])('%j cannot be written on Windows, and can elsewhere', (name) => {
    expect(unwritableName(name, 'win32')).toEqual(expect.any(String));
    expect(unwritableName(name, 'linux')).toBeNull();
    expect(unwritableName(name, 'darwin')).toBeNull();
  });

  it.each(['CONSOLE.mov', 'COM10', 'com', 'null', '.hidden', ' lead', 'a.b', '😀', 'x'.repeat(255), "quote's"])(
    '%j is fine everywhere',
    (name) => {
      expect(unwritableName(name, 'win32')).toBeNull();
    },
  );

  it('mounts on Windows may be drives, shares and prefixed paths; long paths get the prefix', () => {
    expect(absolutePathIn('C:\\media', 'a/b.mov', 'win32')).toBe('C:\\media\\a\\b.mov');
    expect(absolutePathIn('C:/media/', 'a', 'win32')).toBe('C:\\media\\a');
    expect(absolutePathIn('\\\\server\\share', 'a/b', 'win32')).toBe('\\\\server\\share\\a\\b');
    expect(absolutePathIn('\\\\?\\C:\\media', 'a', 'win32')).toBe('\\\\?\\C:\\media\\a');
    const long = Array(30).fill('long name.').join('/');
    const tail = long.replaceAll('/', '\\');
    expect(absolutePathIn('C:\\media', long, 'win32')).toBe(`\\\\?\\C:\\media\\${tail}`);
    expect(absolutePathIn('\\\\server\\share', long, 'win32')).toBe(`\\\\?\\UNC\\server\\share\\${tail}`);
    expect(absolutePathIn('/mnt/x', long, 'linux')).toBe(`/mnt/x/${long}`);
  });

  it('a spelled name is given to other programs as the name it stands for, where text can', () => {
    expect(absolutePathIn('/mnt', 'u⟦cc88⟧/a', 'linux')).toBe('/mnt/u\u0308/a');
    expect(absolutePathIn('/mnt', 'caf⟦e9⟧', 'linux')).toBe('/mnt/caf⟦e9⟧');
  });

  it('the index takes paths of 2,400 bytes, counted as they are kept and as they are compared', () => {
    const fits = (directory: string, name: string) => isIndexable(Buffer.byteLength(directory), directory, name);
    expect(fits('d'.repeat(2_300), 'x'.repeat(99))).toBe(true);
    expect(fits('d'.repeat(2_300), 'x'.repeat(100))).toBe(false);
    expect(fits('d'.repeat(2_300), 'ü'.repeat(49))).toBe(true);
    expect(fits('d'.repeat(2_300), 'ü'.repeat(50))).toBe(false);
    // Three bytes that NFC writes as nine.
    expect(fits('d'.repeat(2_380), '\u{1d160}'.repeat(2))).toBe(false);
  });
});
