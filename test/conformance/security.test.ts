import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Every "`file` › name of a test" of the page. */
const named = [...read('SECURITY.md').matchAll(/`([^`]+\.(?:spec|test)\.ts)` › ([^|\n]+?)\s*\|/g)].map(
  ([, file = '', name = '']) => ({ file, name }),
);

describe('SECURITY.md', () => {
  it('names a test for each of the 20 points of Electron’s checklist', () => {
    const rows = read('SECURITY.md').match(/^\| \d+ .*\.(?:spec|test)\.ts` ›.*$/gm) ?? [];
    expect(rows.map((row) => Number(/\d+/.exec(row)?.[0]))).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  it('names only tests that there are, under the names that they have', () => {
    const missing = named.filter(({ file, name }) => !read(`test/${file}`).includes(`'${name}'`));
    expect(named.length).toBeGreaterThan(30);
    expect(missing).toEqual([]);
  });
});

describe('the sources', () => {
  it('nothing hands an address to the system', () => {
    const sources = globSync('{main,preload,renderer}/**/*.{ts,tsx}', { cwd: ROOT });
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.filter((file) => read(file).includes('openExternal'))).toEqual([]);
  });

  it('only the log folder is handed to the system to be opened, and no path that the window names', () => {
    const sources = globSync('{main,preload,renderer}/**/*.{ts,tsx}', { cwd: ROOT });
    expect(sources.filter((file) => read(file).includes('openPath'))).toEqual(['main/lifecycle/open-log-folder.ts']);
    expect(read('preload/contract/bridge.ts')).toContain("'app.open-log-folder': { params: none,");
  });

  it('nowhere is the verification of a certificate switched off for good', () => {
    const sources = globSync('{agent,main,preload,renderer}/**/*.{ts,tsx}', { cwd: ROOT });
    const off =
      /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|ignore-certificate-errors|setCertificateVerifyProc/;
    expect(sources.filter((file) => off.test(read(file)))).toEqual([]);
  });

  it('a release is built on the Electron that package.json pins', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    expect(devDependencies.electron).toMatch(/^\d+\.\d+\.\d+$/);
    expect(read('electron-builder.yml')).not.toMatch(/electron(Version|Dist):/);
  });
});
