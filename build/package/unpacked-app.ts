import { join } from 'node:path';
import type { PackageTarget } from './target.ts';

/** Where the parts of an unpacked application lie. */
export interface UnpackedApp {
  folder: string;
  executable: string;
  resources: string;
}

/** The application that electron-builder leaves in its output folder for this target. */
export function unpackedApp(output: string, { platform, arch }: PackageTarget): UnpackedApp {
  const suffix = arch === 'x64' ? '' : `-${arch}`;
  if (platform === 'darwin') {
    const folder = join(output, `mac${suffix}`, 'ISG Pro.app');
    return {
      folder,
      executable: join(folder, 'Contents/MacOS/ISG Pro'),
      resources: join(folder, 'Contents/Resources'),
    };
  }
  const folder = join(output, `${platform === 'win32' ? 'win' : 'linux'}${suffix}-unpacked`);
  const executable = join(folder, platform === 'win32' ? 'ISG Pro.exe' : 'isg-pro');
  return { folder, executable, resources: join(folder, 'resources') };
}
