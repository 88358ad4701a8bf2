import type { ReactNode } from 'react';
import { formatPercent } from '../../ui/format.ts';

/** What is being done now with a bar of how much of it is done; `children` stand at its end. */
export function ProgressLine({
  label,
  doing,
  share,
  children,
}: {
  label: string;
  doing: string;
  /** From 0 to 1. */
  share: number;
  children?: ReactNode;
}) {
  return (
    <div className="isg-progress-line">
      <span className="isg-progress-doing">{doing} …</span>
      <div
        className="isg-progress"
        role="progressbar"
        aria-label={label}
        aria-valuetext={doing}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(share * 100)}
      >
        <div className="isg-progress-done" style={{ width: formatPercent(share) }} />
      </div>
      {children}
    </div>
  );
}
