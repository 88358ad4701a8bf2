import type { Finding, Severity } from '../../ui/findings/finding.ts';
import { plural } from '../../ui/format.ts';
import { type Status, StatusShape } from '../../ui/StatusMark.tsx';
import { FindingActions } from './FindingActions.tsx';

const SHOWN_AS: Readonly<Record<Severity, { status: Status; word: string }>> = {
  critical: { status: 'failing', word: 'Holds up work' },
  warning: { status: 'warning', word: 'Deserves a look' },
  note: { status: 'unknown', word: 'Note' },
};

/** One finding: cause, consequence, remedy with its buttons, and the evidence folded away. */
export function FindingCard({ finding }: { finding: Finding }) {
  const { severity, cause, consequence, remedy, actions, evidence } = finding;
  const { status, word } = SHOWN_AS[severity];
  return (
    <li
      className={`isg-finding isg-finding-${severity}`}
      data-testid="finding"
      data-finding={finding.id}
      data-severity={severity}
    >
      <span className="isg-finding-mark">
        <StatusShape status={status} size={18} />
      </span>
      <div className="isg-finding-body">
        <div className={`isg-finding-word isg-status-word-${status}`}>{word}</div>
        <h2>{cause}</h2>
        <dl>
          <dt>What it means</dt>
          <dd>{consequence}</dd>
          <dt>What to do</dt>
          <dd>{remedy}</dd>
        </dl>
        <FindingActions actions={actions} />
        {evidence.length === 0 ? null : (
          <details className="isg-evidence">
            <summary>Evidence ({plural(evidence.length, 'line')})</summary>
            <pre>{evidence.join('\n')}</pre>
          </details>
        )}
      </div>
    </li>
  );
}
