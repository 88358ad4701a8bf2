import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../../', import.meta.url));
const inRoot = (...parts: string[]) => join(root, ...parts);

/** What runs as a process or thread of its own beside it. */
const ENTRIES = [
  'agent/runtime/child-guard/guard-process.ts',
  'agent/storage/process/storage-process-main.ts',
  'agent/storage/process/walk-thread-main.ts',
  'agent/storage/process/digest-thread-main.ts',
];

/**
 * Builds a part of the agent (`test/bench/<bench>/<program>.ts`) as `npm run build` builds the agent: run from its sources,
 * each process and thread of it would hold the stripper of types too. Answers the path of the program.
 */
export async function buildBenchAgent(bench: string, program: string): Promise<string> {
  const outDir = inRoot('out', `bench-${bench}`);
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    ssr: { noExternal: ['zod'] },
    build: {
      ssr: true,
      outDir,
      emptyOutDir: true,
      copyPublicDir: false,
      target: 'node20',
      minify: false,
      rolldownOptions: {
        platform: 'node',
        input: [inRoot('test/bench', bench, `${program}.ts`), ...ENTRIES.map((entry) => inRoot(entry))],
        external: (id) => builtinModules.includes(id) || !/^(zod$|zod\/|\.|\/|[A-Za-z]:[\\/]|\0)/.test(id),
        output: {
          format: 'esm',
          preserveModules: true,
          preserveModulesRoot: root,
          entryFileNames: ({ name }) => `${name.replace(/^.*node_modules\//, 'packages/')}.js`,
        },
      },
    },
  });
  return join(outDir, 'test/bench', bench, `${program}.js`);
}
