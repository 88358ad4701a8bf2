import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getAppUpdatePublishConfiguration } from 'app-builder-lib/out/publish/PublishManager.js';
import type { AfterPackContext } from 'electron-builder';
import { stringify } from 'yaml';

/**
 * Called by electron-builder (electron-builder.yml) between packing and signing. Writes resources/app-update.yml, without which
 * an installed application can fetch no update, and in which Windows finds whose signature an update must bear. electron-builder
 * writes it only when it packs and builds installers in one go; here installers are built afterwards from what was packed.
 */
export async function afterPack({ packager, arch, appOutDir }: AfterPackContext): Promise<void> {
  const feed = await getAppUpdatePublishConfiguration(packager, null, arch, false);
  if (feed === null) throw new Error('electron-builder.yml: publish is missing, and with it app-update.yml.');
  await writeFile(join(packager.getResourcesDir(appOutDir), 'app-update.yml'), stringify(feed));
}
