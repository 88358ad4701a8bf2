/** One machine to build for, in Node's words. */
export interface PackageTarget {
  platform: 'linux' | 'darwin' | 'win32';
  arch: 'x64' | 'arm64';
}

/** electron-builder's word for the platform in `${os}`. */
const OS_WORDS = { linux: 'linux', darwin: 'mac', win32: 'win' } as const;

/** Folder name of what belongs to one target, as `${os}-${arch}` in electron-builder.yml. */
export function targetName({ platform, arch }: PackageTarget): string {
  return `${OS_WORDS[platform]}-${arch}`;
}

/** The machine this runs on. Throws for one that nothing is built for. */
export function hostTarget(platform: string = process.platform, arch: string = process.arch): PackageTarget {
  if (platform !== 'linux' && platform !== 'darwin' && platform !== 'win32') {
    throw new Error(`Packages are built on Linux, macOS and Windows, not on ${platform}.`);
  }
  if (arch !== 'x64' && arch !== 'arm64') throw new Error(`Packages are built for x64 and arm64, not for ${arch}.`);
  return { platform, arch };
}

/** Name of a program on that platform. */
export function programFile(name: string, { platform }: PackageTarget): string {
  return platform === 'win32' ? `${name}.exe` : name;
}
