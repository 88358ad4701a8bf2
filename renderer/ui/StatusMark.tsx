import type { CheckResult } from '../../agent/contract/index.ts';
import './status-mark.css';

/** What a mark can say. */
export type Status = CheckResult['status'];

const WORDS: Record<Status, string> = { ok: 'Healthy', failing: 'Failing', warning: 'Warning', unknown: 'Unknown' };

/** The bare shape; always beside a word. Disc with tick, octagon with bar, triangle with mark, dashed ring with point. */
export function StatusShape({ status, size = 16 }: { status: Status; size?: number }) {
  return (
    <svg className={`isg-status-shape isg-status-${status}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden>
      {SHAPES[status]}
    </svg>
  );
}

const SHAPES: Record<Status, React.ReactNode> = {
  ok: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M4.8 8.3l2.2 2.2 4.2-4.6" className="isg-status-cut" />
    </>
  ),
  failing: (
    <>
      <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="currentColor" />
      <path d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2" className="isg-status-cut" />
    </>
  ),
  warning: (
    <>
      <path d="M8 1.2l7.2 13H.8z" fill="currentColor" stroke="currentColor" strokeLinejoin="round" />
      <path d="M8 5.8v4M8 12v.2" className="isg-status-cut" />
    </>
  ),
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.2" className="isg-status-ring" />
      <circle cx="8" cy="8" r="1.6" fill="currentColor" />
    </>
  ),
};

/** Status as shape + word + colour. `label` is the word; without it the status itself is said. */
export function StatusMark({ status, label, size }: { status: Status; label?: string | undefined; size?: number }) {
  return (
    <span className="isg-status">
      <StatusShape status={status} size={size ?? 16} />
      <span>{label ?? WORDS[status]}</span>
    </span>
  );
}
