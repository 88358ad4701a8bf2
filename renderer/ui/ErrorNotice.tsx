import type { ReactNode } from 'react';
import { type Status, StatusShape } from './StatusMark.tsx';
import './notice.css';

/** A problem as cause, consequence, remedy, and the button that does the remedy. */
export interface NoticeProps {
  /** What happened. */
  cause: ReactNode;
  /** What it means now. */
  consequence?: ReactNode;
  /** What to do. */
  remedy?: ReactNode;
  /** The button that does it. */
  action?: ReactNode;
  /** Default `failing`. */
  status?: Status;
  /** More, below: last words of a process, a list of lines. */
  children?: ReactNode;
  /** Says it to screen readers at once; for what appears by itself. */
  isLive?: boolean;
}

/** Draws a problem. Not dismissible: it goes when the problem goes. */
export function ErrorNotice({ cause, consequence, remedy, action, status = 'failing', children, isLive }: NoticeProps) {
  return (
    <div className={`isg-notice isg-notice-${status}`} role={isLive ? 'status' : undefined}>
      <span className="isg-notice-mark">
        <StatusShape status={status} />
      </span>
      <div className="isg-notice-text">
        <div className="isg-notice-cause">{cause}</div>
        {consequence ? <div>{consequence}</div> : null}
        {remedy ? <div className="isg-notice-remedy">{remedy}</div> : null}
        {children}
      </div>
      {action ? <div className="isg-notice-action">{action}</div> : null}
    </div>
  );
}
