import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, chromium, type Page } from '@playwright/test';
import react from '@vitejs/plugin-react';
import { build, preview } from 'vite';
import { SCREENS } from '../../../renderer/state/route.ts';
import { SCENES } from '../../support/fake-bridge-scenes.ts';

/**
 * Photographs the window over the fake bridge: any screens × scenes × themes × sizes, as PNGs in out/gallery/shots, which
 * git ignores. Also says where something is wider than the window, and with `--axe` what accessibility rules are broken.
 *
 *   node test/e2e/gallery/shoot.ts --screens overview,cluster --scenes calm,problems --themes light --sizes 1024x700
 *
 * Chromium is CHROMIUM_PATH, or where Linux distributions put it.
 */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const list = { type: 'string', multiple: true } as const;
const { values } = parseArgs({
  options: {
    screens: list,
    scenes: list,
    themes: list,
    sizes: list,
    out: { type: 'string' },
    'no-build': { type: 'boolean' },
    full: { type: 'boolean' },
    axe: { type: 'boolean' },
    // what the screens are opened with, e.g. `guide=open`
    with: { type: 'string' },
  },
});
const chosen = (given: string[] | undefined, all: readonly string[]): string[] =>
  given === undefined ? [...all] : given.flatMap((text) => text.split(','));

const outDir = here('../../../out/gallery/page');
const shots = values.out ?? here('../../../out/gallery/shots');
const site = { root: here('.'), base: './', configFile: false as const, logLevel: 'warn' as const, plugins: [react()] };

interface Shot {
  url: string;
  screen: string;
  scene: string;
  theme: string;
  size: string;
}

async function examine(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  for (const { id, impact, nodes } of violations) {
    process.stdout.write(`${name}: ${impact} ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}\n`);
  }
}

async function shoot(browser: Browser, { url, screen, scene, theme, size }: Shot): Promise<void> {
  const [width = 1180, height = 760] = size.split('x').map(Number);
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme === 'dark' ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const name = `${screen}-${scene}-${theme}-${size}`;
  page.on('pageerror', (error) => process.stdout.write(`${name}: ${error.message}\n`));
  page.on('console', (message) => {
    if (message.type() === 'error') process.stdout.write(`${name}: console: ${message.text()}\n`);
  });
  await page.goto(`${url}?scene=${scene}#/${screen}${values.with === undefined ? '' : `?${values.with}`}`);
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(400);
  if (values.full) {
    const tall = await page.evaluate(() => {
      const main = document.querySelector('main');
      return main ? main.scrollHeight - main.clientHeight : 0;
    });
    await page.setViewportSize({ width, height: height + tall });
  }
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    const main = document.querySelector('main');
    return root.scrollWidth > root.clientWidth || (main !== null && main.scrollWidth > main.clientWidth);
  });
  if (wide) process.stdout.write(`${name}: wider than the window\n`);
  if (values.axe) await examine(page, name);
  await page.screenshot({ path: join(shots, `${name}.png`) });
  await context.close();
}

if (!values['no-build']) await build({ ...site, build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 4_000 } });
const server = await preview({ ...site, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } });
const url = server.resolvedUrls?.local[0] ?? '';
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
await mkdir(shots, { recursive: true });
let count = 0;
for (const size of chosen(values.sizes, ['1180x760'])) {
  for (const theme of chosen(values.themes, ['light', 'dark'])) {
    for (const scene of chosen(values.scenes, SCENES)) {
      for (const screen of chosen(values.screens, SCREENS)) {
        await shoot(browser, { url, screen, scene, theme, size });
        count += 1;
      }
    }
  }
}
await browser.close();
await server.close();
process.stdout.write(`${count} pictures in ${shots}\n`);
