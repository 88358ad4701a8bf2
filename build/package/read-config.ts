import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';

const target = z.object({ target: z.string(), arch: z.array(z.enum(['x64', 'arm64'])) });
const platform = z.looseObject({ icon: z.string(), target: z.array(target) });
const fileRule = z.union([z.string(), z.looseObject({ from: z.string(), to: z.string() })]);

/** What the checks look at in electron-builder.yml; its whole shape is judged by electron-builder's own schema. */
const schema = z.looseObject({
  appId: z.string(),
  asar: z.literal(true),
  asarUnpack: z.array(z.string()),
  files: z.array(z.string()),
  extraResources: z.array(fileRule),
  electronFuses: z.record(z.string(), z.boolean()),
  afterPack: z.string(),
  publish: z.looseObject({ provider: z.string(), url: z.url() }),
  win: platform,
  nsis: z.looseObject({ perMachine: z.boolean(), deleteAppDataOnUninstall: z.boolean(), include: z.string() }),
  mac: platform.extend({
    hardenedRuntime: z.boolean(),
    entitlements: z.string(),
    entitlementsInherit: z.string(),
    minimumSystemVersion: z.string(),
  }),
  pkg: z.looseObject({ scripts: z.string() }),
  linux: platform.extend({ executableName: z.string() }),
  deb: z.looseObject({ afterInstall: z.string(), fpm: z.array(z.string()) }),
});

/** The packaging configuration, parsed. */
export type PackageConfig = z.infer<typeof schema>;

/** What was found. */
export interface ReadConfig {
  /** null when it is not what the checks need. */
  config: PackageConfig | null;
  /** In words, empty when all is well. */
  problems: string[];
}

/** Reads electron-builder.yml and holds it against electron-builder's published schema, and against what is looked at here. */
export async function readPackageConfig(path: string): Promise<ReadConfig> {
  const raw: unknown = parse(await readFile(path, 'utf8'));
  const published: unknown = createRequire(import.meta.url)('app-builder-lib/scheme.json');
  const ajv = new Ajv({ strict: false, allErrors: true });
  const isValid = ajv.validate(published as object, raw);
  const problems = isValid
    ? []
    : (ajv.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.message ?? ''}`);
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { config: parsed.data, problems };
  return {
    config: null,
    problems: [...problems, ...parsed.error.issues.map((issue) => `${issue.path.join('/')}: ${issue.message}`)],
  };
}
