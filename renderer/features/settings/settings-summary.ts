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
