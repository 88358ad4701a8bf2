import { TextInput } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import type { SettingRow } from '../../../agent/contract/index.ts';
import { TIER_WORDS, type Tier, type TierCell, type TierEdits, tierCells, whyNotAllowed } from './setting-tiers.ts';
import { tellDraft } from './settings-session.ts';

const ABOUT: Readonly<Record<Tier, string>> = {
  'config.ini': 'On this machine; counts within a second',
  node: 'For this node, on any machine; counts within 10 s',
  cluster: 'For all nodes of the cluster; counts within 10 s',
  default: 'When nobody says anything',
};

function Standing({ cell }: { cell: TierCell }) {
  if (cell.wins) {
    return (
      <span className="isg-tier-wins">
        <IconCheck size={14} aria-hidden /> {cell.isChanged ? 'Will count' : 'Counts'}
      </span>
    );
  }
  if (cell.beatenBy !== null) return <span className="isg-dim">Beaten by {cell.beatenBy}</span>;
  return <span className="isg-dim">{cell.isChanged && cell.saved !== null ? 'Will be removed' : 'Says nothing'}</span>;
}

function EditableTier({ row, cell, error }: { row: SettingRow; cell: TierCell; error: string | null }) {
  const { tier } = cell;
  if (tier === 'default') return null;
  const type = (text: string) => tellDraft({ type: 'tier-typed', row, tier, text });
  const isBeaten = cell.beatenBy !== null && !cell.isChanged;
  return (
    <TextInput
      aria-label={`${row.name}, ${TIER_WORDS[tier]}${isBeaten ? `, beaten by ${cell.beatenBy}` : ''}`}
      inputMode="numeric"
      value={cell.text}
      placeholder="not set"
      error={cell.problem ?? error}
      rightSection={row.unit === '' || row.unit.length > 4 ? undefined : <span className="isg-unit">{row.unit}</span>}
      classNames={{ input: isBeaten ? 'isg-num-input isg-struck' : 'isg-num-input' }}
      onChange={(event) => type(event.currentTarget.value)}
      data-testid={`tier-${row.name}-${tier}`}
    />
  );
}

function TakeAway({ row, cell }: { row: SettingRow; cell: TierCell }) {
  const { tier, text, saved } = cell;
  if (tier === 'default' || (text === '' && saved === null)) return null;
  const isRemoved = text === '';
  return (
    <button
      type="button"
      className="isg-link"
      aria-label={`${isRemoved ? 'Keep' : 'Remove'} ${row.name} in ${TIER_WORDS[tier]}`}
      onClick={() => tellDraft({ type: 'tier-typed', row, tier, text: isRemoved ? String(saved) : '' })}
    >
      {isRemoved ? 'Keep' : 'Remove'}
    </button>
  );
}

function FixedValue({ row, cell }: { row: SettingRow; cell: TierCell }) {
  if (!cell.isAllowed) return <p className="isg-dim isg-small">{whyNotAllowed(row)}</p>;
  const text = `${cell.text === '' ? '–' : cell.text} ${row.unit}`.trim();
  return <div className="isg-tier-fixed">{cell.beatenBy === null ? text : <s>{text}</s>}</div>;
}

/** The four tiers of a setting side by side: each with what it says, whether that counts, and a field where it may be changed. */
export function TierFields({
  row,
  edits,
  errors,
}: {
  row: SettingRow;
  edits: TierEdits;
  /** Refusals of the last save, by tier. */
  errors: Partial<Record<Tier, string>>;
}) {
  return (
    <div className="isg-tiers">
      {tierCells(row, edits).map((cell) => (
        <fieldset
          key={cell.tier}
          className={cell.wins ? 'isg-tier isg-tier-winning' : 'isg-tier'}
          data-testid={`tier-cell-${row.name}-${cell.tier}`}
          data-standing={cell.wins ? 'wins' : cell.beatenBy === null ? 'silent' : 'beaten'}
        >
          <legend className="isg-visually-hidden">{TIER_WORDS[cell.tier]}</legend>
          <div className="isg-tier-name" aria-hidden>
            {TIER_WORDS[cell.tier]}
          </div>
          <div className="isg-tier-about">{ABOUT[cell.tier]}</div>
          {cell.tier === 'default' || !cell.isAllowed ? (
            <FixedValue row={row} cell={cell} />
          ) : (
            <EditableTier row={row} cell={cell} error={errors[cell.tier] ?? null} />
          )}
          {cell.isAllowed ? (
            <div className="isg-tier-standing">
              <Standing cell={cell} />
              <TakeAway row={row} cell={cell} />
            </div>
          ) : null}
        </fieldset>
      ))}
    </div>
  );
}
