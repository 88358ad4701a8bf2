import { AFTER_INSTALL, FPM_SCRIPTS, OWN_AFTER_INSTALL } from './deb-scripts.ts';
import type { PackageConfig } from './read-config.ts';

/** Fuses as they have to be in a release: nobody makes the application run another program under its name and rights. */
const FUSES = {
  runAsNode: false,
  enableCookieEncryption: true,
  enableNodeOptionsEnvironmentVariable: false,
  enableNodeCliInspectArguments: false,
  enableEmbeddedAsarIntegrityValidation: true,
  onlyLoadAppFromAsar: true,
  loadBrowserProcessSpecificV8Snapshot: false,
  grantFileProtocolExtraPrivileges: false,
} as const;

/** What has to be built for whom. */
const TARGETS = { win: ['nsis'], mac: ['dmg', 'pkg', 'zip'], linux: ['AppImage', 'deb'] } as const;
/** Both kinds of Mac, from their own disk images. */
const MAC_ARCHS = ['x64', 'arm64'];

/** Files that the configuration names in the repository; each has to exist. Pure. */
export function namedFiles(config: PackageConfig): string[] {
  const { win, mac, linux, nsis, afterPack } = config;
  const icons = [win.icon, mac.icon, linux.icon];
  return [
    ...icons,
    mac.entitlements,
    mac.entitlementsInherit,
    nsis.include,
    afterPack,
    OWN_AFTER_INSTALL,
    ...namedScripts(config),
  ];
}

/** Scripts that installers run by themselves; each has to be executable. Pure. */
export function namedScripts({ pkg, deb }: PackageConfig): string[] {
  const ofPkg = ['preinstall', 'postinstall'].map((name) => `build/${pkg.scripts}/${name}`);
  return [...ofPkg, ...deb.fpm.flatMap((option) => option.split('=').slice(1))];
}

/** What is wrong with the configuration for any platform, in words; empty when a release may be built from it. Pure. */
export function configProblems(config: PackageConfig): string[] {
  return [
    ...fuseProblems(config),
    ...targetProblems(config),
    ...contentProblems(config),
    ...platformProblems(config),
    ...scriptProblems(config),
  ];
}

function fuseProblems({ electronFuses }: PackageConfig): string[] {
  return Object.entries(FUSES).flatMap(([name, wanted]) =>
    electronFuses[name] === wanted ? [] : [`electronFuses.${name} has to be ${wanted}.`],
  );
}

function targetProblems(config: PackageConfig): string[] {
  const missing = (['win', 'mac', 'linux'] as const).flatMap((os) => {
    const built = new Set(config[os].target.map(({ target }) => target));
    return TARGETS[os].filter((kind) => !built.has(kind)).map((kind) => `${os}: ${kind} is not built.`);
  });
  const halves = config.mac.target.filter(({ arch }) => MAC_ARCHS.some((one) => !arch.includes(one as 'x64')));
  return [...missing, ...halves.map(({ target }) => `mac: ${target} has to be built for x64 and arm64.`)];
}

function contentProblems({ files, asarUnpack, extraResources, publish }: PackageConfig): string[] {
  const problems: string[] = [];
  const all = JSON.stringify([files, extraResources]);
  if (all.includes('test-build')) problems.push('A release must not hold test-build.json.');
  for (const part of ['out/agent/**', 'node_modules/**']) {
    if (!asarUnpack.includes(part)) problems.push(`asarUnpack: ${part} is run by Node, which does not read archives.`);
  }
  for (const part of ['out/main/**', 'out/preload/**', 'out/renderer/**', 'out/agent/**', 'package.json']) {
    if (!files.includes(part)) problems.push(`files: ${part} is missing.`);
  }
  if (!publish.url.startsWith('https://')) problems.push('publish.url: updates come by https only.');
  return problems;
}

function platformProblems({ nsis, mac }: PackageConfig): string[] {
  const problems: string[] = [];
  if (!nsis.perMachine) problems.push('nsis.perMachine: a node is a machine’s, not a person’s.');
  if (nsis.deleteAppDataOnUninstall)
    problems.push('nsis.deleteAppDataOnUninstall: data is removed only on request (/remove-data).');
  if (!mac.hardenedRuntime) problems.push('mac.hardenedRuntime: without it the application cannot be notarised.');
  return problems;
}

// Files replaced under a running service make a mixture of versions; a removed program a service that is started for ever.
function scriptProblems({ deb }: PackageConfig): string[] {
  const problems = FPM_SCRIPTS.filter((option) => !deb.fpm.includes(option)).map(
    (option) => `deb.fpm: ${option} is missing: a running service would not be stopped.`,
  );
  if (deb.afterInstall !== AFTER_INSTALL)
    problems.push(`deb.afterInstall: ${AFTER_INSTALL} starts the service again after an upgrade.`);
  return problems;
}
