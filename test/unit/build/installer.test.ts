import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installerProblems } from '../../../build/package/check-installer.ts';

const SCRIPT = readFileSync(new URL('../../../build/installer.nsh', import.meta.url), 'utf8');

describe('our part of the Windows installer', () => {
  it('has no known mistake', () => {
    expect(installerProblems(SCRIPT)).toEqual([]);
  });

  it('is refused when it cuts addresses at a slash', () => {
    const cut = `${SCRIPT}\n  $\{GetOptions} $R0 "/iconik-url=" $R1\n`;
    expect(installerProblems(cut)).toMatchObject([expect.stringContaining('ends a value at a slash')]);
  });

  it.each([
    [/SetShellVarContext current/, 'of the person'],
    [/SetShellVarContext all/, 'of the service'],
    [/SetShellVarContext all/, 'in the end'],
  ])('is refused without %s', (line, words) => {
    expect(installerProblems(SCRIPT.replace(line, '')).join()).toContain(words);
  });

  it('reads options by a macro that electron-builder brings, with these parameters', () => {
    const templates = join(
      dirname(createRequire(import.meta.url).resolve('app-builder-lib/package.json')),
      'templates',
    );
    const header = readFileSync(join(templates, 'nsis/include/StdUtils.nsh'), 'utf8');
    expect(header).toMatch(/!define StdUtils\.GetParameter\s+'!insertmacro _StdU_GetParameter'/);
    expect(header).toContain('!macro _StdU_GetParameter out name default');
  });
});
