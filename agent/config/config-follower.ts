import {
  collectSettings,
  decodeConfigBytes,
  encodeConfigText,
  isSecretValue,
  parseConfigFile,
} from '../contract/index.ts';
import type { Logger } from '../runtime/logger.ts';
import { parseFlags } from './flags.ts';
import { takeLive } from './live-config.ts';
import { hostWithText, type LoadedConfig, loadConfig, type NodeConfig } from './load-config.ts';
import { resolveTunables, TUNABLE_NAMES } from './precedence.ts';
import { keyChanges, type SaidKeys, tierChange } from './setting-changes.ts';
import { type ConfigBytes, watchConfigFile } from './watch-config-file.ts';

/** What following config.ini needs. */
export interface ConfigFollowerOptions {
  /** The configuration that the node runs with; its live fields are changed in place. */
  config: NodeConfig;
  /** Judges a text as the start did, with the same flags and environment. */
  load(text: string): LoadedConfig;
  argv: readonly string[];
  log: Logger;
  /** Names a value that must never be logged. */
  hide(secret: string): void;
}

/** A broken file may be half of one that is being written: it is told only when it stays as it is. */
const SETTLE_MS = 300;

/**
 * Keeps the running configuration in line with config.ini: what may change while the node runs does within a second, and each
 * change is logged in one sentence. A file that is wrong, half written or gone changes nothing: the last good settings go on,
 * what is wrong is told once with its lines, and so is the recovery.
 */
export class ConfigFollower {
  readonly #options: ConfigFollowerOptions;
  readonly #fixedByFlag: ReadonlySet<string>;
  readonly #listeners = new Set<() => void>();
  #said: SaidKeys;
  #told = '';
  #settle: NodeJS.Timeout | undefined;
  #end: (() => void) | null = null;

  constructor(options: ConfigFollowerOptions, said: SaidKeys) {
    this.#options = options;
    this.#fixedByFlag = new Set(Object.keys(parseFlags(options.argv).flags.settings));
    this.#said = said;
  }

  /** Calls back after each change that counts at once; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `first` is the content that the configuration was made from. */
  start(path: string, first: ConfigBytes): void {
    this.#end ??= watchConfigFile(path, first, (bytes) => this.#look(bytes, path));
  }

  stop(): void {
    clearTimeout(this.#settle);
    this.#end?.();
    this.#end = null;
  }

  #look(bytes: ConfigBytes, path: string): void {
    clearTimeout(this.#settle);
    const problems = this.#take(bytes);
    if (problems.length > 0) this.#settle = setTimeout(() => this.#tell(problems, path), SETTLE_MS).unref();
    else if (this.#told !== '') {
      this.#told = '';
      this.#options.log.info(`${path} can be used again`);
    }
  }

  /** What is wrong with the content; when nothing is, it counts from now on. */
  #take(bytes: ConfigBytes): readonly string[] {
    if (bytes === null) return ['the file is gone or cannot be read'];
    const decoded = decodeConfigBytes(bytes);
    if (decoded.kind === 'not-text') return [decoded.problem];
    const { said } = collectSettings(parseConfigFile(decoded.text));
    // before anything about it can be logged
    for (const [key, { text }] of said) if (isSecretValue(key, text)) this.#options.hide(text);
    const loaded = this.#options.load(decoded.text);
    if (loaded.kind === 'invalid') return loaded.problems;
    this.#count(loaded.config, said);
    return [];
  }

  #count(fresh: NodeConfig, said: SaidKeys): void {
    const { config, log } = this.#options;
    const before = resolveTunables({ configIni: config.tunables });
    takeLive(config, fresh);
    const after = resolveTunables({ configIni: config.tunables });
    for (const words of keyChanges(this.#said, said, this.#fixedByFlag)) log.info(words);
    this.#said = said;
    // a running node knows the other tiers and tells more
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener();
    else {
      for (const name of TUNABLE_NAMES) {
        const words = tierChange(name, before[name], after[name]);
        if (words !== null) log.info(words);
      }
    }
  }

  #tell(problems: readonly string[], path: string): void {
    const words = problems.join('\n');
    if (words === this.#told) return;
    this.#told = words;
    const list = problems.map((problem) =>
      problem.startsWith(`${path}: `) ? problem.slice(path.length + 2) : problem,
    );
    this.#options.log.error(`${path} cannot be used as it stands; the settings of before go on: ${list.join('; ')}`);
  }
}

/** What following needs beside the configuration. */
export interface FollowedFile extends Omit<ConfigFollowerOptions, 'config' | 'load'> {
  /** The text that the configuration was made from; null when flags said all. */
  text: string | null;
  env: Readonly<Record<string, string | undefined>>;
}

/** Follows the file that `config` was made from, also in what was changed since then; null when there is none. */
export function followConfigFile(config: NodeConfig, file: FollowedFile): ConfigFollower | null {
  const { text, env, ...rest } = file;
  if (config.configPath === undefined || text === null) return null;
  // a token that moves to the key store is missing only for the next start, and whoever starts the agent has it then
  const token = config.authToken.reveal();
  const load = (changed: string) => loadConfig(rest.argv, env, hostWithText(env, changed), token);
  const follower = new ConfigFollower({ config, load, ...rest }, collectSettings(parseConfigFile(text)).said);
  follower.start(config.configPath, encodeConfigText(text));
  return follower;
}
