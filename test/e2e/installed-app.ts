import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses';
import { hostTarget } from '../../build/package/target.ts';
import { type UnpackedApp, unpackedApp } from '../../build/package/unpacked-app.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OUT = join(ROOT, 'out/package');

/** Builds what would be installed, by the script that users of this repository call. */
export function packageApp(): UnpackedApp {
  execFileSync(process.execPath, [join(ROOT, 'build/package.ts'), '--dir'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return unpackedApp(OUT, hostTarget());
}

/**
 * A copy of it that may be tested: named a test build, so that it runs without sandbox and with the agent's Node of the tests,
 * and with the one fuse back by which the test looks into main. Everything else is what would be installed.
 */
export async function makeTestBuild(app: UnpackedApp): Promise<UnpackedApp> {
  const folder = join(OUT, 'test-build');
  rmSync(folder, { recursive: true, force: true });
  cpSync(app.folder, folder, { recursive: true, verbatimSymlinks: true });
  const inCopy = (path: string) => join(folder, path.slice(app.folder.length));
  const copy = { folder, executable: inCopy(app.executable), resources: inCopy(app.resources) };
  writeFileSync(join(copy.resources, 'test-build.json'), '{}\n');
  await flipFuses(copy.executable, { version: FuseVersion.V1, [FuseV1Options.EnableNodeCliInspectArguments]: true });
  return copy;
}
