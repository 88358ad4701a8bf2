import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from '@playwright/test';
import { quickTemporaryFolder } from '../support/quick-temporary-folder.ts';

/** Many processes are started from the same sources: what Node made of them once is kept. */
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'isg-pro-compile-cache');
/** The same for the first start of an embedded database (test/support/embedded-template.ts). */
process.env.ISG_PRO_TEST_TEMPLATES ??= join(tmpdir(), 'isg-pro-templates');
process.env.TMPDIR = quickTemporaryFolder();

/** Electron end-to-end tests. Each spec runs an application, a cluster and an iconik of its own, and mostly waits for them: two at a time. */
export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  workers: 2,
  fullyParallel: false,
  // as in vitest.config.ts; Playwright lists what needed it as flaky
  retries: Number(process.env.ISG_PRO_TEST_RETRIES ?? 0),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  outputDir: '../../out/e2e/results',
  reporter: [['list']],
  forbidOnly: true,
});
