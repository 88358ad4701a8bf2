import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where the script for "after install" is put before a deb is built; electron-builder.yml names it. */
export const AFTER_INSTALL = 'out/deb/after-install.sh';
/** What electron-builder has no option for goes to fpm as it is. */
export const FPM_SCRIPTS = ['--before-install=build/deb/preinst.sh', '--before-remove=build/deb/prerm.sh'];
/** Our part of what runs after an installation. */
export const OWN_AFTER_INSTALL = 'build/deb/postinst.sh';

/**
 * electron-builder's script for "after install" with ours at its end: naming one of our own would replace it, and with it the
 * rights of Chromium's sandbox. Pure. Throws when its script may end before ours is reached.
 */
export function appendAfterInstall(template: string, own: string): string {
  if (/^\s*(exit|exec|set -e)\b/m.test(template))
    throw new Error(
      "electron-builder's script for deb's after-install may end early now: look at build/package/deb-scripts.ts.",
    );
  return `${template.trimEnd()}\n\n${own}`;
}

/** Writes the script below `root`. */
export async function writeAfterInstall(root: string): Promise<void> {
  const builder = dirname(createRequire(import.meta.url).resolve('app-builder-lib/package.json'));
  const template = await readFile(join(builder, 'templates/linux/after-install.tpl'), 'utf8');
  const own = await readFile(join(root, OWN_AFTER_INSTALL), 'utf8');
  const file = join(root, AFTER_INSTALL);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, appendAfterInstall(template, own));
}
