import { isAbsolute, join, resolve } from 'node:path';
import { defaultConfigPath, defaultDataDir, parseConfigFile } from '../../agent/contract/index.ts';

/** Where this run keeps its things, and how it starts. All paths are absolute. */
export interface AppLocations {
  /** The agent's data folder. */
  dataDir: string;
  configPath: string;
  /** main.log and the agent's agent.log. */
  logFolder: string;
  /** Chromium's own files. One per data folder, so that each data folder has one application. */
  profileDir: string;
  /** Start without window. */
  isHidden: boolean;
}

/** What the locations depend on. */
export interface LaunchFacts {
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  homeDir: string;
  cwd: string;
  /** null when there is no such file or it cannot be read. */
  readText(path: string): string | null;
}

/**
 * Flags `--config`, `--data-dir`, `--hidden`, then ISG_PRO_CONFIG and ISG_PRO_DATA_DIR, then the user's application data.
 * Without a named config.ini: the one in the data folder, else the vendor's if there is one, else a new one in the data
 * folder. A data folder that nobody named may be set by `data-dir` of config.ini, as for the headless node, whose lock then
 * keeps the two apart; a change of that key counts from the next start of the application.
 */
export function findLocations(facts: LaunchFacts): AppLocations {
  const { argv, env, platform, homeDir, cwd } = facts;
  const absolute = (path: string) => (isAbsolute(path) ? path : resolve(cwd, path));
  const host = { platform, homeDir, env, isService: false };
  const namedDir = flagValue(argv, 'data-dir') ?? (env.ISG_PRO_DATA_DIR || undefined);
  const baseDir = absolute(namedDir ?? defaultDataDir(host));
  const configPath = findConfig(facts, baseDir, defaultConfigPath(host));
  const configuredDir = namedDir === undefined ? dataDirOf(facts.readText(absolute(configPath))) : undefined;
  const dataDir = configuredDir === undefined ? baseDir : absolute(configuredDir);
  return {
    dataDir,
    configPath: absolute(configPath),
    logFolder: join(dataDir, 'logs'),
    profileDir: join(baseDir, 'desktop'),
    isHidden: argv.includes('--hidden'),
  };
}

function findConfig(facts: LaunchFacts, baseDir: string, vendors: string): string {
  const named = flagValue(facts.argv, 'config') ?? (facts.env.ISG_PRO_CONFIG || undefined);
  if (named !== undefined) return named;
  const own = join(baseDir, 'config.ini');
  return facts.readText(own) === null && facts.readText(vendors) !== null ? vendors : own;
}

function dataDirOf(configText: string | null): string | undefined {
  const { entries } = parseConfigFile(configText ?? '');
  return entries.find(({ key }) => key === 'data-dir')?.value || undefined;
}

/** `--name value` or `--name=value`. Chromium's own switches stand among ours. */
function flagValue(argv: readonly string[], name: string): string | undefined {
  const inline = argv.find((argument) => argument.startsWith(`--${name}=`));
  if (inline !== undefined) return inline.slice(name.length + 3) || undefined;
  const index = argv.indexOf(`--${name}`);
  const value = index < 0 ? undefined : argv[index + 1];
  return value === undefined || value === '' || value.startsWith('--') ? undefined : value;
}
