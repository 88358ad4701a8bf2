import { isSecretValue } from '../../../agent/contract/config-keys.ts';
import type { SettingRow } from '../../../agent/contract/index.ts';
import type { ConfigConflict, ConfigEntry } from '../../../preload/contract/bridge.ts';
import { NO_PROBLEMS, relationProblems, type SortedProblems, sortProblems, typedProblem } from './config-problems.ts';
import {
  configKeyOf,
  type EditableTier,
  editOf,
  effectiveAfter,
  parseTierText,
  savedValue,
  TIER_WORDS,
  type TierEdits,
} from './setting-tiers.ts';

/** What is saved now, as last read. `rows` is null while the agent cannot say. */
export interface SavedSettings {
  rows: readonly SettingRow[] | null;
  entries: readonly ConfigEntry[];
}

/** Everything typed on the settings screen and not yet saved. */
export interface SettingsDraft {
  /** By setting name. */
  tiers: Readonly<Record<string, TierEdits>>;
  /** By key of config.ini; null removes the key. Tunables of config.ini stand in `tiers` while rows are known. */
  config: Readonly<Record<string, string | null>>;
  /** Revisions of the keys as they stood when they were first edited, by key: nobody else's edit is overwritten. */
  seen: Readonly<Record<string, string>>;
  /** What main refused at the last save; cleared key by key as they are edited. */
  problems: SortedProblems;
  /** Changes iconik refused at the last save, by change id. */
  refusals: Readonly<Record<string, string>>;
}

/** Nothing typed. */
export const EMPTY_DRAFT: SettingsDraft = {
  tiers: {},
  config: {},
  seen: {},
  problems: NO_PROBLEMS,
  refusals: {},
};

/** What happens to the draft. */
export type DraftEvent =
  | { type: 'tier-typed'; row: SettingRow; tier: EditableTier; text: string }
  | { type: 'config-typed'; entry: ConfigEntry; value: string | null }
  /** Takes the edit of a key back; for secrets, whose saved value nobody here knows. */
  | { type: 'config-reverted'; key: string }
  | { type: 'config-refused'; problems: readonly string[]; keys: readonly string[] }
  /** Somebody else changed these keys in the file meanwhile. */
  | { type: 'config-conflict'; conflicts: readonly ConfigConflict[] }
  | { type: 'change-refused'; id: string; message: string }
  | { type: 'change-saved'; change: Change }
  | { type: 'discarded' };

/** One unsaved change, as the bar lists it and as it is saved. */
export type Change =
  | {
      kind: 'config';
      id: string;
      key: string;
      value: string | null;
      from: string;
      to: string;
      where: string;
      label: string;
    }
  | {
      kind: 'tier';
      id: string;
      name: string;
      tier: 'node' | 'cluster';
      value: number | null;
      from: string;
      to: string;
      where: string;
      label: string;
    };

const NOT_SET = 'not set';

function without<Value>(record: Readonly<Record<string, Value>>, key: string): Record<string, Value> {
  const { [key]: _dropped, ...rest } = record;
  return rest;
}

function withoutProblems(problems: SortedProblems, key: string): SortedProblems {
  if (!problems.byKey.has(key)) return problems;
  return { general: problems.general, byKey: new Map([...problems.byKey].filter(([named]) => named !== key)) };
}

function typeTier(
  draft: SettingsDraft,
  { row, tier, text }: Extract<DraftEvent, { type: 'tier-typed' }>,
): SettingsDraft {
  const { [tier]: _old, ...rest } = draft.tiers[row.name] ?? {};
  const edit = editOf(row, tier, text);
  const edits: TierEdits = edit === undefined ? rest : { ...rest, [tier]: edit };
  const tiers = without(draft.tiers, row.name);
  return {
    ...draft,
    tiers: Object.keys(edits).length === 0 ? tiers : { ...tiers, [row.name]: edits },
    problems: tier === 'config.ini' ? withoutProblems(draft.problems, configKeyOf(row.name)) : draft.problems,
    refusals: without(draft.refusals, changeId(row.name, tier)),
  };
}

function typeConfig(draft: SettingsDraft, entry: ConfigEntry, value: string | null): SettingsDraft {
  const wanted = value === null || value.trim() === '' ? null : value;
  const isSame = entry.isSecret ? wanted === null && !entry.isSet : wanted === entry.value;
  const config = without(draft.config, entry.key);
  const seen = isSame ? without(draft.seen, entry.key) : { [entry.key]: entry.revision, ...draft.seen };
  return {
    ...draft,
    config: isSame ? config : { ...config, [entry.key]: wanted },
    seen,
    problems: withoutProblems(draft.problems, entry.key),
  };
}

/** The number a text of a tier stands for; null = removed. */
const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));

function forget(draft: SettingsDraft, change: Change): SettingsDraft {
  const [name, tier]: [string, EditableTier] =
    change.kind === 'tier' ? [change.name, change.tier] : [change.key.replaceAll('-', '_'), 'config.ini'];
  const { [tier]: typed, ...rest } = draft.tiers[name] ?? {};
  const saved = change.value === null ? null : Number(change.value);
  const others = without(draft.tiers, name);
  const left = Object.keys(rest).length === 0 ? others : { ...others, [name]: rest };
  return {
    ...draft,
    refusals: without(draft.refusals, change.id),
    seen: change.kind === 'config' ? without(draft.seen, change.key) : draft.seen,
    // what was typed while the save ran is unsaved still
    tiers: typed !== undefined && numberOf(typed) === saved ? left : draft.tiers,
    config:
      change.kind === 'config' && draft.config[change.key] === change.value
        ? without(draft.config, change.key)
        : draft.config,
  };
}

