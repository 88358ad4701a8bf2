import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePatterns, compileSelection, isLeftOut, isLitter } from '../../../agent/storage/ignore-patterns.ts';

const matches = (pattern: string, path: string) => compilePatterns([pattern]).list.matches(path);

describe('patterns', () => {
  it.each([
    ['*.tmp', 'a/b/clip.tmp', true],
    ['*.tmp', 'clip.tmp.mov', false],
    ['Renders', 'a/Renders', true],
    ['Renders', 'a/Renders/x.mov', false],
    ['a/*', 'a/b/c.mov', true],
    ['clip?.mov', 'clip1.mov', true],
    ['clip?.mov', 'clip12.mov', false],
    ['clip[0-9].mov', 'clip7.mov', true],
    ['clip[!0-9].mov', 'clip7.mov', false],
    ['clip[]x].mov', 'clip].mov', true],
    ['clip[.mov', 'clip[.mov', true],
    ['a.b', 'axb', false],
    ['(x)+{1}$^|.mov', '(x)+{1}$^|.mov', true],
    ['re:/^2\\d{3}\\//', '2024/clip.mov', true],
    ['re:/^2\\d{3}\\//', 'a/2024/clip.mov', false],
    ['re:/\\.MOV$/i', 'clip.mov', true],
    ['*.MOV', 'clip.mov', false],
  ])('%j on %j is %j', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  it('matches a name whichever way its accents are stored', () => {
    expect(matches('M\u00fcll*', 'Mu\u0308ll.mov')).toBe(true);
    expect(matches('Mu\u0308ll*', 'M\u00fcll.mov')).toBe(true);
  });

  it('reports a pattern that does not compile and goes on with the others', () => {
    const { list, invalid } = compilePatterns(['re:/(/', '*.tmp', '', '  ']);
    expect(invalid).toEqual([{ pattern: 're:/(/', reason: expect.stringContaining('Invalid regular expression') }]);
    expect(list.matches('x.tmp')).toBe(true);
  });

  it('compiles every wildcard', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(compilePatterns([text.replace(/^re:/, '')]).invalid).toEqual([]);
      }),
    );
  });

  it('ignores case only when asked to', () => {
    expect(compilePatterns(['*.MOV'], { ignoreCase: true }).list.matches('clip.mov')).toBe(true);
  });
});

describe('litter', () => {
  it.each([
    '.DS_Store',
    '._clip.mov',
    'THUMBS.DB',
    'desktop.ini',
    '@eaDir',
    'clip.mov@SynoEAStream',
    '.Trashes',
    '$RECYCLE.BIN',
    'System Volume Information',
    '#recycle',
    'lost+found',
    '.snapshot',
    '.isg-pro-storage',
    '.isg-pro-probe-12',
  ])('%s is litter', (name) => {
    expect(isLitter(name)).toBe(true);
  });

  it.each(['clip.mov', '.hidden.mov', 'Thumbs', 'desktop.init', 'recycle', 'a.tmp', 'isg-pro.mov'])(
    '%s is not',
    (name) => {
      expect(isLitter(name)).toBe(false);
    },
  );
});

describe('selection of a walk', () => {
  const select = (ignore: string[], include: string[]) => compileSelection({ ignore, include }).selection;

  it('without an include list skips what the ignore list names, directories with all they hold', () => {
    const selection = select(['*.tmp', 'Cache'], []);
    expect(selection.skipsEntry('a/x.tmp')).toBe(true);
    expect(selection.skipsEntry('a/x.mov')).toBe(false);
    expect(selection.skipsDirectory('a/Cache')).toBe(true);
    expect(isLeftOut(selection, 'a/Cache/deep/x.mov')).toBe(true);
    expect(isLeftOut(selection, 'a/x.mov')).toBe(false);
  });

  it('lets include beat ignore, also inside an ignored directory', () => {
    const selection = select(['Cache', '*.mov'], ['*.mov']);
    expect(selection.skipsEntry('Cache/x.mov')).toBe(false);
    expect(selection.skipsDirectory('Cache')).toBe(false);
    expect(selection.skipsEntry('x.mxf')).toBe(true);
  });

  it('never lets litter in, whatever is included', () => {
    const selection = select([], ['*']);
    expect(selection.skipsEntry('a/._clip.mov')).toBe(true);
    expect(selection.skipsDirectory('@eaDir')).toBe(true);
  });

  it('lets nothing in when no pattern of an include list compiles', () => {
    expect(select([], ['re:/(/']).skipsEntry('x.mov')).toBe(true);
  });
});
