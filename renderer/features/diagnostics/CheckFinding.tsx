import type { Finding } from '../../../agent/contract/index.ts';
import { StatusShape } from '../../ui/StatusMark.tsx';

const SHOWN_AS = {
  error: { look: 'critical', status: 'failing', word: 'Problem' },
  warning: { look: 'warning', status: 'warning', word: 'Worth knowing' },
} as const;

/** One finding of the full check: cause, what was seen, what to do, and the word under which the manual has it. */
export function CheckFinding({ finding }: { finding: Finding }) {
  const { code, severity, cause, evidence, remedy } = finding;
  const { look, status, word } = SHOWN_AS[severity];
  return (
    <li
      className={`isg-finding isg-finding-${look}`}
      data-testid="check-finding"
      data-code={code}
      data-severity={severity}
    >
      <span className="isg-finding-mark">
        <StatusShape status={status} size={18} />
      </span>
      <div className="isg-finding-body">
        <div className="isg-finding-line">
          <span className={`isg-finding-word isg-status-word-${status}`}>{word}</span>
          <span className="isg-mono isg-small isg-dim">{code}</span>
        </div>
        <h3>{cause}</h3>
        <dl>
          <dt>What was seen</dt>
          <dd className="isg-finding-seen">{evidence}</dd>
          <dt>What to do</dt>
          <dd>{remedy}</dd>
        </dl>
      </div>
    </li>
  );
}
