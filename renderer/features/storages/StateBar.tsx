import type { StorageState } from '../../../agent/contract/index.ts';
import { formatCount } from '../../ui/format.ts';
import { barParts } from './storage-words.ts';
import './storages.css';

/** The storage's files by state, as a bar with its legend; the legend carries the numbers. */
export function StateBar({ storage }: { storage: StorageState }) {
  const parts = barParts(storage);
  if (parts.length === 0) return <p className="isg-storage-none isg-dim">No files are known yet.</p>;
  const words = parts.map(({ label, count }) => `${label} ${formatCount(count)}`).join(', ');
  return (
    <div className="isg-state-bar">
      <div className="isg-state-track" role="img" aria-label={`Files by state: ${words}`} data-testid="state-bar">
        {parts.map(({ key, share }) => (
          <span key={key} className={`isg-state-part isg-state-${key}`} style={{ flexGrow: share }} />
        ))}
      </div>
      <ul className="isg-state-legend" aria-hidden>
        {parts.map(({ key, label, count }) => (
          <li key={key}>
            <span className={`isg-state-swatch isg-state-${key}`} />
            {label} <b>{formatCount(count)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}
