import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { writeAfterInstall } from './package/deb-scripts.ts';
import { type FeedFile, feedFileName, feedProblems, mergeFeeds, readFeed } from './package/feed-files.ts';
import { fetchFfmpeg } from './package/fetch-ffmpeg.ts';
import { FFMPEG_BUILDS } from './package/ffmpeg-builds.ts';
import { folderSize, judgeSizes, SIZE_BUDGETS } from './package/folder-size.ts';
import { readFuses } from './package/fuses.ts';
import { layOutRuntime, shippedPrograms } from './package/runtime-files.ts';
import { bundledPackages, installedPackages, listOfParts, sbomSchema } from './package/sbom.ts';
import { hostTarget, targetName } from './package/target.ts';
import { unpackedApp } from './package/unpacked-app.ts';

/**
 * `npm run package -- [--dir] [--ffmpeg FOLDER | --fetch-ffmpeg] [--release]`: builds the application for the platform this runs on into
 * out/package. First unpacked, with sizes and fuses looked at and a list of parts (CycloneDX), then its installers.
 * `--dir` stops before the installers. ffmpeg comes from the folder named, or is fetched (`ffmpeg-builds.ts`), else is this
 * machine's, for trying. `--release` demands all installers, signatures, and an ffmpeg from a folder or one that is pinned; without it an
 * installer whose tools cannot be had is named and passed over.
 */
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const OUT = join(ROOT, 'out/package');
const INSTALLERS = { linux: ['AppImage', 'deb'], darwin: ['dmg', 'pkg', 'zip'], win32: ['nsis'] } as const;
const OS_FLAG = { linux: '--linux', darwin: '--mac', win32: '--win' } as const;

