import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type EnvironmentOptions, type Plugin } from 'vite';
import { recordBundledPackages } from './build/package/bundled-packages.ts';

/** `vite build --app` builds all four programs into out/; with ISG_PRO_SOURCEMAP=1 with source maps. */

const inRoot = (...parts: string[]) => join(fileURLToPath(new URL('.', import.meta.url)), ...parts);
const isFromNode = (id: string) => id.startsWith('node:') || builtinModules.includes(id);
/** Part of the agent's build, because only what is used of it is then loaded: 12 MB less in each of the agent's processes. */
const isZod = (id: string) => /^zod(\/|$)/.test(id);
const isPackage = (id: string) => !/^(\.|\/|[A-Za-z]:[\\/]|\0)/.test(id);

/**
 * What runs as a process or thread of its own beside the agent's entry. Each is found by its place in the folder tree, so
 * the build keeps the tree as it is.
 */
const agentEntries = [
  'main.ts',
  'embedded-db/keeper.ts',
  'runtime/child-guard/guard-process.ts',
  'storage/process/storage-process-main.ts',
  'storage/process/walk-thread-main.ts',
  'storage/process/digest-thread-main.ts',
  'link/beat-thread-main.ts',
  'link/hang-guard-main.ts',
  'cluster/pulse/thread/pulse-thread-main.ts',
  'cache/log-view/view-thread-main.ts',
  'cluster/log-shipping/thread/log-thread-main.ts',
].map((file) => inRoot('agent', file));

/** Puts the migrations beside the module that reads them. */
function copyMigrations(): Plugin {
  return {
    name: 'copy-migrations',
    applyToEnvironment: (environment) => environment.name === 'agent',
    generateBundle() {
      for (const file of globSync('**/*.sql', { cwd: inRoot('agent') })) {
        const fileName = file.replaceAll('\\', '/');
        this.emitFile({ type: 'asset', fileName, source: readFileSync(inRoot('agent', file)) });
      }
    },
  };
}

/** Puts the style sheets behind the frame of index.html: one in the head would keep it from being painted. */
function paintFrameFirst(): Plugin {
  return {
    name: 'paint-frame-first',
    transformIndexHtml: {
      order: 'post',
      handler: (html) => {
        const sheets: string[] = [];
        const rest = html.replaceAll(/\s*<link rel="stylesheet"[^>]*>/g, (sheet) => {
          sheets.push(sheet);
          return '';
        });
        return rest.replace('</body>', `${sheets.join('')}\n  </body>`);
      },
    },
  };
}

/** One program that runs in Node: main, preload or agent. */
function nodeProgram(outDir: string, rolldownOptions: object): EnvironmentOptions {
  return {
    consumer: 'server',
    resolve: { external: [], noExternal: true },
    build: {
      outDir: inRoot(outDir),
      emptyOutDir: true,
      copyPublicDir: false,
      // Electron's own Node is older than the agent's in tests
      target: 'node20',
      minify: false,
      sourcemap: process.env.ISG_PRO_SOURCEMAP === '1',
      rolldownOptions: { platform: 'node', ...rolldownOptions },
    },
  };
}

export default defineConfig({
  root: inRoot('renderer'),
  base: './',
  publicDir: false,
  clearScreen: false,
  plugins: [react(), copyMigrations(), paintFrameFirst(), recordBundledPackages(inRoot('out/bundled'))],
  // main/windows/app-protocol.ts puts a fresh nonce in this place at each load
  html: { cspNonce: '__CSP_NONCE__' },
  environments: {
    agent: nodeProgram('out/agent', {
      input: agentEntries,
      external: (id: string) => isFromNode(id) || (isPackage(id) && !isZod(id)),
      output: {
        format: 'esm',
        preserveModules: true,
        preserveModulesRoot: inRoot('agent'),
        // a folder of any name but node_modules, which packagers treat as their own
        entryFileNames: ({ name }: { name: string }) => `${name.replace(/^.*node_modules\//, 'packages/')}.js`,
      },
    }),
    main: nodeProgram('out/main', {
      input: { main: inRoot('main/main.ts') },
      // whole: what lies outside the archive has no integrity check
      external: (id: string) => isFromNode(id) || id === 'electron',
      output: { format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
    }),
    preload: nodeProgram('out/preload', {
      input: { preload: inRoot('preload/preload.ts') },
      external: ['electron'],
      output: { format: 'cjs', entryFileNames: '[name].cjs' },
    }),
    renderer: {
      consumer: 'client',
      build: {
        outDir: inRoot('out/renderer'),
        emptyOutDir: true,
        target: 'chrome130',
        sourcemap: process.env.ISG_PRO_SOURCEMAP === '1',
        modulePreload: { polyfill: false },
        // one program read from disk: size warnings are about the web
        chunkSizeWarningLimit: 4_000,
        rolldownOptions: {
          input: inRoot('renderer/index.html'),
          // the window gets parsed values: of the contract it needs lists and words, not the schemas made beside them
          treeshake: {
            manualPureFunctions: ['z'],
            moduleSideEffects: [{ test: /[\\/](agent[\\/]contract|node_modules[\\/]zod)[\\/]/, sideEffects: false }],
          },
        },
      },
    },
  },
  builder: {
    async buildApp(builder) {
      const programs = ['agent', 'main', 'preload', 'renderer'].flatMap((name) => builder.environments[name] ?? []);
      // a mistake in one leaves the others whole
      const built = await Promise.allSettled(programs.map((program) => builder.build(program)));
      const failed = built.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    },
  },
});
