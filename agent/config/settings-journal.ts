import type { Logger } from '../runtime/logger.ts';
import { clusterOnlyInNode, type ResolvedSetting } from './precedence.ts';
import { tierChange } from './setting-changes.ts';

/** Writes each change of the resolved settings into the log, in one sentence, whichever tier it came from. */
export class SettingsJournal {
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  #last: Readonly<Record<string, ResolvedSetting>> | null = null;
  #refused: readonly string[] = [];

  constructor(log: Pick<Logger, 'info' | 'warn'>) {
    this.#log = log;
  }

  /** Takes note of what counts now; the first time only what is wrong is told. `node` are the node's settings in iconik. */
  note(settings: Readonly<Record<string, ResolvedSetting>>, node: Readonly<Record<string, unknown>> | null): void {
    for (const [name, after] of Object.entries(settings)) {
      const before = this.#last?.[name];
      if (before === undefined) for (const words of after.ignored) this.#log.warn(`${words} and has no effect`);
      const words = before === undefined ? null : tierChange(name, before, after);
      if (words !== null) this.#log.info(words, { setting: name, value: after.value, wonBy: after.wonBy });
    }
    this.#last = settings;
    const refused = clusterOnlyInNode(node);
    for (const words of refused) if (!this.#refused.includes(words)) this.#log.warn(words);
    this.#refused = refused;
  }
}