const { values: flags } = parseArgs({
  options: {
    dir: { type: 'boolean', default: false },
    release: { type: 'boolean', default: false },
    ffmpeg: { type: 'string' },
    'fetch-ffmpeg': { type: 'boolean', default: false },
  },
});

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  devDependencies: { electron: string };
};
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Runs a program of node_modules with this Node; throws with its name when it fails. */
function runTool(script: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd: ROOT, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${script} ended with ${code}.`))));
  });
}

/** An Electron that lies on this machine is taken instead of a download; its own version is then the truth. */
async function chooseElectron(): Promise<{ version: string; options: string[] }> {
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (!dist) return { version: manifest.devDependencies.electron, options: [] };
  if (flags.release)
    throw new Error('A release is built on the Electron of package.json: unset ELECTRON_OVERRIDE_DIST_PATH.');
  const version = (await readFile(join(dist, 'version'), 'utf8')).trim().replace(/^v/, '');
  say(`electron: ${version} of ${dist}`);
  return { version, options: [`-c.electronDist=${dist}`, `-c.electronVersion=${version}`] };
}

const target = hostTarget();
const electron = await chooseElectron();

async function buildTarget(kind: string, more: readonly string[]): Promise<void> {
  const options = ['--config', 'electron-builder.yml', '--publish', 'never', ...electron.options, ...more];
  const signing = flags.release ? ['-c.forceCodeSigning=true'] : [];
  await runTool('electron-builder/cli.js', [
    OS_FLAG[target.platform],
    kind,
    `--${target.arch}`,
    ...options,
    ...signing,
  ]);
}

async function lookAtResult(): Promise<void> {
  const app = unpackedApp(OUT, target);
  const sizes = new Map<string, number>();
  for (const { part } of SIZE_BUDGETS)
    sizes.set(part, await folderSizeOrFile(part === '.' ? app.folder : join(app.resources, part)));
  const { lines, isWithin } = judgeSizes(sizes);
  for (const line of lines) say(line);
  if (!isWithin)
    throw new Error('A part is above its size budget (build/package/folder-size.ts): look at what came in.');
  for (const [name, state] of await readFuses(app.executable)) say(`fuse ${name}: ${state}`);
}

/** What is inside, as CycloneDX: the lock file's packages that are, and the programs. */
async function listParts(): Promise<void> {
  const file = join(OUT, 'sbom.cdx.json');
  const cli = '@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js';
  await runTool(cli, ['--package-lock-only', '--output-reproducible', '--output-file', file]);
  const { resources } = unpackedApp(OUT, target);
  const shipped = [
    ...(await installedPackages(join(resources, 'app.asar.unpacked/node_modules'))),
    ...(await bundledPackages(join(ROOT, 'out/bundled'))),
  ];
  const programs = [
    { name: 'electron', version: electron.version },
    { name: 'node', version: process.versions.node },
    ...(await shippedPrograms(join(resources, 'ffmpeg'), target)),
  ];
  const parts = listOfParts(sbomSchema.parse(JSON.parse(await readFile(file, 'utf8'))), shipped, programs);
  await writeFile(file, `${JSON.stringify(parts, null, 2)}\n`);
  say(`parts: ${parts.components.length}`);
}

async function folderSizeOrFile(path: string): Promise<number> {
  if (path.endsWith('.asar')) return (await readFile(path)).byteLength;
  return await folderSize(path);
}

async function readYaml(file: string): Promise<unknown> {
  if (!existsSync(file)) return null;
  return parse(await readFile(file, 'utf8'));
}

/** One after the other: the deb is told by a file among the resources, which must not get into the AppImage. */
async function buildInstallers(): Promise<string[]> {
  const missing: string[] = [];
  if (target.platform === 'linux') await writeAfterInstall(ROOT);
  const feedFile = join(OUT, feedFileName(target));
  const feeds: FeedFile[] = [];
  // there may be one of the other kind of Mac
  const noteFeed = async () => {
    const feed = readFeed(await readYaml(feedFile));
    if (feed !== null) feeds.push(feed);
    await rm(feedFile, { force: true });
  };
  await noteFeed();
  for (const kind of INSTALLERS[target.platform]) {
    try {
      await buildTarget(kind, [`--prepackaged=${unpackedApp(OUT, target).folder}`]);
    } catch (thrown) {
      if (flags.release) throw thrown;
      missing.push(kind);
    }
    await noteFeed();
  }
  const feed = mergeFeeds(feeds, (url) => existsSync(join(OUT, url)));
  if (feed !== null) {
    await writeFile(feedFile, stringify(feed));
    say(`feed: ${feedFileName(target)} and ${feed.files.map(({ url }) => url).join(', ')}`);
  }
  return missing;
}

/** A release that cannot be updated from would stay for ever where it was installed. */
async function lookAtFeed(): Promise<void> {
  const problems = feedProblems(target, {
    appUpdate: await readYaml(join(unpackedApp(OUT, target).resources, 'app-update.yml')),
    feed: flags.dir ? null : readFeed(await readYaml(join(OUT, feedFileName(target)))),
    isRelease: flags.release && !flags.dir,
  });
  if (problems.length > 0) throw new Error(problems.join(' '));
}

/** Where the ffmpeg to be shipped lies; null = take this machine's. */
async function ffmpegFolder(): Promise<string | null> {
  if (flags.ffmpeg !== undefined) return flags.ffmpeg;
  if (!flags.release && !flags['fetch-ffmpeg']) return null;
  const folder = join(ROOT, 'out/ffmpeg', targetName(target));
  const archives = FFMPEG_BUILDS[targetName(target)] ?? [];
  for (const line of await fetchFfmpeg({ target, archives, folder, isRelease: flags.release })) say(line);
  return folder;
}

await runTool('vite/bin/vite.js', ['build', '--app', '--logLevel', 'warn']);
const runtime = join(ROOT, 'out/runtime', targetName(target));
for (const line of await layOutRuntime({ target, folder: runtime, ffmpegFolder: await ffmpegFolder() })) say(line);
await buildTarget('dir', []);
await lookAtResult();
await listParts();
const missing = flags.dir ? [] : await buildInstallers();
await lookAtFeed();
await writeFile(join(OUT, 'not-built.txt'), missing.map((kind) => `${kind}\n`).join(''));
say(`built: ${unpackedApp(OUT, target).folder}`);
if (missing.length > 0) say(`NOT built, because their tools could not be had (see above): ${missing.join(', ')}`);
