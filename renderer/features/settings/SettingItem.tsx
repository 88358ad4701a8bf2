import { IconChevronRight } from '@tabler/icons-react';
import { useId, useState } from 'react';
import type { SettingRow } from '../../../agent/contract/index.ts';
import { configKeyOf, effectiveAfter, type Tier } from './setting-tiers.ts';
import { changeId, type SettingsDraft } from './settings-draft.ts';
import { TierFields } from './TierFields.tsx';

const CHIP_WORDS: Readonly<Record<Tier, string>> = {
  'config.ini': 'config.ini',
  node: 'node',
  cluster: 'cluster',
  default: 'default',
};

/** Who decided a value. */
function WonByChip({ tier }: { tier: Tier }) {
  return (
    <span className="isg-won-by" data-testid="won-by" data-tier={tier}>
      <span className="isg-visually-hidden">Decided by </span>
      {CHIP_WORDS[tier]}
    </span>
  );
}

/** One setting as a row; unfolds to its tiers. It unfolds by itself while it holds something refused. */
export function SettingItem({ row, draft }: { row: SettingRow; draft: SettingsDraft }) {
  const [isOpen, setIsOpen] = useState(false);
  const panelId = useId();
  const edits = draft.tiers[row.name] ?? {};
  const after = effectiveAfter(row, edits);
  const errors: Partial<Record<Tier, string>> = {};
  const inConfig = draft.problems.byKey.get(configKeyOf(row.name));
  if (inConfig !== undefined) errors['config.ini'] = inConfig.join(' ');
  for (const tier of ['node', 'cluster'] as const) {
    const refusal = draft.refusals[changeId(row.name, tier)];
    if (refusal !== undefined) errors[tier] = refusal;
  }
  const isShown = isOpen || Object.keys(errors).length > 0;
  const isChanged = after.value !== row.value;
  return (
    <li className="isg-setting" data-testid={`setting-${row.name}`}>
      <button
        type="button"
        className="isg-setting-head"
        aria-expanded={isShown}
        aria-controls={panelId}
        onClick={() => setIsOpen(!isShown)}
      >
        <IconChevronRight size={16} className="isg-setting-chevron" aria-hidden />
        <span className="isg-setting-words">
          <span className="isg-setting-name">
            {row.name} {Object.keys(edits).length > 0 ? <span className="isg-unsaved">unsaved</span> : null}
          </span>
          <span className="isg-setting-about">{row.explanation}</span>
        </span>
        <span className="isg-setting-value" data-testid="effective-value">
          {isChanged ? <s className="isg-dim">{row.value}</s> : null} {after.value}
          {row.unit === '' ? null : <span className="isg-unit"> {row.unit}</span>}
        </span>
        <span className="isg-setting-chips">
          <WonByChip tier={after.wonBy} />
        </span>
      </button>
      <div id={panelId} className="isg-setting-panel" hidden={!isShown}>
        {isShown ? (
          <>
            <TierFields row={row} edits={edits} errors={errors} />
            {row.remarks.map((remark) => (
              <p key={remark} className="isg-small isg-remark">
                {remark}.
              </p>
            ))}
            <p className="isg-dim isg-small">
              Whole numbers from {row.min} to {row.max}
              {row.unit === '' ? '' : ` ${row.unit}`}. The leftmost tier that says something counts.
            </p>
          </>
        ) : null}
      </div>
    </li>
  );
}
