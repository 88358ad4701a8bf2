import { defineConfig } from '@playwright/test';

/** Electron end-to-end tests: one worker, because each spec runs an application, a cluster and an iconik of its own. */
export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  workers: 1,
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  outputDir: '../../out/e2e/results',
  reporter: [['list']],
  forbidOnly: true,
});
