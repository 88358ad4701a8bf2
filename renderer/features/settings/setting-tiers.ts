import type { SettingRow } from '../../../agent/contract/index.ts';
import { resolveTiers, TIERS } from '../../../agent/contract/precedence.ts';

/** Who may say a value, as the contract spells it. */
export type Tier = SettingRow['wonBy'];
/** Tiers that people may edit. */
export type EditableTier = Exclude<Tier, 'default'>;

/** Tiers as people read them. */
export const TIER_WORDS: Readonly<Record<Tier, string>> = {
  'config.ini': 'config.ini',
  node: 'This node in iconik',
  cluster: 'Cluster in iconik',
  default: 'Built-in default',
};

/** Texts typed into the tiers of one setting; an empty text removes the value from that tier. */
export type TierEdits = Partial<Record<EditableTier, string>>;

/** What a typed text comes to. */
export type ParsedValue = { kind: 'value'; value: number } | { kind: 'removed' } | { kind: 'wrong'; problem: string };

/** One column of an unfolded setting. */
export interface TierCell {
  tier: Tier;
  /** False: this tier may never hold the setting (visibility_timeout outside the cluster). */
  isAllowed: boolean;
  /** The saved value; null = not set here. */
  saved: number | null;
  /** Text in the field: what was typed, else the saved value. */
  text: string;
  isChanged: boolean;
  /** Why the typed text is refused; null when it is fine. */
  problem: string | null;
  /** Whether it would count after saving. */
  wins: boolean;
  /** The stronger tier that would beat it; null when it wins or says nothing. */
  beatenBy: Tier | null;
}

/** The key of config.ini that holds a setting: iconik's name in kebab-case. */
export const configKeyOf = (settingName: string): string => settingName.replaceAll('_', '-');

/** The value a tier holds now; null when it holds none. */
export function savedValue(row: SettingRow, tier: Tier): number | null {
  if (row.wonBy === tier) return row.value;
  return row.beaten.find((said) => said.tier === tier)?.value ?? null;
}

/** Reads a typed text with the range the agent applies; nothing else counts as a value. */
export function parseTierText(row: SettingRow, text: string): ParsedValue {
  const trimmed = text.trim();
  if (trimmed === '') return { kind: 'removed' };
  const value = Number(trimmed);
  if (/^\+?\d+$/.test(trimmed) && value >= row.min && value <= row.max) return { kind: 'value', value };
  const unit = row.unit === '' ? '' : ` ${row.unit}`;
  return { kind: 'wrong', problem: `Must be a whole number from ${row.min} to ${row.max}${unit}.` };
}

/** The edit that a typed text makes: undefined when it says what is saved already. */
export function editOf(row: SettingRow, tier: EditableTier, text: string): string | undefined {
  const parsed = parseTierText(row, text);
  const saved = savedValue(row, tier);
  if (parsed.kind === 'removed') return saved === null ? undefined : '';
  return parsed.kind === 'value' && parsed.value === saved ? undefined : text;
}

interface DraftTier {
  tier: Tier;
  value: number | null;
  problem: string | null;
}

function draftTier(row: SettingRow, edits: TierEdits, tier: Tier): DraftTier {
  const saved = savedValue(row, tier);
  const typed = tier === 'default' ? undefined : edits[tier];
  if (typed === undefined) return { tier, value: saved, problem: null };
  const parsed = parseTierText(row, typed);
  if (parsed.kind === 'wrong') return { tier, value: saved, problem: parsed.problem };
  return { tier, value: parsed.kind === 'value' ? parsed.value : null, problem: null };
}

/** What would count once the edits are saved. A refused text counts as not typed. */
export function effectiveAfter(row: SettingRow, edits: TierEdits): { value: number; wonBy: Tier } {
  const standard = savedValue(row, 'default');
  // the agent names the default as winner or beaten; without it there is nothing better to say than what counts now
  const range = { default: standard ?? row.value, min: row.min, max: row.max };
  const said = TIERS.filter((tier) => tier !== 'default').map((tier) => ({
    tier,
    value: draftTier(row, edits, tier).value,
  }));
  const { value, wonBy } = resolveTiers(row.name, range, said);
  return { value, wonBy: standard === null && wonBy === 'default' ? row.wonBy : wonBy };
}

/** The four columns of an unfolded setting, strongest first. */
export function tierCells(row: SettingRow, edits: TierEdits): TierCell[] {
  const { wonBy } = effectiveAfter(row, edits);
  return TIERS.map((tier) => {
    const { value, problem } = draftTier(row, edits, tier);
    const saved = savedValue(row, tier);
    const typed = tier === 'default' ? undefined : edits[tier];
    return {
      tier,
      isAllowed: tier === 'default' || row.tiers.includes(tier),
      saved,
      text: typed ?? (saved === null ? '' : String(saved)),
      isChanged: typed !== undefined,
      problem,
      wins: tier === wonBy,
      beatenBy: value === null || tier === wonBy ? null : wonBy,
    };
  });
}

/** Why a tier may not hold a setting, in one sentence. */
export function whyNotAllowed(row: SettingRow): string {
  return row.tiers.every((tier) => tier === 'cluster' || tier === 'default')
    ? 'Only the cluster may hold it: all nodes must use one value.'
    : 'This tier may not hold it.';
}
