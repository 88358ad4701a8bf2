import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { iconFiles } from './icons/tool/icon-files.ts';

/** Makes every icon of the application from `icons/isg-pro.svg`: `node build/make-icons.ts`. The files are committed. */
const folder = new URL('./icons/', import.meta.url);
for (const [path, bytes] of iconFiles(readFileSync(new URL('isg-pro.svg', folder), 'utf8'))) {
  const file = new URL(path, folder);
  mkdirSync(dirname(file.pathname), { recursive: true });
  writeFileSync(file, bytes);
}
