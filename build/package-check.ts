import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configProblems, namedFiles, namedScripts } from './package/check-config.ts';
import { installerProblems } from './package/check-installer.ts';
import { harness } from './package/installer-harness.ts';
import { readPackageConfig } from './package/read-config.ts';

/** `npm run package:check`: validates the packaging of Windows, macOS and Linux without building. Exit code 1 when something is wrong. */
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Entitlements are property lists; a broken one fails only on Apple's servers. */
function plistProblems(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const keys = [...text.matchAll(/<key>([^<]+)<\/key>\s*<(true|false)\/>/g)].map(([, key]) => key);
  if (!text.includes('<plist version="1.0">') || keys.length === 0)
    return [`${path}: is not a property list with keys.`];
  return keys.includes('com.apple.security.cs.disable-library-validation')
    ? [`${path}: foreign libraries must not be loaded.`]
    : [];
}

/** The NSIS part, compiled by makensis where there is one. Answers what was done, and what is wrong. */
function compileInstallerPart(path: string): { done: string; problems: string[] } {
  if (spawnSync('makensis', ['-VERSION']).error !== undefined)
    return { done: 'not compiled: there is no makensis', problems: [] };
  const folder = mkdtempSync(join(tmpdir(), 'isg-pro-nsis-'));
  try {
    const script = join(folder, 'installer.nsi');
    writeFileSync(script, harness(join(ROOT, path), join(folder, 'out.exe')));
    execFileSync('makensis', ['-V2', '-WX', script], { stdio: 'pipe' });
    return { done: 'compiled', problems: [] };
  } catch (thrown) {
    const said = thrown instanceof Error && 'stdout' in thrown ? String(thrown.stdout) : String(thrown);
    return { done: 'compiled', problems: [`${path}: ${said.trim()}`] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { config, problems } = await readPackageConfig(join(ROOT, 'electron-builder.yml'));
if (config !== null) {
  problems.push(...configProblems(config));
  for (const file of namedFiles(config)) if (!existsSync(join(ROOT, file))) problems.push(`${file} does not exist.`);
  // Windows knows no such right
  const scripts = process.platform === 'win32' ? [] : namedScripts(config);
  for (const file of scripts.filter((name) => existsSync(join(ROOT, name))))
    if ((statSync(join(ROOT, file)).mode & 0o111) !== 0o111) problems.push(`${file} has to be executable.`);
  for (const file of [config.mac.entitlements, config.mac.entitlementsInherit]) problems.push(...plistProblems(file));
  const { done, problems: found } = compileInstallerPart(config.nsis.include);
  say(`${config.nsis.include}: ${done}`);
  problems.push(...found, ...installerProblems(readFileSync(join(ROOT, config.nsis.include), 'utf8')));
}
if (existsSync(join(ROOT, 'out/package/linux-unpacked/resources/test-build.json')))
  problems.push('out/package holds a test build.');
for (const problem of problems) say(`WRONG ${problem}`);
say(problems.length === 0 ? 'Windows, macOS and Linux: the configuration is valid.' : `${problems.length} problems.`);
process.exitCode = problems.length === 0 ? 0 : 1;
