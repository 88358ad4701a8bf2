import { describe, expect, it } from 'vitest';
import { sortProblems, withoutPath } from '../../../../renderer/features/settings/config-problems.ts';

const KEYS = ['iconik-url', 'proxy-resolution', 'leader-ttl-ms', 'leader-renew-ms', 'uploads'];
const sorted = (...problems: string[]) => {
  const { byKey, general } = sortProblems(problems, KEYS);
  return { byKey: Object.fromEntries(byKey), general };
};

describe('what main refuses at a save', () => {
  it('stands at the key that it names, several at one key in their order', () => {
    const problems = ['line 4: uploads: must be a number', 'uploads must be between 1 and 64'];
    expect(sorted(...problems)).toEqual({ byKey: { uploads: problems }, general: [] });
  });

  it('stands at both keys when it speaks of two', () => {
    const problem = 'leader-ttl-ms must be more than twice leader-renew-ms.';
    expect(sorted(problem)).toEqual({
      byKey: { 'leader-ttl-ms': [problem], 'leader-renew-ms': [problem] },
      general: [],
    });
  });

  it('is general when it names no key of the screen', () => {
    const problem = 'The file could not be written: no space left on device.';
    expect(sorted(problem)).toEqual({ byKey: {}, general: [problem] });
  });

  it('is not mistaken for a key whose name is part of a longer word or of a path', () => {
    const problems = [
      'image-proxy-resolution is wrong',
      '/etc/uploads/config.ini cannot be read',
      'uploads-max: unknown',
    ];
    expect(sorted(...problems)).toEqual({ byKey: {}, general: problems });
  });

  it('loses the path of the file, which the screen shows once; any other path stays', () => {
    const path = '/etc/isg-pro/config.ini';
    expect(withoutPath([`${path}: line 4: uploads: odd`, '/else: odd', `odd in ${path}: x`], path)).toEqual([
      'line 4: uploads: odd',
      '/else: odd',
      `odd in ${path}: x`,
    ]);
  });
});
