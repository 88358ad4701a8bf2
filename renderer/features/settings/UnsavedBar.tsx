import { Button } from '@mantine/core';
import { useId, useState } from 'react';
import { plural } from '../../ui/format.ts';
import type { Change } from './settings-draft.ts';

/** What the bar shows and does. */
export interface UnsavedBarProps {
  changes: readonly Change[];
  /** What the changes do to the values that count, in sentences. */
  effects: readonly string[];
  /** Typed texts that are refused as they stand. */
  wrong: number;
  isSaving: boolean;
  onSave: () => void;
  onDiscard: () => void;
}

function Diff({ changes, effects, id }: { changes: readonly Change[]; effects: readonly string[]; id: string }) {
  const touchesCluster = changes.some((change) => change.kind === 'tier' && change.tier === 'cluster');
  return (
    <div id={id} data-testid="unsaved-diff">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long list scrolls, and the keyboard must reach it. */}
      <section className="isg-diff" aria-label="Changes" tabIndex={0}>
        <table className="isg-table">
          <thead>
            <tr>
              <th>Setting</th>
              <th>Where</th>
              <th>Now</th>
              <th>After saving</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.id}>
                <td className="isg-mono">{change.label}</td>
                <td>{change.where}</td>
                <td>
                  <del>{change.from}</del>
                </td>
                <td>
                  <ins>{change.to}</ins>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {effects.length === 0 && !touchesCluster ? null : (
        <p className="isg-diff-effects isg-small isg-dim">
          {effects.join(' ')} {touchesCluster ? 'A change of the cluster reaches all its nodes within 10 s.' : ''}
        </p>
      )}
    </div>
  );
}

/** The bar at the bottom of the settings while something is unsaved: how much, what exactly, save or discard. */
export function UnsavedBar({ changes, effects, wrong, isSaving, onSave, onDiscard }: UnsavedBarProps) {
  const [isOpen, setIsOpen] = useState(false);
  const diffId = useId();
  if (changes.length === 0 && wrong === 0) return null;
  const words = changes.length === 0 ? 'Nothing to save yet' : plural(changes.length, 'unsaved change');
  const hindrance =
    wrong === 0 ? '' : `; ${wrong === 1 ? 'one value has' : `${wrong} values have`} to be corrected first`;
  return (
    <section className="isg-unsaved-bar" aria-label="Unsaved changes" data-testid="unsaved-bar">
      {isOpen && changes.length > 0 ? <Diff changes={changes} effects={effects} id={diffId} /> : null}
      <div className="isg-row">
        <strong role="status">
          {words}
          {hindrance}
        </strong>
        {changes.length === 0 ? null : (
          <Button variant="default" aria-expanded={isOpen} aria-controls={diffId} onClick={() => setIsOpen(!isOpen)}>
            {isOpen ? 'Hide changes' : 'Show changes'}
          </Button>
        )}
        <span className="isg-spacer" />
        <Button variant="default" onClick={onDiscard} disabled={isSaving}>
          Discard
        </Button>
        <Button
          onClick={() => {
            setIsOpen(false);
            onSave();
          }}
          loading={isSaving}
          disabled={wrong > 0 || changes.length === 0}
        >
          Save
        </Button>
      </div>
    </section>
  );
}