// Who saves again after having read it means it: the next try names what stands there now.
function conflicting(draft: SettingsDraft, conflicts: readonly ConfigConflict[]): SettingsDraft {
  const words = ({ key, value, isSet }: ConfigConflict): string => {
    const now = isSet ? (value === null ? 'it has another value now' : `it says ${value} now`) : 'it is not set now';
    return `${key} was changed in the file meanwhile: ${now}. Save again to overwrite that, or discard your change.`;
  };
  return {
    ...draft,
    seen: { ...draft.seen, ...Object.fromEntries(conflicts.map(({ key, revision }) => [key, revision])) },
    problems: { general: [], byKey: new Map(conflicts.map((conflict) => [conflict.key, [words(conflict)]])) },
  };
}

/** The draft after an event. Pure. Typing what is saved already takes the edit back. */
export function nextDraft(draft: SettingsDraft, event: DraftEvent): SettingsDraft {
  switch (event.type) {
    case 'tier-typed':
      return typeTier(draft, event);
    case 'config-typed':
      return typeConfig(draft, event.entry, event.value);
    case 'config-reverted':
      return {
        ...draft,
        config: without(draft.config, event.key),
        seen: without(draft.seen, event.key),
        problems: withoutProblems(draft.problems, event.key),
      };
    case 'config-refused':
      return { ...draft, problems: sortProblems(event.problems, event.keys) };
    case 'config-conflict':
      return conflicting(draft, event.conflicts);
    case 'change-refused':
      return { ...draft, refusals: { ...draft.refusals, [event.id]: event.message } };
    case 'change-saved': {
      const left = forget(draft, event.change);
      return event.change.kind === 'config' ? { ...left, problems: NO_PROBLEMS } : left;
    }
    case 'discarded':
      return EMPTY_DRAFT;
    default:
      return event satisfies never;
  }
}

/** Identifies a change of one tier. */
export const changeId = (name: string, tier: string): string => `${tier}:${name}`;
const withUnit = (value: number | null, unit: string): string =>
  value === null ? NOT_SET : unit === '' ? String(value) : `${value} ${unit}`;

function tierChange(row: SettingRow, tier: EditableTier, text: string): Change | null {
  const parsed = parseTierText(row, text);
  if (parsed.kind === 'wrong') return null;
  const value = parsed.kind === 'value' ? parsed.value : null;
  if (value === savedValue(row, tier)) return null;
  const shown = {
    id: changeId(row.name, tier),
    from: withUnit(savedValue(row, tier), row.unit),
    to: withUnit(value, row.unit),
    where: TIER_WORDS[tier],
    label: row.name,
  };
  if (tier !== 'config.ini') return { kind: 'tier', name: row.name, tier, value, ...shown };
  return { kind: 'config', key: configKeyOf(row.name), value: value === null ? null : String(value), ...shown };
}

function configChange(entry: ConfigEntry, value: string | null): Change {
  const from = entry.isSecret ? (entry.isSet ? 'set' : NOT_SET) : (entry.value ?? NOT_SET);
  // a proxy URL becomes a secret by what is typed into it
  const isHidden = value !== null && (entry.isSecret || isSecretValue(entry.key, value));
  const to = isHidden ? 'a new value' : (value ?? NOT_SET);
  const shown = { from, to, where: TIER_WORDS['config.ini'], label: entry.key };
  return { kind: 'config', id: changeId(entry.key, 'config.ini'), key: entry.key, value, ...shown };
}

/** The unsaved changes in the order of the screen, secrets in words only. A text that is refused is no change yet. */
export function changesOf(draft: SettingsDraft, saved: SavedSettings): Change[] {
  const changes: Change[] = [];
  for (const row of saved.rows ?? []) {
    for (const [tier, text] of Object.entries(draft.tiers[row.name] ?? {}) as [EditableTier, string][]) {
      const change = tierChange(row, tier, text);
      if (change !== null) changes.push(change);
    }
  }
  for (const entry of saved.entries) {
    const value = draft.config[entry.key];
    // what was typed may have been saved meanwhile by somebody else
    if (value === undefined || typedProblem(entry, value) !== null) continue;
    if (entry.isSecret || value !== entry.value) changes.push(configChange(entry, value));
  }
  return changes;
}

/** How many typed texts are refused as they stand; nothing is saved until it is 0. */
export function countWrong(draft: SettingsDraft, saved: SavedSettings): number {
  let wrong = relationProblems(saved.entries, draft.config).length;
  for (const entry of saved.entries) {
    const value = draft.config[entry.key];
    if (value !== undefined && typedProblem(entry, value) !== null) wrong += 1;
  }
  for (const row of saved.rows ?? []) {
    for (const text of Object.values(draft.tiers[row.name] ?? {})) {
      if (parseTierText(row, text).kind === 'wrong') wrong += 1;
    }
  }
  return wrong;
}

/** What the changes do to the values that count, one sentence per setting whose effective value changes. */
export function effectsOf(draft: SettingsDraft, saved: SavedSettings): string[] {
  return (saved.rows ?? []).flatMap((row) => {
    const edits = draft.tiers[row.name];
    if (edits === undefined) return [];
    const after = effectiveAfter(row, edits);
    if (after.value !== row.value)
      return [
        `${row.name} becomes ${withUnit(after.value, row.unit)} on this node (now ${withUnit(row.value, row.unit)}).`,
      ];
    return [`${row.name} stays ${withUnit(row.value, row.unit)} on this node, decided by ${TIER_WORDS[after.wonBy]}.`];
  });
}
