import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { PackageId } from './bundled-packages.ts';

const component = z.looseObject({
  name: z.string(),
  group: z.string().optional(),
  version: z.string().optional(),
  'bom-ref': z.string(),
  /** Packages that lie inside of this one. */
  components: z.array(z.unknown()).optional(),
});
type Component = z.infer<typeof component>;
/** A list of parts (CycloneDX), as far as it is changed here. */
export const sbomSchema = z.looseObject({
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).optional() })).default([]),
  metadata: z.looseObject({ component: z.looseObject({ 'bom-ref': z.string() }) }),
});
/** A list of parts. */
export type Sbom = z.infer<typeof sbomSchema>;

const keyOf = ({ name, version }: { name: string; version?: string | undefined }) => `${name}@${version ?? ''}`;
const nameOf = ({ group, name }: { group?: string | undefined; name: string }) => (group ? `${group}/${name}` : name);

/**
 * The list of what is inside: of all that the lock file names, the packages that lie in the application or went into its
 * programs; and the programs of other hands. Throws for a package that the lock file does not name.
 */
export function listOfParts(locked: Sbom, shipped: readonly PackageId[], programs: readonly PackageId[]): Sbom {
  const known = new Map(flat(locked.components).map((one) => [keyOf({ ...one, name: nameOf(one) }), one]));
  const components = new Map<string, Component>();
  for (const one of shipped) {
    const found = known.get(keyOf(one));
    if (!found) throw new Error(`${keyOf(one)} is in the application, but not in the lock file.`);
    components.set(found['bom-ref'], found);
  }
  const added = programs.map((one) => ({ type: 'application', 'bom-ref': `program:${keyOf(one)}`, ...one }));
  const isThere = (ref: string) => components.has(ref) || ref === locked.metadata.component['bom-ref'];
  const dependencies = locked.dependencies
    .filter(({ ref }) => isThere(ref))
    .map((one) => ({ ...one, ...(one.dependsOn ? { dependsOn: one.dependsOn.filter(isThere) } : {}) }));
  return { ...locked, components: [...[...components.values()].toSorted(byRef), ...added], dependencies };
}

/** All of them side by side: where a package lies is no part of what it is. */
function flat(components: readonly Component[]): Component[] {
  return components.flatMap(({ components: inner, ...one }) => [one, ...flat(z.array(component).parse(inner ?? []))]);
}

const byRef = (a: { 'bom-ref': string }, b: { 'bom-ref': string }) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1);

/** Every package whose folder lies in a `node_modules`, at any depth. */
export async function installedPackages(folder: string): Promise<PackageId[]> {
  const found: PackageId[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((one) => one.isDirectory())) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('@')) {
      found.push(...(await installedPackages(path)));
      continue;
    }
    const text = await readFile(join(path, 'package.json'), 'utf8').catch(() => null);
    if (text !== null) {
      const { name, version } = JSON.parse(text) as PackageId;
      found.push({ name, version });
    }
    found.push(...(await installedPackages(join(path, 'node_modules'))));
  }
  return found;
}

/** What the build has noted of packages that went into programs (`bundled-packages.ts`). */
export async function bundledPackages(folder: string): Promise<PackageId[]> {
  const lists = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return lists.flatMap((text) => JSON.parse(text) as PackageId[]);
}
