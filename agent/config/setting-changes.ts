import { CONFIG_WORDS, type ConfigKey, configEffect, isSecretValue, type SaidSetting } from '../contract/index.ts';
import { type ResolvedSetting, TIERS, type Tier } from './precedence.ts';

/** The sentences of changed settings for the log: what counts now, who said it, and whom it beats. Pure. */

const saidBy = (setting: ResolvedSetting, tier: Tier): number | null =>
  setting.wonBy === tier ? setting.value : (setting.beaten.find((said) => said.tier === tier)?.value ?? null);

const valueWords = (value: number | null): string => (value === null ? 'not set' : String(value));

function changedTiers(before: ResolvedSetting, after: ResolvedSetting): string[] {
  return TIERS.flatMap((tier) => {
    const [was, is] = [saidBy(before, tier), saidBy(after, tier)];
    return was === is ? [] : [`${tier} changed from ${valueWords(was)} to ${valueWords(is)}`];
  });
}

/** One sentence about a setting that several tiers may hold; null when no tier says anything else than before. */
export function tierChange(name: string, before: ResolvedSetting, after: ResolvedSetting): string | null {
  const changed = changedTiers(before, after);
  const unusable = after.ignored.filter((words) => !before.ignored.includes(words));
  if (changed.length === 0 && unusable.length === 0) return null;
  const beaten = after.beaten.map(({ tier, value }) => `${tier} (${value})`);
  const beats = beaten.length === 0 ? '' : `, which beats ${beaten.join(', ')}`;
  const verb = before.value === after.value ? 'stays' : 'is now';
  const why = [...changed, ...unusable.map((words) => `${words} and has no effect`)].join('; ');
  return `${name} ${verb} ${after.value}, said by ${after.wonBy}${beats}: ${why}`;
}

/** What config.ini says, by key. */
export type SaidKeys = ReadonlyMap<string, SaidSetting>;

/** One sentence about each key of config.ini outside `tunables` that was changed; secrets are never repeated. */
export function keyChanges(before: SaidKeys, after: SaidKeys, fixedByFlag: ReadonlySet<string>): string[] {
  return (Object.keys(CONFIG_WORDS) as ConfigKey[]).flatMap((key) => {
    const [was, is] = [before.get(key)?.text, after.get(key)?.text];
    if (was === is || isTierKey(key)) return [];
    const standard = CONFIG_WORDS[key].default;
    const words = (text: string | undefined): string => {
      if (text === undefined) return standard === '' ? 'not set' : `the default (${standard})`;
      return isSecretValue(key, text) ? 'a value that is not shown' : text;
    };
    const source =
      is === undefined ? 'since config.ini no longer says it' : `said by config.ini${beatsDefault(standard)}`;
    const change = `${key} is now ${words(is)}, ${source}; it was ${words(was)}`;
    return [`${change}. ${fixedByFlag.has(key) ? FIXED : EFFECT_WORDS[configEffect(key)]}`];
  });
}

const beatsDefault = (standard: string): string => (standard === '' ? '' : `, which beats the default (${standard})`);

const FIXED = 'It has no effect: the command line says the value.';
const EFFECT_WORDS = {
  live: 'It counts from now on.',
  restart: 'It counts from the next start of this agent; until then the old value does.',
  'program-start': 'It counts from the next start of the program; until then the old value does.',
  none: 'It has no effect in this program.',
} as const;

/** Tunables are told with all their tiers. */
const TIER_KEYS: ReadonlySet<string> = new Set<ConfigKey>([
  'checksum-max-workers',
  'scanner-concurrency-value',
  'file-download-parallel-downloads-num',
  'file-upload-parallel-uploads-num',
  'max-transcoding-jobs',
]);
const isTierKey = (key: string): boolean => TIER_KEYS.has(key);
