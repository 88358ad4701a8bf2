import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { HeaviestFirst } from './test/support/heaviest-first.ts';
import { quickTemporaryFolder } from './test/support/quick-temporary-folder.ts';

/** Long versions of the fault tests run only under `npm run test:long`; the short ones always run. */
const MINUTE_MS = 60_000;

/** Most tests wait for processes more than they compute: twice as many files at a time as the smallest machine has cores. */
const WORKERS = 4;
/** Whole clusters at a time, after all others: more would starve each other, and what they promise has limits in seconds. */
const CLUSTERS = 3;

/** Hundreds of processes are started from the same sources: what Node made of them once is kept. */
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'isg-pro-compile-cache');
/** The same for the first start of an embedded database (test/support/embedded-template.ts). */
process.env.ISG_PRO_TEST_TEMPLATES ??= join(tmpdir(), 'isg-pro-templates');
process.env.TMPDIR = quickTemporaryFolder();

/**
 * Tests with real processes depend on when the machine lets them run. Where a machine is shared, one more try tells that
 * from a defect (the reporter names every test that needed it); pure tests get none.
 */
const retry = Number(process.env.ISG_PRO_TEST_RETRIES ?? 0);

/** One project per test layer: unit tests do no I/O, all others use the real thing (PostgreSQL, ffmpeg, processes). */
export default defineConfig({
  test: {
    sequence: { sequencer: HeaviestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 10_000,
          maxWorkers: WORKERS,
          // Pure modules keep no state: a process and a module graph per file would cost three times what the tests do.
          isolate: false,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/postgres-global.ts'],
          testTimeout: MINUTE_MS,
          retry,
          hookTimeout: 2 * MINUTE_MS,
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 5 * MINUTE_MS,
          retry,
          hookTimeout: MINUTE_MS,
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: ['test/support/postgres-global.ts'],
          testTimeout: 5 * MINUTE_MS,
          retry,
          hookTimeout: 2 * MINUTE_MS,
          maxWorkers: CLUSTERS,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
