import { type ConfigEffect, configEffect } from '../../../agent/contract/config-effects.ts';
import type { ConfigKey } from '../../../agent/contract/config-keys.ts';
import type { SavedState } from './use-saved-settings.ts';

/** The one sentence at the top of the settings. Pure. */
export function settingsSentence({
  rows,
  config,
  isLoading,
}: Pick<SavedState, 'rows' | 'config' | 'isLoading'>): string {
  if (rows === null && config === null) return isLoading ? 'Reading the settings.' : 'The settings cannot be read now.';
  if (rows === null) {
    return isLoading
      ? 'Reading the settings of node and cluster.'
      : 'Only config.ini can be seen and edited now; node and cluster cannot be read.';
  }
  const own = rows.filter(({ wonBy }) => wonBy !== 'default').length;
  if (own === 0) return 'All limits of this node are the built-in defaults.';
  const beaten = rows.filter(({ beaten }) => beaten.some(({ tier }) => tier !== 'default')).length;
  const set = `${own} of ${rows.length} limits of this node ${own === 1 ? 'is' : 'are'} set explicitly`;
  return beaten === 0 ? `${set}.` : `${set}, ${beaten === 1 ? 'one' : beaten} of them in more than one place.`;
}

/** How a change of a key comes to count, as the screen says it. */
export const EFFECT_WORDS: Readonly<Record<ConfigEffect, string>> = {
  live: 'Counts at once.',
  restart: 'Needs a restart of the agent.',
  'program-start': 'Counts from the next start of ISG Pro.',
  none: 'Has no effect.',
};

/** What is to be said of keys whose new value does not count yet. Pure. */
export function waitingWords(waiting: readonly string[]): { cause: string; remedy: string } {
  const isForProgram = waiting.every((key) => configEffect(key as ConfigKey) === 'program-start');
  const remedy = isForProgram
    ? 'Quit ISG Pro and start it again to use the new one.'
    : 'Restart the agent to use the new ones. All other changes count already.';
  return { cause: `The agent still runs with the old value of ${waiting.join(', ')}.`, remedy };
}
