import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package by name and version. */
export interface PackageId {
  name: string;
  version: string;
}

/** The folder of the package that a module belongs to; null for modules of ours. */
export function packageFolder(moduleId: string): string | null {
  const [path = ''] = moduleId.replace(/^\0/, '').split('?');
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(path)?.[0] ?? null;
}

interface Bundle {
  [file: string]: { type: string; moduleIds?: string[] };
}

/**
 * For Vite: writes which packages went into each program, `NAME.json` in `folder`. Nothing else knows: in an installed
 * application their folders are not there.
 */
export function recordBundledPackages(folder: string) {
  return {
    name: 'isg-pro:bundled-packages',
    generateBundle(this: { environment?: { name: string } }, _options: unknown, bundle: Bundle): void {
      const modules = Object.values(bundle).flatMap((one) => (one.type === 'chunk' ? (one.moduleIds ?? []) : []));
      const folders = new Set(modules.map(packageFolder).filter((one) => one !== null));
      const packages = [...folders].map((one): PackageId => {
        const { name, version } = JSON.parse(readFileSync(join(one, 'package.json'), 'utf8')) as PackageId;
        return { name, version };
      });
      mkdirSync(folder, { recursive: true });
      const sorted = packages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      writeFileSync(join(folder, `${this.environment?.name ?? 'program'}.json`), `${JSON.stringify(sorted)}\n`);
    },
  };
}
